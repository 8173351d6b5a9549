"""Images from anywhere: the right ones, or one sentence on what is wrong."""

import hashlib
import http.server
import inspect
import os
import re
import socket
import subprocess
import sys
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
    "slow": (200, ("X", ""), FILE, ""),
    "wrong": (200, ("X", ""), FILE[::-1], "log-in page"),
    "page": (200, ("X", ""), b"<html>Please log in to the network.", "log-in page"),
    "login": (302, ("Location", "/page"), b"", "log-in page"),
    "loop": (302, ("Location", "/loop"), b"", "HTTP Error 302: .*infinite loop"),
    "cut": (200, ("Content-Length", "300000"), FILE, "IncompleteRead"),
    "missing": (404, ("X", ""), b"", "HTTP Error 404: Not Found"),
    "silent": (0, (), b"", "no answer within 1 s"),
    "look-up": (0, (), b"", "no answer within 1 s"),
    "refused": (0, (), b"", "refused|no answer"),  # Windows tries for two seconds
}


class Handler(http.server.BaseHTTPRequestHandler):
    requests = 0

    def log_message(self, *arguments):
        """Print nothing."""

    def do_GET(self):
        Handler.requests += 1
        status, header, body, _ = ANSWERS[self.path[1:]]
        if status == 0:
            return time.sleep(3)
        self.send_response(status)
        self.send_header(*header)
        self.end_headers()
        if self.path == "/slow":
            time.sleep(2)
        self.wfile.write(body)


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Return a function that sets the network's answer and returns Keras' file."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(Handler, "requests", 0)
    monkeypatch.setattr(datasets, "FILE_SHA256", hashlib.sha256(FILE).hexdigest())
    monkeypatch.setattr(datasets, "PATIENCE", 1)
    monkeypatch.delenv("MNIST_NPZ", raising=False)

    def set_up(kind):
        port = 9 if kind == "refused" else server.server_port
        monkeypatch.setattr(datasets, "URL", f"http://127.0.0.1:{port}/{kind}")
        if kind == "look-up":
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
        return tmp_path / "keras" / "datasets" / "mnist.npz"

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield set_up
        server.shutdown()


def left_in(folder):
    """Return the names of the files in the cache, without those of locks."""
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def refusal(call, *arguments):
    with pytest.raises(TutorialError) as error:
        call(*arguments)
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 600
    return text


@pytest.mark.parametrize(
    "kind", [kind for kind, answer in ANSWERS.items() if answer[3]]
)
def test_find_without_mnist_says_soon_what_came_back(kind, network, capfd):
    network(kind)
    began = time.monotonic()
    source, notice = datasets.find("auto", datasets.SAMPLE)
    assert time.monotonic() - began < 4  # with PATIENCE 1
    assert source == "mnist_5k" and "75 against 96 %" in notice
    assert re.search(ANSWERS[kind][3], notice) and datasets.URL in notice
    assert "".join(capfd.readouterr()) == ""


def test_find_does_not_fall_back_where_mnist_was_published_or_asked_for(network):
    network("missing")
    for arguments in (["auto", "MNIST"], ["mnist"]):
        text = refusal(datasets.find, *arguments)
        for part in ("404", "MNIST_NPZ", "save_model_name", "dataset=mnist_5k"):
            assert part in text
    assert datasets.find("mnist_5k", "MNIST") == ("mnist_5k", "")


def test_find_puts_mnist_into_the_cache_and_asks_only_once(network):
    path = network("right")
    assert datasets.find("auto", "MNIST") == ("mnist", "")
    assert path.read_bytes() == FILE
    assert datasets.find("mnist") == ("mnist", "")
    assert Handler.requests == 1


def test_find_after_a_failure_leaves_nothing_half_made(network):
    path = network("cut")
    datasets.find("auto")
    assert left_in(path.parent) == []


def test_find_with_a_disk_that_fills_up_leaves_no_half_of_the_file(
    network, monkeypatch
):
    path = network("right")

    def write_half(self, content):
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    source, notice = datasets.find("auto")
    assert source == "mnist_5k" and "No space left" in notice
    assert left_in(path.parent) == []


