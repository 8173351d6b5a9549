"""The kernels of a batch run: started ahead of need, and none is left behind.

On Linux they come from one `nursery`; elsewhere each is a process of its own, started
two notebooks ahead. Both end by themselves when the runner is gone.
"""

import asyncio
import contextlib
import os
import sys
import time

from jupyter_core.utils import ensure_event_loop

from helpers.batch.environment import environment
from helpers.batch.imports import uses_tensorflow
from helpers.batch.kernel_process import OwnProcess
from helpers.batch.nursery import Nursery
from helpers.errors import TutorialError

AHEAD = 2  # notebooks; where each kernel is a process of its own
_PATIENCE = 2.0  # seconds that the kernels may take to shut down


class Kernels:
    """The kernels of a run, one for each notebook.

    Parameters
    ----------
    notebooks : list of Path
        In the order in which they will run.
    folder : Path
        Folder for connection files, logs and the kernels' temporary files.
    stopping : helpers.batch.stopping.Stopping
        Signals wait while a process is started: none may be lost sight of.
    nursery : bool, optional
        Whether to fork the kernels from one process; on Linux unless told otherwise.
    """

    def __init__(self, notebooks, folder, stopping, nursery=None):
        self.notebooks, self.folder = list(notebooks), folder
        self.env = environment(folder)
        self.started = {}
        forks = sys.platform == "linux" if nursery is None else nursery
        self.nursery = Nursery(folder, self.env) if forks and self.notebooks else None
        self.stopping = stopping

    def prepare(self):
        """Start what should be ready soon."""
        if self.nursery:
            # Those without TensorFlow first: they need not wait until it is imported.
            for notebook in sorted(self.notebooks, key=uses_tensorflow):
                self._start(notebook)
        else:
            for notebook in self.notebooks[: 1 + AHEAD]:
                self._start(notebook)

    def take(self, notebook):
        """Return the connected kernel of `notebook`, and start those of the next."""
        kernel = self._start(notebook)
        if not self.nursery:
            place = self.notebooks.index(notebook)
            for later in self.notebooks[place + 1 : place + 1 + AHEAD]:
                self._start(later)
        try:
            kernel.connect()
        except RuntimeError:
            # Whatever befell it while it waited, another may have better luck.
            kernel = self._replace(notebook)
            try:
                kernel.connect()
            except RuntimeError as error:
                raise TutorialError(
                    f"The kernel of notebook {notebook.stem} cannot be used: {error}; "
                    "run this again."
                ) from None
        return kernel

    def _replace(self, notebook):
        unusable = self.started.pop(notebook)
        unusable.disconnect()
        unusable.kill()
        with contextlib.suppress(OSError):
            os.unlink(unusable.connection_file)
        with self.stopping.held():
            kernel = self.started[notebook] = OwnProcess(notebook, self.folder)
            kernel.start(self.env)
        return kernel

    def _start(self, notebook):
        if notebook not in self.started:
            with self.stopping.held():
                if self.nursery:
                    kernel = self.nursery.start(notebook)
                else:
                    kernel = OwnProcess(notebook, self.folder)
                    kernel.start(self.env)
                self.started[notebook] = kernel
        return self.started[notebook]

    def kill(self):
        """End every kernel at once; safe to call from a signal handler."""
        for kernel in list(self.started.values()):
            kernel.kill()
        if self.nursery:
            self.nursery.kill()

    def close(self):
        """End every kernel: ask, wait for a moment, then kill."""
        for kernel in self.started.values():
            kernel.retire()
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and any(
            kernel.pid and kernel.poll() is None for kernel in self.started.values()
        ):
            time.sleep(0.02)
        self.kill()
        if self.nursery:
            self.nursery.close()
        for kernel in self.started.values():
            kernel.reap()
        _end_tasks()


def _end_tasks():
    """Cancel what an interruption left unfinished in this thread's event loop."""
    loop = ensure_event_loop()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
