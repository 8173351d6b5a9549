"""Kernels from one process that imports once: ``python -m helpers.batch.nursery``.

Each kernel of its own would import NumPy, Matplotlib and TensorFlow anew: some twenty
seconds of computing for six notebooks. The nursery imports what the next notebook needs
and forks, so that all are paid for once. Requests come as lines of JSON on standard
input; on standard output it tells of births and deaths.

Linux only: on other systems forking after such imports is not safe.
"""

import atexit
import contextlib
import gc
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import traceback

from helpers.batch.imports import import_for
from helpers.batch.kernel import main as run_kernel
from helpers.batch.kernel_process import Kernel
from helpers.batch.orphans import PARENT, end_with_parent


class Nursery:
    """The runner's end of the process that forks the kernels.

    Parameters
    ----------
    folder : Path
        Folder for connection files and logs.
    env : dict
        Environment of the kernels.
    """

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
        """Ask for a kernel of `notebook` and return it; it will be born in a while."""
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
        """End it at once, and with it all kernels."""
        self.process.kill()

    def close(self):
        """End it and wait until it has ended."""
        self.process.kill()
        self.process.wait()
        self.listener.join(timeout=5)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


def main():
    """Fork a kernel for each request until standard input ends."""
    end_with_parent(int(os.environ[PARENT]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, reports = os.dup(0), os.dup(1)
    # Kernels must not read requests, and what a library prints is no report.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    import ipykernel.debugger  # all kernels need these, so load them once
    import ipykernel.kernelapp  # noqa: F401

    wake, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    descriptors = (requests, reports, wake, alarm)
    lines = _Lines(requests)
    while True:
        ready = {key.fd for key, _ in selector.select()}
        if wake in ready:
            os.read(wake, 1024)
        if requests in ready and not lines.fill():
            return
        _tell_deaths(reports)
        for request in lines:
            import_for(request["notebook"])
            _fork(request, reports, inherited=(*descriptors, selector.fileno()))
            _tell_deaths(reports)


class _Lines:
    """Whole lines of JSON from a file descriptor, as they arrive."""

    def __init__(self, descriptor):
        self.descriptor, self.rest = descriptor, b""

    def fill(self):
        data = os.read(self.descriptor, 65536)
        self.rest += data
        return bool(data)

    def __iter__(self):
        while b"\n" in self.rest:
            line, _, self.rest = self.rest.partition(b"\n")
            yield json.loads(line)


def _fork(request, reports, inherited):
    gc.freeze()  # what is shared now need never be copied by the collector
    nursery = os.getpid()
    child = os.fork()
    if child:
        _tell(reports, {"key": request["key"], "pid": child})
        return
    try:
        os.setsid()
        end_with_parent(nursery)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor in inherited:
            os.close(descriptor)
        _write_to(request["log"])
        os.environ["JPY_PARENT_PID"] = str(nursery)
        _new_random_state()
        run_kernel(request["notebook"], request["connection_file"])
    except SystemExit:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()  # an orderly end, as of any program
        status = 0
    except BaseException:
        traceback.print_exc()
        status = 1
    os._exit(status)


def _write_to(log):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)


def _new_random_state():
    # Forked kernels would all draw the same "random" numbers.
    numpy = sys.modules.get("numpy")
    if numpy:
        numpy.random.seed()


def _tell_deaths(reports):
    with contextlib.suppress(ChildProcessError):
        while True:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            code = os.waitstatus_to_exitcode(status)
            _tell(reports, {"pid": child, "returncode": code})


def _tell(reports, fact):
    os.write(reports, json.dumps(fact).encode() + b"\n")


if __name__ == "__main__":
    main()
