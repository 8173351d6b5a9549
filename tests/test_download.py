"""The network fails in every way it can: soon over, said clearly, nothing damaged."""

import contextlib
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

from helpers.errors import TutorialError
from helpers.learn import datasets, download
from helpers.learn.download import NoNetwork, fetch_mnist

FILE = os.urandom(200_000)  # stands in for mnist.npz; its checksum is patched in
PAGE = b"<html><body>Please log in to the network of this hotel.</body></html>"
LIMIT = 15.0  # seconds


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        kind = self.path.strip("/").partition("/")[0]
        self.server.asked.append(kind)
        getattr(self, f"send_{kind}")()

    def _send(self, body, status=200, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_right(self):
        self._send(FILE)

    def send_without_length(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(FILE)

    def send_half(self):
        self._send(FILE[: len(FILE) // 2], length=len(FILE))

    def send_half_then_silence(self):
        self.send_half()
        self.server.over.wait(60)

    def send_silence(self):
        self.server.over.wait(60)

    def send_trickle(self):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x")

    def send_slow_headers(self):
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.0 200 OK\r\n")
            while not self.server.over.wait(0.05):
                self.wfile.write(b"X-Slow: x\r\n")

    def send_wrong(self):
        self._send(FILE[::-1])

    def send_nothing(self):
        self._send(b"")

    def send_page(self):
        self._send(PAGE, Content_Type="text/html")

    def send_page_with_error(self):
        self._send(PAGE, status=502)

    def send_login(self):
        self._send(b"", status=302, Location="/page")

    def send_loop(self):
        self._send(b"", status=302, Location="/loop")

    def send_elsewhere(self):
        self._send(b"", status=302, Location="file:///etc/passwd")

    def send_garbage(self):
        self.wfile.write(b"\x16\x03\x01\0\n" * 100)

    def send_too_much(self):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(64):
                self.wfile.write(bytes(2**20))


@pytest.fixture(scope="module")
def server():
    server = _Server(("127.0.0.1", 0), _Handler)
    server.asked, server.over = [], threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return where the file belongs, in a home of Keras of its own."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(download, "MNIST_FILE_SHA256", hashlib.sha256(FILE).hexdigest())
    return tmp_path / "keras" / "datasets" / "mnist.npz"


@pytest.fixture
def answer(cache, server, monkeypatch):
    """Return a function that chooses how the server answers."""

    def choose(kind):
        port = server.server_address[1]
        monkeypatch.setenv("MNIST_URL", f"http://127.0.0.1:{port}/{kind}/mnist.npz")

    return choose


def gives_up(cache):
    """Check that nothing can be had, and that nothing is left of the attempt."""
    before = cache.read_bytes() if cache.exists() else None
    began = time.monotonic()
    with pytest.raises(NoNetwork) as error:
        fetch_mnist()
    assert time.monotonic() - began < LIMIT
    assert (cache.read_bytes() if cache.exists() else None) == before
    assert not list(cache.parent.glob(".partial-*"))
    text = str(error.value)
    assert "\n" not in text and len(text) < 400
    return text


@pytest.mark.parametrize("kind", ["right", "without_length"])
def test_right_file_is_kept_in_the_cache_and_not_fetched_again(
    answer, server, cache, kind
):
    answer(kind)
    assert fetch_mnist() == cache
    assert cache.read_bytes() == FILE
    asked = len(server.asked)
    assert fetch_mnist() == cache
    assert len(server.asked) == asked


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("half", "bytes that are not the file|more expected"),
        ("wrong", "200,000 bytes that are not the file"),
        ("nothing", "0 bytes that are not the file"),
        ("page", "bytes that are not the file"),
        ("page_with_error", "Bad Gateway"),
        ("login", "bytes that are not the file"),
        ("loop", "infinite loop|redirect"),
        ("elsewhere", "not allowed|redirect"),
        ("garbage", "127.0.0.1"),
        ("too_much", "more than the file can have"),
    ],
)
def test_server_with_a_wrong_answer_is_told_apart(answer, cache, kind, says):
    answer(kind)
    text = gives_up(cache)
    assert re.search(says, text)


@pytest.mark.parametrize(
    "kind", ["silence", "half_then_silence", "trickle", "slow_headers"]
)
def test_server_that_does_not_go_on_is_given_up_soon(answer, cache, kind, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.7)
    answer(kind)
    began = time.monotonic()
    assert re.search("no answer|timed out|too slowly", gives_up(cache))
    assert time.monotonic() - began < 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["silence", "half_then_silence", "trickle", "slow_headers"]
)
def test_server_that_does_not_go_on_is_given_up_within_15_seconds(answer, cache, kind):
    answer(kind)
    gives_up(cache)


def test_refused_connection_is_told_at_once(cache, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MNIST_URL", f"http://127.0.0.1:{port}/mnist.npz")
    assert "refused" in gives_up(cache) or os.name == "nt"


def test_name_that_does_not_exist_is_told(cache, monkeypatch):
    monkeypatch.setenv("MNIST_URL", "http://mnist.invalid/mnist.npz")
    assert "mnist.invalid" in gives_up(cache)


def test_name_server_that_hangs_is_given_up(cache, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.5)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(30))
    monkeypatch.setenv("MNIST_URL", "http://mnist.invalid/mnist.npz")
    began = time.monotonic()
    assert "no answer" in gives_up(cache)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "url",
    [
        *["", " ", "mnist.npz", "http://", "http://[", "http://\n", "ftp://"],
        *["http://a b/", "gopher://x/", "http://127.0.0.1:99999/", "//", "a" * 5000],
        *["http://" + "a" * 300 + ".invalid/", "http://ex\u00e4mple.invalid/\u00e4"],
    ],
)
def test_odd_address_gives_a_sentence(cache, monkeypatch, url):
    if not url:
        monkeypatch.setattr(download, "MNIST_URL", "http://mnist.invalid/")
    monkeypatch.setenv("MNIST_URL", url)
    gives_up(cache)


