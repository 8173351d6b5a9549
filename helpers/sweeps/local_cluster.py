"""A scheduler and workers on this machine: ``python -m helpers.sweeps.local_cluster``.

They live in a process of their own, so that ending the sweep is ending that process and
all below it: nothing is left to restart a worker, and a Ctrl-C does not reach them.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys

from helpers.batch.orphans import PARENT, end_with_parent
from helpers.errors import TutorialError
from helpers.sweeps.process import places

# What watches thousands of short tasks. Ours are few and long, and need the cores.
_QUIET = {
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.tick.interval": "1s",
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.profile.enabled": False,
}


@contextlib.contextmanager
def local_cluster(count, folder, stopping):
    """Start workers for the length of the block.

    Parameters
    ----------
    count : int
        Workers, each doing one run at a time.
    folder : Path
        For their temporary files.
    stopping : helpers.batch.stopping.Stopping
        When stopped, they end at once.

    Yields
    ------
    str
        The scheduler's address.
    """
    with stopping.held(), open(folder / "cluster.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "helpers.sweeps.local_cluster"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | places(),
            start_new_session=True,
        )
        stopping.at_once.append(lambda: _end(process))
    try:
        with contextlib.suppress(OSError):
            job = {"workers": count, "folder": str(folder)}
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        address = process.stdout.readline().decode().strip()
        if not address:
            said = (folder / "cluster.log").read_text(errors="replace").split("\n")
            last = next((line for line in reversed(said) if line.strip()), "nothing")
            raise TutorialError(
                f"The workers could not be started; the last words were: {last[:300]}"
            )
        yield address
    finally:
        _end(process)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


def _end(process):
    """End a process and all below it, itself first: it would restart workers."""
    import psutil

    with contextlib.suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in below:
            with contextlib.suppress(psutil.Error):
                child.kill()


def main():
    """Run scheduler and workers until standard input ends."""
    end_with_parent(int(os.environ[PARENT]))
    import dask
    import distributed

    job = json.loads(sys.stdin.buffer.readline())
    dask.config.set(_QUIET | {"temporary-directory": job["folder"]})
    cluster = distributed.LocalCluster(
        n_workers=job["workers"],
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=0,  # what needs memory are the runs, in processes of their own
        silence_logs=logging.ERROR,
    )
    print(cluster.scheduler_address, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # the workers notice, and so do their runs


if __name__ == "__main__":
    main()