@pytest.mark.parametrize("content", [b"", FILE[:-1], b"notes of someone"])
def test_find_leaves_another_file_in_the_cache_alone(content, network):
    path = network("right")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    beside = path.with_name("mnist_complete.npz")
    for _ in range(2):
        assert datasets.find("auto", "MNIST") == (str(beside), "")
    assert path.read_bytes() == content and beside.read_bytes() == FILE
    assert Handler.requests == 1


def test_find_without_a_network_leaves_another_file_in_the_cache_alone(network):
    path = network("refused")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of a download")
    source, notice = datasets.find("auto")
    assert source == "mnist_5k" and f"{path} holds something else" in notice
    assert path.read_bytes() == b"half of a download"


@pytest.mark.skipif(not MNIST_NPZ, reason="let MNIST_NPZ name a copy of mnist.npz")
def test_find_takes_mnist_from_the_cache_in_whatever_form_it_is(network):
    path = network("refused")
    path.parent.mkdir(parents=True)
    with np.load(MNIST_NPZ) as arrays:
        np.savez(path, **arrays)
    before = path.read_bytes()
    assert datasets.find("mnist") == (str(path), "")
    assert path.read_bytes() == before


def test_find_in_many_processes_at_once_downloads_once(network, tmp_path):
    network("slow")
    code = (
        "from helpers import datasets\n"
        f"datasets.URL = {datasets.URL!r}\n"
        f"datasets.FILE_SHA256 = {datasets.FILE_SHA256!r}\n"
        "print(datasets.find('auto'))"
    )
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    said = {process.communicate()[0].decode().strip() for process in started}
    assert said == {"('mnist', '')"} and Handler.requests == 1


def test_find_looks_where_the_loader_of_keras_looks(monkeypatch):
    from keras.datasets import mnist
    from keras.src.backend.config import keras_home

    source = inspect.getsource(mnist.load_data)
    assert datasets.FILE_SHA256 in source and os.path.dirname(datasets.URL) in source
    assert datasets._keras_datasets() == Path(keras_home(), "datasets")
    monkeypatch.setenv("KERAS_HOME", "~/elsewhere")
    assert datasets._keras_datasets() == Path.home() / "elsewhere" / "datasets"


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


def test_check_names_a_right_dataset_by_its_file():
    assert checked() == "mine.npz"


@pytest.mark.parametrize("wrong", ["x_train", "y_train", "x_test", "y_test"])
def test_check_names_the_array_at_fault(wrong):
    damaged = arrays()[wrong].astype(np.float32)
    assert f"{wrong} of mine.npz is" in refusal(lambda: checked(**{wrong: damaged}))


def test_check_accepts_light_paper_in_half_of_the_images_and_not_in_more():
    images = arrays()["x_train"]
    images[:10] = 255 - images[:10]
    assert checked(x_train=images, x_test=255 - images) == "mine.npz"
    images[10] = 255 - images[10]
    assert "`x = 255 - x`" in refusal(lambda: checked(x_train=images))


def binary(x):
    return (x > 127).astype(np.uint8)


def with_border(x):
    return np.pad(x, [(0, 0), (2, 2), (2, 2)])


def in_colour(x):
    return np.stack([x, x, x, np.full_like(x, 255)], axis=3)


def larger(x):
    return x.repeat(2, axis=1).repeat(3, axis=2)


