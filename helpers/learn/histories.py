"""Training curves of other runs, to compare with."""

from helpers.artifacts import Run
from helpers.errors import TutorialError
from helpers.paths import artifacts_root

MOST = 3  # more curves than this make a figure hard to read
HISTORY = "04_history.json"
_CURVES = {"loss", "accuracy", "val_loss", "val_accuracy"}


def other_histories(run, dataset_name):
    """Return the training curves of other runs on the same dataset.

    Parameters
    ----------
    run : helpers.artifacts.Run
        The run that is being looked at.
    dataset_name : str
        Runs on another dataset cannot be compared and are left out.

    Returns
    -------
    dict of str to dict
        Keras' history by the name of the run: those named after this run
        (``<name>_original``, say), `MOST` at most. Left out are damaged ones
        and those of another version.
    """
    found = {}
    for path in sorted(artifacts_root().glob(f"{run.name}_*/{HISTORY}")):
        try:
            results = Run(path.parent.name).load_json(HISTORY)
        except TutorialError:
            continue
        if _comparable(results, dataset_name) and len(found) < MOST:
            found[path.parent.name] = results["history"]
    return found


def _comparable(results, dataset_name):
    """Whether these are results on this dataset, as this version writes them."""
    if not isinstance(results, dict) or results.get("dataset") != dataset_name:
        return False
    history = results.get("history")
    return isinstance(history, dict) and history.keys() >= _CURVES
