"""Processes that end with the one that started them, however that ended."""

import ctypes
import os
import signal
import sys
import threading
import time

PARENT = "TUTORIAL_PARENT"  # environment variable with a process id
_PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>


def end_with_parent(parent):
    """End this process when its parent is gone.

    Linux does it at once. Elsewhere a thread looks twice a second, but on Windows,
    where a process does not learn of its parent's end: there ipykernel watches a handle
    that it is given, and other processes end with their input.

    Parameters
    ----------
    parent : int
        Process id of the parent, which may have ended already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    elif os.name == "posix":
        threading.Thread(target=_watch, args=[parent], daemon=True).start()
    if os.name == "posix" and os.getppid() != parent:  # it ended before the call
        os._exit(1)


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
