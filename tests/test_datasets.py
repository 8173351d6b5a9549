"""Images from anywhere: the right ones, or one sentence on what is wrong."""

import hashlib
import http.server
import inspect
import os
import re
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from helpers import datasets
from helpers.files import TutorialError
from helpers.runs import REPOSITORY

FILE = np.random.default_rng(0).bytes(200_000)  # stands in for mnist.npz
MNIST_NPZ = os.environ.get("MNIST_NPZ")
ANSWERS = {  # status, header and body of a server's answer, and what is said of it
    "right": (200, ("X", ""), FILE, ""),
    "wrong": (200, ("X", ""), FILE[::-1], "log-in page"),
    "page": (200, ("X", ""), b"<html>Please log in to the network.", "log-in page"),
    "login": (302, ("Location", "/page"), b"", "log-in page"),
    "loop": (302, ("Location", "/loop"), b"", "HTTP 302: .*infinite loop"),
    "missing": (404, ("X", ""), b"", "HTTP 404: Not Found"),
    "silent": (0, (), b"", "no answer within 1 s"),
    "look-up": (0, (), b"", "no answer within 1 s"),
    "refused": (0, (), b"", "refused|no answer"),  # Windows tries for two seconds
}


class Handler(http.server.BaseHTTPRequestHandler):
    log_message = lambda *_: None  # noqa: E731

    def do_GET(self):
        status, header, body, _ = ANSWERS[self.path[1:]]
        if status == 0:
            return time.sleep(3)
        self.send_response(status)
        self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Return a function that sets the network's answer and returns Keras' file."""
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setattr(datasets, "FILE_SHA256", hashlib.sha256(FILE).hexdigest())
    monkeypatch.setattr(datasets, "PATIENCE", 1)
    monkeypatch.delenv("MNIST_NPZ", raising=False)

    def set_up(kind):
        port = 9 if kind == "refused" else server.server_port
        monkeypatch.setattr(datasets, "URL", f"http://127.0.0.1:{port}/{kind}")
        if kind == "look-up":
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
        return tmp_path / "datasets" / "mnist.npz"

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield set_up
        server.shutdown()


def refusal(call, *arguments):
    with pytest.raises(TutorialError) as error:
        call(*arguments)
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 600
    return text


@pytest.mark.parametrize("kind", [kind for kind in ANSWERS if kind != "right"])
def test_find_without_mnist_says_soon_what_came_back(kind, network, capfd):
    network(kind)
    began = time.monotonic()
    source, notice = datasets.find("auto", datasets.SAMPLE)
    assert time.monotonic() - began < 4  # with PATIENCE 1
    assert source == "mnist_5k" and "75 against 96 %" in notice
    assert re.search(ANSWERS[kind][3], notice) and "no network" not in notice.lower()
    assert "".join(capfd.readouterr()) == ""


def test_find_does_not_fall_back_where_mnist_was_published_or_asked_for(network):
    network("missing")
    for arguments in (["auto", "MNIST"], ["mnist"]):
        text = refusal(datasets.find, *arguments)
        for part in ("404", "MNIST_NPZ", "save_model_name", "dataset=mnist_5k"):
            assert part in text
    assert datasets.find("mnist_5k", "MNIST") == ("mnist_5k", "")


@pytest.mark.parametrize("cached", [None, FILE[:-1]])
def test_find_puts_mnist_into_the_cache_and_asks_only_once(cached, network):
    path = network("right")
    if cached:
        path.parent.mkdir()
        path.write_bytes(cached)
    assert datasets.find("auto", "MNIST") == ("mnist", "")
    assert path.read_bytes() == FILE
    network("refused")
    assert datasets.find("mnist") == ("mnist", "")


def test_find_looks_where_the_loader_of_keras_looks():
    from keras.datasets import mnist

    source = inspect.getsource(mnist.load_data)
    assert datasets.FILE_SHA256 in source and os.path.dirname(datasets.URL) in source


def test_find_path_names_a_file_from_the_repository_or_is_refused(monkeypatch):
    for dataset in ("", ".", "none.npz", "MNIST", "~nobody/x", "a\0b", "a" * 5000):
        assert repr(dataset[:200]) in refusal(datasets.find, dataset)
    monkeypatch.chdir("/")
    path = os.path.join(REPOSITORY, "pyproject.toml")
    assert datasets.find("pyproject.toml") == (path, "")
    monkeypatch.setenv("MNIST_NPZ", "pyproject.toml")
    assert datasets.find("auto", "MNIST") == (path, "")
    monkeypatch.setenv("MNIST_NPZ", "none.npz")
    assert "MNIST_NPZ" in refusal(datasets.find, "auto")


def arrays():
    images, labels = np.zeros((2, 20, 28, 28), np.uint8), np.arange(20) % 10
    images[:, :, 9:19, 12:16] = 255
    return dict(x_train=images[0], y_train=labels, x_test=images[1], y_test=labels)


def checked(**changes):
    x_train, y_train, x_test, y_test = (arrays() | changes).values()
    return datasets.check("/there/mine.npz", (x_train, y_train), (x_test, y_test))


def test_load_file_damaged_or_pickled_gives_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez_compressed("mine.npz", **arrays())
    good = Path("mine.npz").read_bytes()
    assert np.array_equal(datasets.load_file("mine.npz")[1][1], arrays()["y_test"])
    for data in (b"", b"PK", b"<html>", good[:-30], good.replace(b"PK", b"KP", 1)):
        Path("mine.npz").write_bytes(data)
        assert "mine.npz is damaged" in refusal(datasets.load_file, "mine.npz")
    for hint, wrong in {"y_train": 1, "allow_pickle": np.array([print])}.items():
        np.savez("mine.npz", x_train=wrong)
        assert hint in refusal(datasets.load_file, "mine.npz")


def test_check_wrong_arrays_are_refused():
    images, labels = arrays()["x_train"], arrays()["y_train"]
    assert checked() == "mine.npz"
    for wrong in (images[:, :, 0], images / 255, images[..., None], images[:19]):
        assert "uint8 (N, 28, 28)" in refusal(lambda x=wrong: checked(x_train=x))
    for wrong in (labels[:0], labels[:, None], labels / 1.0, labels.astype("uint64")):
        assert "N integers" in refusal(lambda y=wrong: checked(y_test=y))
    for wrong in (labels % 9, labels + 1, np.r_[labels[1:], 256]):  # 0 as a byte
        assert "all of 0 to 9" in refusal(lambda y=wrong: checked(y_train=y))
    images[:10] = 255 - images[:10]  # light paper in half of the training images
    assert checked(x_train=images, x_test=255 - images) == "mine.npz"
    images[10] = 255 - images[10]
    assert "invert it: x = 255 - x" in refusal(lambda: checked(x_train=images))


@pytest.mark.skipif(not MNIST_NPZ, reason="let MNIST_NPZ name a copy of mnist.npz")
def test_check_recognises_mnist_bit_for_bit():
    train, test = datasets.load_file(MNIST_NPZ)
    assert datasets.check("mine.npz", train, test) == "MNIST"
    train[0][77, 14, 14] ^= 1
    assert datasets.check("mine.npz", train, test) == "mine.npz"


def test_sample_is_balanced_disjoint_and_named():
    train, test = datasets.load_file("mnist_5k")
    assert datasets.check("mnist_5k", train, test) == datasets.SAMPLE
    assert (np.bincount(train[1]) == 400).all() and (np.bincount(test[1]) == 100).all()
    known = {image.tobytes(): digit for image, digit in zip(*train, strict=True)}
    assert not known.keys() & {image.tobytes() for image in test[0]}
    assert known[datasets.example_digit(7).tobytes()] == 7