# What people have, and whether following the remedies gives the original images.
IMAGES = {
    "0 to 1": (lambda x: (x / 255).astype(np.float32), True),
    "0 to 1, float16": (lambda x: (x / 255).astype(np.float16), True),
    "-1 to 1": (lambda x: (x / 127.5 - 1).astype(np.float32), True),
    "-0.5 to 0.5": (lambda x: x / 255 - 0.5, True),
    "standardized": (lambda x: (x / 255 - 0.1307) / 0.3081, True),
    "float 0 to 255": (lambda x: x.astype(np.float64), True),
    "int8": (lambda x: (x ^ 0x80).view(np.int8), True),
    "int64": (lambda x: x.astype(np.int64), True),
    "0 and 1": (binary, False),
    "True and False": (lambda x: x > 127, False),
    "0 to 16": (lambda x: x // 16, False),
    "inverted": (lambda x: 255 - x, True),
    "inverted, 0 to 1": (lambda x: 1 - x / 255, True),
    "rows of 784": (lambda x: x.reshape(-1, 784) / 255, True),
    "one channel last": (lambda x: x[..., None], True),
    "one channel first": (lambda x: x[:, None] / 255, True),
    "colours last": (lambda x: in_colour(x), True),
    "colours first": (lambda x: in_colour(x)[..., :3].transpose(0, 3, 1, 2), True),
    "images last": (lambda x: x.transpose(1, 2, 0), True),
    "32 by 32": (with_border, True),
    "56 by 84": (larger, False),
    "EMNIST": (lambda x: x.transpose(0, 2, 1), True),
    "EMNIST, 0 to 1": (lambda x: x.transpose(0, 2, 1) / 255, True),
    "with nan": (lambda x: np.where(x == 0, np.nan, x / 255), True),
    "text": (lambda x: x[:500].astype(str), False),
}
LABELS = {
    "one-hot": lambda y: np.eye(10)[y],
    "column": lambda y: y[:, None],
    "float": lambda y: y.astype(np.float32),
    "text": lambda y: y.astype(str),
    "bytes": lambda y: y.astype("S"),
    "uint64": lambda y: y.astype(np.uint64),
    "10 for 0": lambda y: np.where(y == 0, 10, y),
    "other classes": lambda y: np.where(np.arange(len(y)) % 7 == 0, 11, y),
}


def follow(x, y):
    """Do what each refusal says, word for word, until the dataset is accepted."""
    found = {"x": x, "y": y, "np": np}
    for remedies in range(4):
        images, labels = found["x"], found["y"]
        try:
            datasets.check("mine.npz", (images, labels), (images, labels))
            assert remedies > 0, "it was not refused at all"
            return images, labels
        except TutorialError as error:
            remedy = re.search("`(.+?)`", str(error))
            exec(remedy[1], found)
    raise AssertionError("four remedies did not suffice")


@pytest.fixture(scope="module")
def some():
    """Return 1,000 images of the sample and their labels."""
    return datasets.load_file("mnist_5k")[1]


@pytest.mark.parametrize("kind", IMAGES)
def test_remedy_for_images_followed_word_for_word_is_accepted(kind, some):
    change, is_exact = IMAGES[kind]
    wrong = change(some[0])
    labels = some[1][: len(wrong)] if kind != "images last" else some[1]
    images, _ = follow(wrong, labels)
    assert images.shape == (len(labels), 28, 28)
    if is_exact:
        assert np.abs(images.astype(int) - some[0]).max() <= (kind == "standardized")


@pytest.mark.parametrize("kind", LABELS)
def test_remedy_for_labels_followed_word_for_word_is_accepted(kind, some):
    images, labels = follow(some[0], LABELS[kind](some[1]))
    original = {image.tobytes(): label for image, label in zip(*some, strict=True)}
    assert [original[image.tobytes()] for image in images] == labels.tolist()


@pytest.mark.parametrize(
    "wrong, said",
    [
        (np.zeros((20, 28, 28), np.uint8), "original images"),
        (np.zeros((0, 28, 28), np.uint8), "is empty"),
        (np.zeros((20, 28, 28), complex), "of type complex128"),
        (np.zeros((20, 3)), r"shape \(20, 3\)"),
        (np.array(5), r"shape \(\)"),
    ],
)
def test_check_images_that_no_line_can_cure_are_refused(wrong, said):
    assert re.search(said, refusal(lambda: checked(x_train=wrong)))


@pytest.mark.parametrize(
    "wrong, said",
    [
        (np.arange(19) % 10, "give each of the 20 images one label"),
        (np.arange(20) % 9, "y_train of mine.npz has no 9"),
        (np.arange(20) % 10 / 2, "write each label as a whole number"),
        (np.array(["seven"] * 20), "write each label as a whole number"),
        (np.arange(20) % 10 + 1, "`y = y % 10` if 10 stands for 0, or `y = y - 1`"),
        (np.r_[np.arange(19) % 10, 256], "such as 256"),
    ],
)
def test_check_labels_that_are_wrong_are_refused(wrong, said):
    assert said in refusal(lambda: checked(y_train=wrong))


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
