"""One run in a process of its own: ``python -m helpers.sweeps.process``.

The job is a line of JSON on standard input; the answer is one on standard output. The
process ends when its input does, and so with the one that started it.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict

from helpers.batch.guard import guarded
from helpers.batch.orphans import PARENT, end_with_parent
from helpers.errors import TutorialError
from helpers.paths import NOTEBOOKS, python_path


def run_in_process(
    job, artifacts, threads, on_line=lambda line: None, wanted=lambda: True
):
    """Run notebooks in a process of their own and wait for it.

    Parameters
    ----------
    job : dict
        ``values`` of all parameters; ``count``: how many notebooks, from the first;
        ``resume``, ``own_data``, ``timeout`` and ``pages``: see
        `helpers.batch.runner`.
    artifacts : Path
        Takes the place of ``artifacts/``.
    threads : int
        That TensorFlow and the libraries below it may use.
    on_line : callable, optional
        Called with each line of progress.
    wanted : callable, optional
        Asked every second; once it says False, the process is ended.

    Returns
    -------
    dict
        ``problem``, an empty text if all went well, ``results`` of the notebooks as in
        `helpers.batch.runner.Result`, and ``seconds``.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "helpers.sweeps.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=thread_settings(threads)
        | places()
        | {"ARTIFACTS_DIR": str(artifacts.resolve())},
        # A Ctrl-C is meant for the sweep, which then ends its runs itself.
        start_new_session=True,
    )
    last = ""
    with process, _watched(process, wanted):
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            for line in process.stderr:
                last = line.strip() or last
                on_line(line.strip())
            answer = process.stdout.read()
        except OSError:
            answer = ""
        except BaseException:
            process.kill()
            raise
    try:
        return json.loads(answer)
    except ValueError:
        status = process.wait()
        said = f" (its last words: {last[:300]})" if last else ""
        return {
            "problem": f"The process of the run ended with status {status}{said}.",
            "results": [],
            "seconds": 0.0,
        }


@contextlib.contextmanager
def _watched(process, wanted):
    over = threading.Event()

    def watch():
        while not over.wait(1.0):
            if not wanted():
                process.kill()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def thread_settings(threads):
    """Return the environment of a process that may compute with so many threads.

    Results depend on that number: floats are added up in another order.
    """
    number = str(threads)
    return os.environ | {
        "TF_NUM_INTRAOP_THREADS": number,
        "TF_NUM_INTEROP_THREADS": number,
        "OMP_NUM_THREADS": number,
        "OPENBLAS_NUM_THREADS": number,
    }


def places():
    """Return the environment that makes a process use these helpers and notebooks."""
    return {
        "NOTEBOOKS_DIR": str(NOTEBOOKS),
        "PYTHONPATH": python_path(),
        "PYTHONIOENCODING": "utf-8",
        PARENT: str(os.getpid()),
    }


def main():
    """Do the job that standard input asks for."""
    end_with_parent(int(os.environ[PARENT]))
    job = _line()
    threading.Thread(target=_end_with_input, daemon=True).start()
    return guarded(lambda stopping: _work(json.loads(job), stopping))


def _work(job, stopping):
    from helpers.batch.runner import run_notebooks
    from helpers.parameters import notebook_paths

    try:
        outcome = run_notebooks(
            job["values"],
            stopping,
            resume=job["resume"],
            own_data=job["own_data"],
            timeout=job["timeout"],
            notebooks=notebook_paths()[: job["count"]],
            make_pages=job["pages"],
        )
        answer = {
            "problem": outcome.problem,
            "results": [asdict(result) for result in outcome.results],
            "seconds": outcome.seconds,
        }
    except TutorialError as error:
        answer = {"problem": str(error), "results": [], "seconds": 0.0}
    print(json.dumps(answer), flush=True)
    return 0


def _line():
    # Without Python's buffer: a thread that waits in it would hinder the exit.
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1 << 16)
        if not piece:
            raise SystemExit(1)
        line += piece
    return line


def _end_with_input():
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
