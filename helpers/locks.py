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
    with explained("lock", folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise TutorialError(_busy(folder)) from None
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    owner = {"process": os.getpid(), "started": started}
    try:
        write_atomically(folder / f"{_BATCH}.json", json.dumps(owner).encode())
        os.environ[OWNER] = str(os.getpid())  # inherited by the kernels
        with writing(folder):
            remove_leftovers(folder)
        yield
    finally:
        os.environ.pop(OWNER, None)
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
    try:
        FileLock(folder / _BATCH).acquire(timeout=0).lock.release()
    except Timeout:
        if os.environ.get(OWNER) != str(_owner(folder).get("process")):
            raise TutorialError(_busy(folder)) from None


@contextlib.contextmanager
def writing(folder):
    """Be the only one who writes artifacts into a run's folder for a moment."""
    check_free(folder)
    lock = FileLock(folder / _WRITE)
    with explained("lock", folder):
        try:
            lock.acquire(timeout=60)
        except Timeout:
            raise TutorialError(
                f"{shown(folder)} has been written to by another program for a minute; "
                "wait for it, or use another save_model_name."
            ) from None
    try:
        yield
    finally:
        lock.release()


def _owner(folder):
    with contextlib.suppress(OSError, ValueError):
        return json.loads((folder / f"{_BATCH}.json").read_bytes())
    return {}


def _busy(folder):
    owner = _owner(folder)
    return (
        f"{shown(folder)} belongs to a batch run that is still going (process "
        f"{owner.get('process', 'unknown')}, started {owner.get('started', 'just now')}"
        "); wait for it, or use another save_model_name."
    )
