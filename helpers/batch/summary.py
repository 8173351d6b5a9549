"""The closing summary of a run, from its published report."""

import json
import textwrap

from helpers.artifacts import PUBLISHED
from helpers.learn.tables import rate
from helpers.paths import shown
from helpers.sealed import sealed_files

_KINDS = "train", "test"


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
    sealed_files(folder / PUBLISHED)
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
        ("dataset", _dataset(report)),
        ("accuracy before quantization", _rate(report, "float")),
        ("accuracy after quantization", _rate(report, "board")),
        ("loss of accuracy", _loss(report)),
        ("measured on", _runtime(report)),
        ("for comparison, on LiteRT", _rate(report, "litert")),
        ("model", _bytes(report, "bytes")),
        ("tensor arena", _arena(report)),
        ("operators", _operators(report)),
    ]
    return [(label, text) for label, text in rows if text]


def notice(report):
    """Return what the reader must not miss about the dataset, or an empty text."""
    return _get(report, str, "dataset", "notice") or ""


def in_a_frame(text, width=78):
    """Return a text in a frame that cannot be missed in a terminal."""
    lines = textwrap.wrap(text, width - 6)
    bar = "!" * width
    return "\n".join([bar, *(f"!! {ln:<{width - 6}} !!" for ln in lines), bar])


def in_columns(rows):
    """Return rows of two texts as aligned lines."""
    width = max((len(label) for label, _ in rows), default=0)
    return "\n".join(f"  {label:<{width}}  {text}" for label, text in rows)


def files_written(folder):
    """Return the paths of what a reader will look for, as they should be shown.

    Parameters
    ----------
    folder : Path
        The run's folder.
    """
    published = [folder / PUBLISHED / name for name in _names(folder / PUBLISHED)]
    page, executed = folder / "report" / "index.html", folder / "notebooks"
    return [shown(path) for path in [*published, page, executed] if path.exists()]


def _names(published):
    return sorted(sealed_files(published)) if published.exists() else []


def _get(report, kind, *keys):
    """Return a value of the report if it is there and of the right kind."""
    for key in keys:
        report = report.get(key) if isinstance(report, dict) else None
    return report if type(report) is kind else None


def _dataset(report):
    name = _get(report, str, "dataset", "name") or ""
    counts = [_get(report, int, "dataset", f"{kind}_images") for kind in _KINDS]
    if name and None not in counts:
        parts = [f"{n:,} {kind}" for kind, n in zip(_KINDS, counts, strict=True)]
        name += f", {' and '.join(parts)} images"
    return name


def _counts(report, kind):
    """Return right answers and images, or None if the report does not tell."""
    correct = _get(report, int, "accuracy", kind, "correct")
    images = _get(report, int, "accuracy", kind, "images")
    return (correct, images) if correct is not None and images else None


def _rate(report, kind):
    counts = _counts(report, kind)
    return rate(*counts) if counts else ""


def _runtime(report):
    name = _get(report, str, "board_runtime", "name")
    if name and _get(report, bool, "board_runtime", "is_board_runtime") is False:
        name += ", which stands in for TensorFlow Lite Micro: that is not installed"
    return name


def _loss(report):
    before, after = _counts(report, "float"), _counts(report, "board")
    if not before or not after:
        return ""
    decimals = 2 if after[1] >= 5000 else 1
    points = 100 * (before[0] / before[1] - after[0] / after[1])
    points = round(points, decimals) + 0.0  # no negative zero
    return f"{points:.{decimals}f} percentage points"


def _bytes(report, key):
    number = _get(report, int, "model", key)
    return f"{number:,} bytes" if number else ""


def _arena(report):
    used = _bytes(report, "arena_bytes")
    advised = _bytes(report, "recommended_arena_bytes")
    return f"{used} used, {advised} recommended" if used and advised else used


def _operators(report):
    return ", ".join(map(str, _get(report, list, "model", "operators") or []))
