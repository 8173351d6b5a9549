"""One kernel, as the runner sees it."""

import contextlib
import os
import signal
import subprocess
import sys

from jupyter_client.launcher import launch_kernel
from jupyter_core.utils import run_sync

from helpers.batch.kernel_client import KernelClient


class Kernel:
    """One kernel: its process, its connection, its client.

    It stands where nbclient expects a kernel manager.

    Parameters
    ----------
    notebook : Path
        Whose imports it makes beforehand.
    folder : Path
        Folder for its connection file and its log.
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
        self.client = KernelClient(self)
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

    def reap(self):
        """Wait until it has ended; whoever started its process does that."""

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


class OwnProcess(Kernel):
    """A kernel in a process that the runner starts; works on every system."""

    process = None

    def start(self, env):
        """Start it with the environment `env`."""
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
        """Return the exit status, negative for a signal, or None while it runs."""
        return self.process and self.process.poll()

    def reap(self):
        """Wait until it has ended."""
        self.process.wait()
