"""The tutorial's exception, files that are replaced as a whole, and silence."""

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

# TensorFlow's converter and C compilers pass on files in the temporary folder, and fail
# with words that do not say so where these do not fit.
TEMPORARY_BYTES = 50 * 2**20


class TutorialError(Exception):
    """What went wrong, in one sentence: the thing, what was found, the remedy."""

    def _render_traceback_(self):
        # IPython shows this instead of a traceback, which would bury the sentence.
        return [f"TutorialError: {self}"]


@contextlib.contextmanager
def replacing_file(path):
    """Give a path to write to; it takes the place of `path` when the block ends well.

    A kill or a full disk leaves the old file or the new one, never half of one.
    TutorialError says why the system refuses to write.
    """
    new = _partial(path)
    with explained(path):
        try:
            yield new
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path):
    """Give a folder to fill; it takes the place of `path` when the block ends well.

    No folder can replace another in one step, so the old one is moved aside first. A
    kill between the two steps leaves it there, and `restore_folder` brings it back.
    """
    new = _partial(path)
    with explained(path):
        restore_folder(path)
        _remove_folder(new)  # of a killed process that had the same number
        try:
            new.mkdir()
            yield new
            if path.exists():
                os.rename(path, _aside(path))
            os.replace(new, path)
        finally:
            _remove_folder(new)
            restore_folder(path)


def restore_folder(path):
    """Bring a folder back whose replacement ended between its two steps."""
    aside = _aside(path)
    if aside.exists() and not path.exists():
        os.rename(aside, path)
    _remove_folder(aside)


@contextlib.contextmanager
def explained(path):
    """Turn an ``OSError`` of the block, which only writes `path`, into a sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise TutorialError(
            f"Cannot write {path}: {reason}; {_remedy(path, error)}."
        ) from error


def check_temporary_folder():
    """Raise TutorialError if the temporary folder is full, or nearly so."""
    try:
        folder = tempfile.gettempdir()  # it tries to write there
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise TutorialError(
            f"There is no usable temporary folder ({error}); name one that is not full "
            "in the environment variable TMPDIR."
        ) from error
    if free < TEMPORARY_BYTES:
        raise TutorialError(
            f"The temporary folder {folder} has {free / 2**20:.0f} MiB free, but the "
            f"notebooks need {TEMPORARY_BYTES / 2**20:.0f} MiB; free some space there, "
            "or name another folder in the environment variable TMPDIR."
        )


@contextlib.contextmanager
def quiet():
    """Hold back what is printed inside the block; show it if the block fails.

    TensorFlow's C++ writes log lines to file descriptors 1 and 2, which Python's
    ``sys.stdout`` never sees. The block is given the file that holds all of it.
    """
    check_temporary_folder()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as held:
        saved = [os.dup(1), os.dup(2)]
        try:
            os.dup2(held.fileno(), 1)
            os.dup2(held.fileno(), 2)
            with contextlib.redirect_stdout(held), contextlib.redirect_stderr(held):
                yield held
        except BaseException:
            held.seek(0)
            os.write(saved[1], held.read().encode())
            raise
        finally:
            for descriptor, copy in enumerate(saved, start=1):
                os.dup2(copy, descriptor)
                os.close(copy)


def _remedy(path, error):
    """Return what cures `error`, which writing `path` ended with."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        first = "free some space there"
    else:
        first = "make it writable, or close the program that has it open"
    if _is_temporary(path):
        place = "TMPDIR (in ARTIFACTS_DIR, if that was set to this one)"
    else:
        place = "ARTIFACTS_DIR (a sweep: --out)"
    return f"{first}, or name another folder in the environment variable {place}"


def _is_temporary(path):
    try:
        folder = Path(tempfile.gettempdir()).resolve()
    except OSError:  # no folder is usable
        return False
    return folder in Path(path).resolve().parents


def _partial(path):
    return path.with_name(f".{path.stem}-{os.getpid()}-partial{path.suffix}")


def _aside(path):
    return path.with_name(f".{path.name}.previous")


def _remove_folder(path):
    shutil.rmtree(path, ignore_errors=True)
