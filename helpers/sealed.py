"""Folders that list their files in SHA256SUMS, as the program sha256sum does."""

from helpers.errors import TutorialError
from helpers.files import explained, restore_folder, sha256, sha256_of_file
from helpers.parameters import notebook_path
from helpers.paths import shown

SUMS = "SHA256SUMS"


def seal(folder):
    """List all files of a folder in its ``SHA256SUMS``."""
    lines = [f"{digest}  {name}\n" for name, digest in _files(folder).items()]
    (folder / SUMS).write_text("".join(lines), encoding="ascii", newline="\n")


def sealed_files(folder):
    """Return the files of a sealed folder after checking all of them.

    Parameters
    ----------
    folder : Path
        The published folder of a run, or its ``04_saved_model``.

    Returns
    -------
    dict of str to str
        SHA-256 by path.

    Raises
    ------
    TutorialError
        If the folder is missing, or a file is missing, damaged or not listed.
    """
    restore_folder(folder)
    try:
        listed = _sealed(folder)
        found = _files(folder)
    except (OSError, ValueError):
        listed = found = {}
    wrong = sorted(n for n in found | listed if found.get(n) != listed.get(n))
    if wrong or not listed:
        raise _damaged(folder, (wrong or [SUMS])[0])
    return listed


def sealed_bytes(folder, name):
    """Return the bytes of one file of a sealed folder after checking all of them."""
    listed = sealed_files(folder)
    with explained("read", folder / name):
        data = (folder / name).read_bytes()
    if sha256(data) != listed.get(name):
        raise _damaged(folder, name)
    return data


def _damaged(folder, name):
    number = folder.name[:2] if folder.name[:2].isdigit() else "06"
    return TutorialError(
        f"{shown(folder / name)} is missing, damaged or of another run: {SUMS} in "
        f"{shown(folder)} lists something else; run notebook "
        f"{notebook_path(number).stem} again to make all of it anew."
    )


def _sealed(folder):
    lines = (folder / SUMS).read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def _files(folder):
    return {
        path.relative_to(folder).as_posix(): sha256_of_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != SUMS
    }
