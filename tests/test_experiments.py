"""What the experiments of notebooks 4 to 6 claim is so: their own cells, on the sample.

The sample has fewer images than MNIST, so thresholds are wide. Where a claim needs all
of MNIST, it is read from the outputs that are stored in the notebook.
"""

import numpy as np
import pytest

from conftest import notebook_cells, run_cells, tutorial
from helpers import camera, figures, training
from helpers.files import quiet

with quiet():
    import tensorflow as tf


@pytest.fixture
def small(sample):
    """Return names that notebook 4's cells use, for the first images of the sample."""
    scale = np.float32(128)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return {
        "tf": tf,
        "data": sample,
        "pixel_scale": 128.0,
        "train_images": sample["train_images"][500:],
        "train_labels": sample["train_labels"][500:],
        "validation_images": sample["train_images"][:500] / scale,
        "validation_labels": sample["train_labels"][:500],
        "loss_function": loss,
        "model": tutorial(),
        "camera": camera,
        "figures": figures,
        "training": training,
    }


@pytest.fixture(autouse=True)
def no_windows(monkeypatch):
    monkeypatch.setattr(figures, "table", lambda columns, rows: None)


# Notebook 4.


def one_weight():
    return run_cells(notebook_cells(4, "one-weight"))


@pytest.mark.parametrize(
    ("rate", "steps", "arrives"),
    [(0.005, 10, False), (0.05, 20, True), (0.25, 20, True), (0.142, 1, True)],
)
def test_gradient_descent_arrives_where_the_page_says_so(rate, steps, arrives):
    page = one_weight()
    w = 0.0
    for _ in range(steps):
        w = w - rate * page["gradient"](w, page["x"], page["y"])
    bottom = (page["x"] @ page["y"]) / (page["x"] @ page["x"])  # where the slope is 0
    assert (abs(w - bottom) < 0.03) == arrives


def test_gradient_is_the_slope_of_the_loss():
    page = one_weight()
    x, y = page["x"], page["y"]
    rise = page["loss"](1.0005, x, y) - page["loss"](0.9995, x, y)
    assert page["gradient"](1.0, x, y) == pytest.approx(rise / 0.001, rel=1e-6)


def test_large_learning_rate_jumps_higher_each_time():
    page = run_cells(notebook_cells(4, "zigzag"), **one_weight())
    losses = [page["loss"](w, page["x"], page["y"]) for w in page["path"]]
    assert np.all(np.diff(losses) > 0)
    assert np.all(np.diff(np.sign(np.diff(page["path"]))) != 0)  # to and fro


def test_untrained_loss_is_ln_10_only_if_pixels_are_divided(small):
    page = run_cells(notebook_cells(4, "untrained-loss"), **small)
    assert page["divided"] == pytest.approx(np.log(10), abs=0.1)
    assert page["undivided"] > 20


def test_nudged_weight_changes_the_loss_by_its_slope(small):
    images = small["train_images"][:1000] / np.float32(128)
    small |= {"first": images, "first_labels": small["train_labels"][:1000]}
    weights = small["model"].get_weights()
    page = run_cells(notebook_cells(4, "nudge"), **small)
    slope = page["filter_slopes"][page["steepest"]]
    assert page["change"] / page["nudge"] == pytest.approx(slope, rel=0.05)
    assert page["change_by_w"] / page["nudge"] == pytest.approx(-24, abs=0.05)
    assert page["change_by_v"] / page["nudge"] == pytest.approx(-4, abs=0.05)
    for before, after in zip(weights, small["model"].get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)  # it was put back


def test_network_on_500_images_learns_them_by_heart(small):
    small["plt"] = pytest.importorskip("matplotlib.pyplot")
    cells = notebook_cells(4, "experiment") + notebook_cells(4, "overfitting")
    page = run_cells(cells, **small)
    small["plt"].close("all")
    loss = page["overfitted"]["val_loss"]
    assert page["own"] > 0.99 and page["others"] < 0.95
    assert min(loss) < 0.9 * loss[-1]  # it fell, and rose again


def test_network_that_saw_varied_images_reads_more_shifted_ones(small):
    # As many images as on the page; each is varied anew.
    small["train_images"] = np.tile(small["train_images"], (3, 1, 1, 1))
    small["train_labels"] = np.tile(small["train_labels"], 3)
    [contrast, _] = notebook_cells(4, "pipeline")
    copies = notebook_cells(4, "experiment")
    page = run_cells([contrast, *copies, *notebook_cells(4, "one-epoch")], **small)
    (_, normal, shifted), (_, varied_normal, varied_shifted) = page["rows"]
    assert abs(percent(normal) - percent(varied_normal)) < 5
    assert percent(varied_shifted) > percent(shifted) + 20


def percent(text):
    """Return the number of a text such as ``97.1 %``."""
    return float(text.removesuffix(" %"))
