"""Put mnist.npz into Keras' cache, or say within seconds that there is no way."""

import hashlib
import http.client
import os
import threading
import time
import urllib.request
from pathlib import Path

from helpers.files import make_folder, sha256_of_file, write_atomically

# Address and checksum that tf.keras.datasets.mnist.load_data() itself uses.
MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_FILE_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
PATIENCE = 8.0  # seconds until an answer, and then for each MiB
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
    if path.is_file() and sha256_of_file(path) == MNIST_FILE_SHA256:
        return path
    url = os.environ.get("MNIST_URL") or MNIST_URL
    try:
        data = _download(url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise NoNetwork(
            f"{_host(url)} does not answer as expected ({reason})"
        ) from None
    if hashlib.sha256(data).hexdigest() != MNIST_FILE_SHA256:
        raise NoNetwork(
            f"{_host(url)} sent {len(data):,} bytes that are not the file mnist.npz"
        )
    make_folder(path.parent)
    write_atomically(path, data)
    return path


def keras_cache():
    """Return the folder in which Keras keeps datasets."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home) / "datasets"


def _download(url):
    # In a thread, because looking up a name cannot be given a timeout.
    data, failure = bytearray(), []
    thread = threading.Thread(target=_receive, args=(url, data, failure), daemon=True)
    started = time.monotonic()
    thread.start()
    while thread.is_alive():
        thread.join(0.05)
        if time.monotonic() - started > PATIENCE * (1 + len(data) / 2**20):
            raise TimeoutError("no answer" if not data else "it sends too slowly")
    if failure:
        raise failure[0]
    return bytes(data)


def _receive(url, data, failure):
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            while piece := answer.read1(1 << 16):
                data += piece
                if len(data) > LARGEST:
                    raise ValueError("it sends more than the file can have")
    except Exception as error:
        failure.append(error)


def _host(url):
    return url.split("//")[-1].split("/")[0]
