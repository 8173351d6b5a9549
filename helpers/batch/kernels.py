"""The kernels of a batch run: started ahead of need, and none is left behind.

On Linux they come from one `nursery`; elsewhere each is a process of its own, started
two notebooks ahead. Both end by themselves when the runner is gone.
"""

import asyncio
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.launcher import launch_kernel
from jupyter_core.utils import run_sync

from helpers.batch.environment import environment
from helpers.batch.imports import uses_tensorflow
from helpers.errors import TutorialError
from helpers.paths import shown

AHEAD = 2  # notebooks; where each kernel is a process of its own
_PATIENCE = 2.0  # seconds that a kernel may take to shut down
_STARTUP = 120  # seconds that a kernel may take to answer, imports included


class Kernel:
    """One kernel: its process, its connection, its client.

    It stands where nbclient expects a kernel manager.
    """

    has_kernel = True

    def __init__(self, notebook, folder):
        self.notebook = notebook
        self.key = notebook.stem
        self.connection_file = str(folder / f"{self.key}.json")
        self.log_file = folder / f"{self.key}.log"
        self.client = None
        self.pid = None
        self.returncode = None

    def poll(self):
        """Return the exit status, negative for a signal, or None while it runs."""
        return self.returncode

    def connect(self):
        """Return a client of the kernel as soon as that answers."""
        self.client = _Client(self)
        run_sync(self.client.ready)()
        return self.client

    def kill(self):
        """End it and what it started, at once."""
        if self.pid and self.poll() is None:
            with contextlib.suppress(OSError):
                if os.name == "posix":
                    os.killpg(self.pid, signal.SIGKILL)
                else:
                    os.kill(self.pid, signal.SIGTERM)  # TerminateProcess

    def retire(self):
        """Ask it to end, and do not wait until it has."""
        if not self.disconnect():
            self.kill()  # it has done nothing that needs an orderly end
        elif self.pid and self.poll() is None:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGTERM)

    def disconnect(self):
        """Close the connection; return whether there was one."""
        client, self.client = self.client, None
        connected = client is not None and client.channels_running
        if connected:
            client.stop_channels()
        return connected

    def death(self):
        """Return what ended it, in words, and the last line that it wrote."""
        code, words = self.poll(), "ended unexpectedly"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                words = f"was killed by {signal.Signals(-code).name}"
            if code == -9:  # SIGKILL, which Windows does not know
                words += ", as systems do when memory runs out"
        elif code:
            words = f"ended unexpectedly with status {code}"
        with contextlib.suppress(OSError):
            lines = self.log_file.read_text(errors="replace").split("\n")
            said = [line.strip() for line in lines if line.strip()]
            if said and code != -9:
                words += f" (its last words: {said[-1][:200]})"
        return words


class _OwnProcess(Kernel):
    """A kernel in a process that the runner starts; works on every system."""

    process = None

    def start(self, env):
        command = [sys.executable, "-P", "-m", "helpers.batch.kernel"]
        with open(self.log_file, "wb") as log:
            self.process = launch_kernel(
                [*command, str(self.notebook), self.connection_file],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(env),
            )
        self.pid = self.process.pid

    def poll(self):
        return self.process and self.process.poll()


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
        self.nursery = _Nursery(folder, self.env) if forks and self.notebooks else None
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
            kernel = self.started[notebook] = _OwnProcess(notebook, self.folder)
            kernel.start(self.env)
        return kernel

    def _start(self, notebook):
        if notebook not in self.started:
            with self.stopping.held():
                if self.nursery:
                    kernel = self.nursery.start(notebook)
                else:
                    kernel = _OwnProcess(notebook, self.folder)
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
            if isinstance(kernel, _OwnProcess):
                kernel.process.wait()
        _end_tasks()


class _Nursery:
    """The runner's end of the process that forks the kernels."""

    def __init__(self, folder, env):
        self.folder = folder
        self.kernels = {}
        with open(folder / "nursery.log", "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "helpers.batch.nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=env,
                start_new_session=True,
            )
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def start(self, notebook):
        kernel = self.kernels[notebook.stem] = Kernel(notebook, self.folder)
        request = {
            "key": kernel.key,
            "notebook": str(notebook),
            "connection_file": kernel.connection_file,
            "log": str(kernel.log_file),
        }
        with contextlib.suppress(BrokenPipeError):  # the listener marks them as dead
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        return kernel

    def _listen(self):
        by_pid = {}
        for line in self.process.stdout:
            fact = json.loads(line)
            if "key" in fact:
                by_pid[fact["pid"]] = self.kernels[fact["key"]]
                by_pid[fact["pid"]].pid = fact["pid"]
            elif fact["pid"] in by_pid:
                by_pid[fact["pid"]].returncode = fact["returncode"]
        status = self.process.wait()
        for kernel in self.kernels.values():  # they die with the nursery
            if kernel.returncode is None:
                kernel.returncode = status

    def kill(self):
        self.process.kill()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.listener.join(timeout=5)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


class _Client(AsyncKernelClient):
    """A client that knows its kernel's process, and is ready without idle waits."""

    def __init__(self, kernel):
        super().__init__()
        self.kernel = kernel

    async def is_alive(self):
        return self.kernel.poll() is None

    async def ready(self):
        """Wait until the kernel answers and its output messages arrive."""
        deadline = time.monotonic() + _STARTUP
        while not self._connected():
            await asyncio.sleep(0.01)
            await self._check(deadline)
        self.start_channels()
        while True:
            self.kernel_info()
            try:
                await self.shell_channel.get_msg(timeout=0.5)
                # A subscription takes effect a moment after the connection.
                await self.iopub_channel.get_msg(timeout=0.1)
                return
            except queue.Empty:
                await self._check(deadline)

    def _connected(self):
        # The kernel chooses its ports and writes the file: were they chosen for it,
        # another program could take them before it does.
        try:
            self.load_connection_file(self.kernel.connection_file)
        except (OSError, ValueError):  # not there, or only half of it
            return False
        return True

    async def _check(self, deadline):
        folder = os.path.dirname(self.kernel.connection_file)
        if not os.path.isdir(folder):  # where it would have said how to reach it
            run = os.path.dirname(folder)
            raise TutorialError(
                f"Cannot go on in {shown(run)}: No such file or directory; the folder "
                "was removed meanwhile: run this again."
            )
        if not await self.is_alive():
            raise RuntimeError(f"it {self.kernel.death()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"it did not answer within {_STARTUP} seconds")


def _end_tasks():
    """Cancel what an interruption left unfinished in this thread's event loop."""
    from jupyter_core.utils import ensure_event_loop

    loop = ensure_event_loop()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
