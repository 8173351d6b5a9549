"""Put mnist.npz into Keras' cache, or say within seconds that there is no way."""

import os
import re
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from helpers.files import make_folder, sha256, sha256_of_file, write_atomically
from helpers.paths import shorten

# Address and checksum that tf.keras.datasets.mnist.load_data() itself uses.
MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_FILE_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
PATIENCE = 8.0  # seconds until an answer, then for each further MiB
LARGEST = 16 * 1024 * 1024  # bytes; the real file has 11,490,434


class NoNetwork(Exception):
    """The download did not work; the text says why."""


def fetch_mnist():
    """Make sure that ``tf.keras.datasets.mnist.load_data()`` finds its file.

    Keras' own download has no timeout and writes to its cache as it reads; this one
    gives up when nothing comes, and puts only the right file there. A mirror can be
    named by the environment variable ``MNIST_URL``.

    Returns
    -------
    Path
        The file in Keras' cache.

    Raises
    ------
    NoNetwork
        If it is not there and cannot be had.
    TutorialError
        If the cache cannot be written.
    """
    path = keras_cache() / "mnist.npz"
    if _is_mnist(path):
        return path
    data = _elsewhere() or _download(os.environ.get("MNIST_URL") or MNIST_URL)
    make_folder(path.parent)
    write_atomically(path, data)
    return path


def keras_cache():
    """Return the folder in which Keras looks for datasets and keeps them.

    Notes
    -----
    The rule is that of ``keras.utils.get_file``: if the home of Keras may not be
    changed, it is passed over for one in the system's temporary folder.
    """
    home = _keras_home()
    if home.exists() and not os.access(home, os.W_OK):
        home = _temporary() / ".keras"
    return home / "datasets"


def _keras_home():
    if os.environ.get("KERAS_HOME"):
        return Path(os.environ["KERAS_HOME"]).expanduser()
    home = Path.home()
    return (home if os.access(home, os.W_OK) else _temporary()) / ".keras"


def _temporary():
    return Path("/tmp") if os.path.isdir("/tmp") else Path(tempfile.gettempdir())


def _elsewhere():
    """Return the file from a home of Keras that may be read but not changed."""
    for home in (_keras_home(), Path.home() / ".keras"):
        path = home / "datasets" / "mnist.npz"
        if _is_mnist(path):
            return path.read_bytes()
    return None


def _is_mnist(path):
    try:
        return sha256_of_file(path) == MNIST_FILE_SHA256
    except OSError:
        return False


def _download(url):
    """Return the right bytes from `url`, or raise `NoNetwork`."""
    # In a thread, because looking up a name cannot be given a timeout.
    data, failure = bytearray(), []
    thread = threading.Thread(target=_receive, args=(url, data, failure), daemon=True)
    started = time.monotonic()
    thread.start()
    while thread.is_alive():
        thread.join(0.05)
        if time.monotonic() - started > PATIENCE * (1 + len(data) / 2**20):
            failure.append("it sends too slowly" if data else "no answer")
            break
    if failure:
        raise NoNetwork(f"{_host(url)} does not answer as expected ({failure[0]})")
    if sha256(data) != MNIST_FILE_SHA256:
        raise NoNetwork(
            f"{_host(url)} sent {len(data):,} bytes that are not the file mnist.npz"
        )
    return bytes(data)


def _receive(url, data, failure):
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            while piece := answer.read1(1 << 16):
                data += piece
                if len(data) > LARGEST:
                    raise ValueError("it sends more than the file can have")
    except Exception as error:  # of any kind: there is a thread around it
        reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        reason = re.sub(r"[^\s'\"]*@", "", reason)  # a password is nobody's business
        failure.append(reason.splitlines()[0][:200])


def _host(url):
    return shorten(url.split("//")[-1].split("/")[0].split("@")[-1])
