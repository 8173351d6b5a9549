"""Where things are, whatever the current folder is.

JupyterLab and nbval start a kernel in the notebook's folder, papermill in the caller's,
so every path is anchored at the repository. Two environment variables move what a test
or a shared installation must move: ``ARTIFACTS_DIR`` and ``NOTEBOOKS_DIR``.
"""

import os
import re
from pathlib import Path

from helpers.errors import TutorialError

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = Path(os.environ.get("NOTEBOOKS_DIR") or REPOSITORY / "notebooks").resolve()
IMAGES = NOTEBOOKS.parent / "images"  # the notebooks show ../images/…

NAME_RULE = "a letter, then letters, digits, _ or - (64 characters at most)"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_RESERVED_ON_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def artifacts_root():
    """Return the folder that holds all runs.

    Returns
    -------
    Path
        ``artifacts/`` of the repository, or what the environment variable
        ``ARTIFACTS_DIR`` names; a relative path starts at the repository.
    """
    return (REPOSITORY / (os.environ.get("ARTIFACTS_DIR") or "artifacts")).resolve()


def python_path():
    """Return the ``PYTHONPATH`` of child processes: these helpers before all others."""
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH")]
    return os.pathsep.join(filter(None, paths))


def check_name(name):
    """Return `name` if it can safely name a run, its folder, its files and a C array.

    Parameters
    ----------
    name : str
        A letter, then ASCII letters, digits, ``_`` or ``-``; 64 characters at most.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    TutorialError
        If it is anything else, or a device name that Windows reserves.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TutorialError(
            f"save_model_name is {shorten(name)}, but a name is {NAME_RULE}, "
            "because it names a folder and a C array; for example mnist_cnn."
        )
    if _RESERVED_ON_WINDOWS.fullmatch(name):
        raise TutorialError(
            f"save_model_name is {shorten(name)}, which Windows reserves for a device; "
            "choose another, for example mnist_cnn."
        )
    return name


def run_folder(name):
    """Return the folder of the run called `name`, which need not exist."""
    return artifacts_root() / check_name(name)


def shown(path):
    """Return `path` as people should read it: relative to the repository if inside it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str
        With forward slashes on every system, so that texts are the same everywhere.
    """
    path = Path(printable(str(path)))
    inside = path.is_relative_to(REPOSITORY)
    return (path.relative_to(REPOSITORY) if inside else path).as_posix()


def printable(text):
    """Return `text` with a ? for whatever could move a terminal's cursor or lines."""
    return "".join(c if c.isprintable() else "?" for c in text)


def shorten(value, limit=60):
    """Return ``repr(value)``, cut in the middle if it is longer than `limit`."""
    try:
        text = repr(value)
    except Exception:  # an int of too many digits, lists inside lists inside lists
        text = f"something too large to show, of type {type(value).__name__}"
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-limit // 4 :]} ({len(text)} characters)"
    return text
