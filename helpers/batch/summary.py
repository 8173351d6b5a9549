"""The closing summary of a run, from its published report."""

import json
import textwrap

from helpers.artifacts import PUBLISHED, published_files
from helpers.learn.tables import rate
from helpers.paths import shown


def published_report(folder):
    """Return the published report of a run, or an empty dict if it has none.

    Raises
    ------
    TutorialError
        If published files are damaged.
    """
    path = folder / PUBLISHED / "report.json"
    if not path.exists():
        return {}
    published_files(folder / PUBLISHED)
    return json.loads(path.read_bytes())


def summary_rows(report):
    """Return what a run has achieved, as labels and texts.

    Parameters
    ----------
    report : dict
        The published ``report.json``; what it lacks is left out.

    Returns
    -------
    list of tuple of str
    """
    rows = [
        ("Dataset", _dataset(report)),
        ("Accuracy before quantization", _accuracy(report, "float")),
        ("Accuracy after, on LiteRT", _accuracy(report, "litert")),
        (f"Accuracy after, on {_runtime(report)}", _accuracy(report, "board")),
        ("Loss of accuracy", _loss(report)),
        ("Model", _count(report, "bytes")),
        ("Tensor arena", _arena(report)),
        ("Operators", ", ".join(_get(report, "model", "operators") or [])),
    ]
    return [(label, text) for label, text in rows if text]


def notice(report):
    """Return what the reader must not miss about the dataset, or an empty text."""
    return _get(report, "dataset", "notice") or ""


def in_a_frame(text, width=78):
    """Return a text in a frame that cannot be missed in a terminal."""
    lines = textwrap.wrap(text, width - 6)
    bar = "!" * width
    return "\n".join([bar, *(f"!! {ln:<{width - 6}} !!" for ln in lines), bar])


def in_columns(rows):
    """Return rows of two texts as aligned lines."""
    width = max((len(label) for label, _ in rows), default=0)
    return "\n".join(f"  {label:<{width}}  {text}" for label, text in rows)


def files_written(folder, report):
    """Return the paths of what a reader will look for, as they should be shown.

    Parameters
    ----------
    folder : Path
        The run's folder.
    report : dict
        The published ``report.json``.
    """
    names = published_files(folder / PUBLISHED) if report else ()
    paths = [folder / PUBLISHED / name for name in names]
    paths.append(folder / "report" / "index.html")
    written = [shown(path) for path in paths if path.exists()]
    return [*written, f"{shown(folder / 'notebooks')}/ (as executed)"]


def _get(report, *keys):
    for key in keys:
        if not isinstance(report, dict) or key not in report:
            return None
        report = report[key]
    return report


def _dataset(report):
    dataset = report.get("dataset") or {}
    text = str(dataset.get("name", ""))
    if "train_images" in dataset and "test_images" in dataset:
        text += (
            f": {dataset['train_images']:,} training and "
            f"{dataset['test_images']:,} test images"
        )
    return text


def _accuracy(report, kind):
    found = _get(report, "accuracy", kind) or {}
    if "correct" in found and found.get("images"):
        return rate(found["correct"], found["images"])
    return ""


def _runtime(report):
    runtime = report.get("board_runtime") or {}
    name = runtime.get("name", "the board's runtime")
    if runtime.get("is_board_runtime", True):
        return name
    return f"{name} (stands in for TFLM, which this system lacks)"


def _loss(report):
    before = _get(report, "accuracy", "float") or {}
    after = _get(report, "accuracy", "board") or _get(report, "accuracy", "litert")
    if not (before.get("images") and after and after.get("images")):
        return ""
    drop = before["correct"] / before["images"] - after["correct"] / after["images"]
    decimals = 2 if after["images"] >= 5000 else 1
    points = round(100 * drop, decimals) + 0.0  # no negative zero
    return f"{points:.{decimals}f} percentage points"


def _count(report, key):
    number = _get(report, "model", key)
    return f"{number:,} bytes" if number else ""


def _arena(report):
    used = _count(report, "arena_bytes")
    advised = _get(report, "model", "recommended_arena_bytes")
    return f"{used} used, {advised:,} recommended" if used and advised else used
