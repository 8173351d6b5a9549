"""One writer at a time: a batch run owns its folder, a notebook only while it writes.

The operating system drops these locks when their process ends, however it ends, so
nothing is ever left locked.
"""

import contextlib
import json
import os
import time

from filelock import FileLock, Timeout

from helpers.errors import TutorialError
from helpers.files import explained, remove_leftovers, write_atomically
from helpers.paths import shown

OWNER = "TUTORIAL_RUN_OWNER"  # process id of the batch run that started this kernel
_BATCH, _WRITE = ".batch.lock", ".write.lock"
_BATCH_OWNER = ".batch.lock.json"
_MOMENT = 0.3  # seconds; others take a batch run's lock for an instant, to try it
_PATIENCE = 60.0  # seconds


@contextlib.contextmanager
def batch(folder):
    """Own a run's folder for the length of a batch run.

    Parameters
    ----------
    folder : Path
        The run's folder; it exists.

    Raises
    ------
    TutorialError
        If another batch run owns it, with that one's process id and start time.
    """
    lock = FileLock(folder / _BATCH)
    if not _acquired(lock, folder, _MOMENT):
        raise TutorialError(_busy(folder))
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    owner = {"process": os.getpid(), "started": started}
    try:
        write_atomically(folder / _BATCH_OWNER, json.dumps(owner).encode())
        os.environ[OWNER] = str(os.getpid())  # inherited by the kernels
        with writing(folder):
            remove_leftovers(folder)
        yield
    finally:
        os.environ.pop(OWNER, None)
        with contextlib.suppress(OSError):
            (folder / _BATCH_OWNER).unlink()
        lock.release()


def check_free(folder):
    """Refuse if a batch run other than the one that started this process owns `folder`.

    Raises
    ------
    TutorialError
        With the owner's process id and start time.
    """
    if not (folder / _BATCH).exists():
        return
    if os.environ.get(OWNER, "") == str(_owner(folder).get("process")):
        return
    lock = FileLock(folder / _BATCH)
    if not _acquired(lock, folder, _MOMENT):
        raise TutorialError(_busy(folder))
    lock.release()


@contextlib.contextmanager
def writing(folder):
    """Be the only one who writes artifacts into a run's folder for a moment."""
    check_free(folder)
    lock = FileLock(folder / _WRITE)
    if not _acquired(lock, folder, _PATIENCE):
        raise TutorialError(
            f"{shown(folder)} has been written to by another program for a minute; "
            "wait for it, or use another save_model_name."
        )
    try:
        yield
    finally:
        lock.release()


def _acquired(lock, folder, seconds):
    with explained("lock", folder):
        try:
            lock.acquire(timeout=seconds, poll_interval=0.02)
        except Timeout:
            return False
        except NotImplementedError as error:
            raise OSError(str(error)) from None
        return True


def _owner(folder):
    with contextlib.suppress(OSError, ValueError):
        owner = json.loads((folder / _BATCH_OWNER).read_bytes())
        return owner if isinstance(owner, dict) else {}
    return {}


def _busy(folder):
    owner = _owner(folder)
    return (
        f"{shown(folder)} belongs to a batch run that is still going (process "
        f"{owner.get('process', 'unknown')}, started {owner.get('started', 'just now')}"
        "); wait for it, or use another save_model_name."
    )
