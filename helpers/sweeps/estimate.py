"""About how long a sweep will take, before it starts."""

import math

from helpers.sweeps.shared_work import data_key, training_key

# Seconds on a core of a laptop of 2020 or so, measured; they vary by two or so.
# `python -m tests.benchmarks.sweep --epochs 1`, then `--epochs 5`, renews what a run of
# the sample costs; the closing tables of two batch runs, of the sample and of MNIST,
# tell how that is divided among notebooks and grows with the images.
_START = 8.0  # Python, TensorFlow and the pictures of 03 to 06
_TRAIN = 9.0e-5  # for each image of each epoch
_AUGMENT = 3.0e-5  # more, for each augmented one
_TEST = 1.2e-3  # for each test image: two runtimes
_CAMERA = 1.3e-2  # for each of up to 1,000: thirteen effects
_DATA = 5.0  # notebooks 01 and 02
_SIZES = {"mnist_5k": (4_000, 1_000)}
_MNIST = (60_000, 10_000)


def seconds_of(values, trained=True):
    """Return about how long one run takes on one core.

    Parameters
    ----------
    values : dict
        Value by name of every parameter; what is not there counts as little.
    trained : bool
        Whether it trains, or goes on from another run's training.
    """
    train, test = _SIZES.get(values.get("dataset"), _MNIST)
    seconds = _START + _TEST * test + _CAMERA * min(test, 1_000)
    if trained:
        each = _TRAIN + (_AUGMENT if values.get("augment") else 0.0)
        seconds += values.get("epochs", 1) * train * each
    return seconds


def estimate(runs, known=()):
    """Return about how much computing runs take.

    Parameters
    ----------
    runs : list of helpers.sweeps.grid.Planned
        Those still to do.
    known : iterable of dict
        Rows of finished runs, from which the speed of this machine is learnt.

    Returns
    -------
    total : float
        Seconds, all runs one after the other.
    longest : float
        Seconds of the longest; no number of workers is quicker.
    """
    factor = _factor(known)
    trained, costs, datasets = set(), [], set()
    for run in runs:
        key = training_key(run.values)
        costs.append(factor * seconds_of(run.values, key not in trained))
        trained.add(key)
        datasets.add(data_key(run.values))
    data = _DATA * len(datasets)
    return data + sum(costs), data + max(costs, default=0.0)


def _factor(rows):
    pairs = [
        (row["seconds"], seconds_of(row)) for row in rows if row["status"] == "done"
    ]
    if not pairs:
        return 1.0
    return sum(found for found, _ in pairs) / sum(guess for _, guess in pairs)


def in_words(seconds):
    """Return a duration as people say it, no more exactly than it is known."""
    if seconds < 90:
        return f"{max(10, 10 * round(seconds / 10))} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{math.ceil(minutes)} min"
    return f"{minutes / 60:.1f} h"
