"""Files that a kill, a full disk or a second program cannot leave half written."""

import contextlib
import ctypes
import errno
import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from helpers.errors import TutorialError
from helpers.paths import shown

_ELSEWHERE = "(ARTIFACTS_DIR moves artifacts/, KERAS_HOME the cache of datasets)"
_REMEDIES = {
    errno.ENOSPC: "free some space on that disk and run this again",
    errno.EROFS: f"use a folder on a disk that is not read-only {_ELSEWHERE}",
    errno.EACCES: f"use a folder that you may change {_ELSEWHERE}",
    errno.EPERM: f"use a folder that you may change {_ELSEWHERE}",
    errno.ENOTDIR: f"use a folder that is not inside a file {_ELSEWHERE}",
    errno.EEXIST: f"use a folder that is not a file {_ELSEWHERE}",
    errno.ENOENT: "the folder is gone, perhaps removed meanwhile: run this again",
}
if hasattr(errno, "EDQUOT"):  # a quota of the user's own
    _REMEDIES[errno.EDQUOT] = _REMEDIES[errno.ENOSPC]
_WINDOWS = os.name == "nt"
_PATIENCE = 1.0  # seconds; virus scanners hold a new file for less
_TEMPORARY = ".partial-"  # prefix of what a killed run may leave behind


def sha256(data):
    """Return the SHA-256 of `data` (bytes-like) as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path):
    """Return the SHA-256 of the file at `path`, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def explained(doing, path):
    """Turn an ``OSError`` inside the block into one sentence for the reader.

    Parameters
    ----------
    doing : str
        What was tried, as in "write" or "read".
    path : Path
        On what.

    Raises
    ------
    TutorialError
        Naming the path, the reason that the system gives, and a remedy.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or (str(error).splitlines() or ["no reason given"])[0]
        remedy = _REMEDIES.get(error.errno, "check that folder and run this again")
        if _WINDOWS and error.errno == errno.EACCES:
            remedy = f"close the program that has the file open, or {remedy}"
        raise TutorialError(
            f"Cannot {doing} {shown(path)}: {reason}; {remedy}."
        ) from error


def make_folder(path):
    """Make the folder `path` and its parents, if they are not there yet."""
    with explained("make the folder", path):
        Path(path).mkdir(parents=True, exist_ok=True)


def write_atomically(path, data):
    """Write `data` so that `path` holds all of it or what it held before.

    A temporary file in the same folder is written, flushed to the disk and renamed:
    renaming within a folder is atomic on every system this runs on.

    Parameters
    ----------
    path : Path
    data : bytes

    Raises
    ------
    TutorialError
        If the disk is full, the folder is missing or may not be changed.
    """
    path = Path(path)
    with explained("write", path):
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            _patiently(os.replace, temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _flush_folder(path.parent)


@contextlib.contextmanager
def new_folder(path):
    """Give an empty folder that takes the place of `path` when the block ends well.

    Parameters
    ----------
    path : Path
        The folder to make or to replace as a whole; its parent exists.

    Yields
    ------
    Path
        The folder to fill, beside `path`. If the block raises, it is removed and `path`
        stays as it was.
    """
    path = Path(path)
    with explained("write", path):
        staged = Path(tempfile.mkdtemp(dir=path.parent, prefix=_TEMPORARY))
        try:
            yield staged
            for folder, _, names in os.walk(staged):
                for name in names:
                    _flush_file(Path(folder, name))
                _flush_folder(folder)
            staged.chmod(0o777 & ~_umask())
            _swap(staged, path)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        _flush_folder(path.parent)


@contextlib.contextmanager
def scratch_folder(parent):
    """Give a folder for what is needed only inside the block.

    What a killed run leaves of it, `remove_leftovers` removes.
    """
    with explained("write into", parent):
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=_TEMPORARY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_folder(path):
    """Remove a folder so that all of it is gone at once, or nothing."""
    path = Path(path)
    if path.exists():
        with explained("remove", path), scratch_folder(path.parent) as grave:
            _patiently(os.rename, path, grave / path.name)


def remove_leftovers(folder):
    """Remove what killed runs left half written directly inside `folder`.

    The caller must hold the folder's lock: a running program's temporary files look
    just the same.
    """
    for path in Path(folder).glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _swap(staged, path):
    """Put `staged` in the place of `path`, and what was there in that of `staged`."""
    if not path.exists():
        _patiently(os.rename, staged, path)
    elif not _exchange(staged, path):
        # Without a system call that exchanges two folders there is an instant in which
        # the old one stands under its second name only; restore_folder brings it back.
        aside = _aside(path)
        shutil.rmtree(aside, ignore_errors=True)
        _patiently(os.rename, path, aside)
        _patiently(os.rename, staged, path)
        _patiently(os.rename, aside, staged)


def restore_folder(path):
    """Bring back a folder whose replacement was killed between its two renames."""
    aside = _aside(Path(path))
    if aside.exists() and not Path(path).exists():
        with explained("restore", path):
            _patiently(os.rename, aside, path)


def _patiently(rename, source, target):
    """Rename; on Windows try for a second, as a virus scanner may be in the way."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return rename(source, target)
        except PermissionError:
            if not _WINDOWS or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _aside(path):
    return path.with_name(f"{path.name}.previous")


def _exchange(one, other):
    """Exchange two folders in one atomic step where the system can (Linux, macOS)."""
    names = [os.fsencode(one), os.fsencode(other)]
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            at_fdcwd, rename_exchange = -100, 2
            return not libc.renameat2(
                at_fdcwd, names[0], at_fdcwd, names[1], rename_exchange
            )
        if sys.platform == "darwin":
            rename_swap = 2
            return not libc.renamex_np(names[0], names[1], rename_swap)
    return False


def _flush_file(path):
    # Windows flushes only what was opened for writing.
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def _flush_folder(path):
    # Makes the rename itself durable; Windows has no such call.
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