def test_password_in_an_address_is_not_shown(cache, monkeypatch):
    monkeypatch.setenv("MNIST_URL", "http://user:secret@mnist.invalid/mnist.npz")
    assert "secret" not in gives_up(cache)


@pytest.mark.parametrize("damage", [b"", FILE[:-1], FILE[::-1], PAGE])
def test_damaged_file_in_the_cache_is_mended_by_the_network(answer, cache, damage):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(damage)
    answer("right")
    fetch_mnist()
    assert cache.read_bytes() == FILE


def test_damaged_file_in_the_cache_without_network_is_explained(
    answer, cache, monkeypatch
):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(FILE[:-1])
    answer("page_with_error")
    assert datasets.choose_source("auto") == ("mnist_5k", datasets.NOTICE)
    with pytest.raises(TutorialError, match="not intact in Keras' cache"):
        datasets.choose_source("mnist")


def test_auto_falls_back_and_mnist_does_not(answer):
    answer("page")
    assert datasets.choose_source("auto") == ("mnist_5k", datasets.NOTICE)
    with pytest.raises(TutorialError, match="which needs no network") as error:
        datasets.choose_source("mnist")
    assert "127.0.0.1" in str(error.value) and "\n" not in str(error.value)
    answer("right")
    assert datasets.choose_source("auto") == ("mnist", "")


def test_cache_that_is_a_file_gives_a_sentence(answer, cache):
    cache.parents[1].write_text("not a folder")
    answer("right")
    with pytest.raises(TutorialError, match="KERAS_HOME"):
        fetch_mnist()


def test_cache_that_is_a_folder_gives_a_sentence(answer, cache):
    cache.mkdir(parents=True)
    answer("right")
    with pytest.raises(TutorialError, match=r"Cannot write .*mnist\.npz"):
        fetch_mnist()


@pytest.mark.slow
def test_cache_is_where_keras_looks(tmp_path):
    """Keras decides at its import, so it is asked in a process of its own."""
    ask = (
        "import os, sys\n"
        "from helpers.quiet import quiet\n"
        "from helpers.learn.download import keras_cache\n"
        "with quiet():\n    import keras\n    import keras.src.utils.file_utils as f\n"
        "class Got(Exception): pass\n"
        "def isdir(path): raise Got(path)\n"
        "def makedirs(path, exist_ok): raise Got(path)\n"
        "f.os.makedirs = makedirs\n"
        "try:\n    keras.datasets.mnist.load_data()\n"
        "except Got as got:\n    print(got.args[0]); print(keras_cache())\n"
    )
    (tmp_path / "home").mkdir()
    for home in ({"KERAS_HOME": str(tmp_path)}, {"HOME": str(tmp_path / "home")}):
        environment = {k: v for k, v in os.environ.items() if k != "KERAS_HOME"} | home
        done = subprocess.run(
            [sys.executable, "-c", ask],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        theirs, ours = done.stdout.split()
        assert theirs == ours


def test_cache_that_may_only_be_read_is_read(answer, cache, tmp_path, monkeypatch):
    """As a lab's shared cache: Keras passes it over, so its file is copied."""
    cache.parent.mkdir(parents=True)
    cache.write_bytes(FILE)
    answer("page")
    monkeypatch.setattr(download, "_temporary", lambda: tmp_path / "tmp")
    real = os.access
    home = cache.parents[1]
    monkeypatch.setattr(
        os, "access", lambda path, mode: path != home and real(path, mode)
    )
    assert fetch_mnist() == tmp_path / "tmp" / ".keras" / "datasets" / "mnist.npz"
    assert fetch_mnist().read_bytes() == FILE
