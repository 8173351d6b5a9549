"""Training curves of other runs: those that can be compared, and no others."""

import pytest

from helpers.artifacts import Run
from helpers.learn.histories import HISTORY, MOST, other_histories

CURVES = {key: [0.5, 0.25] for key in ("loss", "accuracy", "val_loss", "val_accuracy")}


@pytest.fixture
def keep(tmp_path, monkeypatch):
    """Return a function that keeps the results of a run."""
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))

    def save(name, results):
        Run(name, "04_train_model").save_json(HISTORY, results)

    return save


def test_histories_of_runs_on_the_same_dataset_are_found(keep):
    keep("a_one", {"dataset": "MNIST", "history": CURVES})
    keep("a_two", {"dataset": "sample", "history": CURVES})
    keep("b_one", {"dataset": "MNIST", "history": CURVES})
    assert other_histories(Run("a"), "MNIST") == {"a_one": CURVES}


def test_no_more_histories_than_a_figure_takes(keep):
    for number in range(MOST + 1):
        keep(f"a_{number}", {"dataset": "MNIST", "history": CURVES})
    assert len(other_histories(Run("a"), "MNIST")) == MOST


@pytest.mark.parametrize(
    "results",
    [
        *[[], 3, None, {}, {"epochs": 5}, {"history": CURVES}],
        {"dataset": "MNIST"},
        {"dataset": "MNIST", "history": [CURVES]},
        {"dataset": "MNIST", "history": {"loss": [1.0]}},
    ],
)
def test_history_of_another_version_is_left_out(keep, results):
    keep("a_one", results)
    assert other_histories(Run("a"), "MNIST") == {}


def test_damaged_history_is_left_out(keep):
    keep("a_one", {"dataset": "MNIST", "history": CURVES})
    Run("a_one").path(HISTORY).write_bytes(b"{}")
    assert other_histories(Run("a"), "MNIST") == {}
