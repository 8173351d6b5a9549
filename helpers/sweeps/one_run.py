"""What a worker does: one run, from the files that it is sent to those it returns."""

import contextlib
import functools
import json
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from helpers.errors import TutorialError
from helpers.files import explained, make_folder
from helpers.fingerprint import code_fingerprint
from helpers.sweeps.bundles import link_or_copy, pack, unpack
from helpers.sweeps.process import run_in_process
from helpers.versions import libraries

TOPIC = "tutorial-sweep"  # of the events that tell what is running
DATA, TRAINING = ("01", "02"), ("03", "04")  # notebooks whose artifacts runs may share
GOOD = ("done", "kept")  # states of a notebook whose artifacts can be used
_unpacking = threading.Lock()  # a worker may run several runs, each in a thread


def do_run(job, data, earlier=None):
    """Do one run; called by Dask on a worker.

    Parameters
    ----------
    job : dict
        ``id``, ``values``, ``data_key``, ``threads``, ``timeout``, ``pages``, ``keep``
        (whether the training is returned for others to go on from), ``code`` and
        ``libraries`` (what the one who asks has).
    data : dict of str to bytes
        The artifacts of notebooks 01 and 02.
    earlier : dict, optional
        What this function returned for a run with the same training.

    Returns
    -------
    dict
        ``problem`` (an empty text if all went well), ``files`` to keep, ``training``
        (artifacts of notebooks 03 and 04, or None), ``seconds``, ``started`` (seconds
        since 1970), ``worker`` and ``notebooks`` (seconds by stem).
    """
    started = time.time()
    answer = {"files": {}, "training": None, "notebooks": {}, "started": started}
    try:
        _check_same(job)
        scratch, answer["worker"] = _place()
        root = Path(tempfile.mkdtemp(prefix=f"run-{job['id']}-", dir=scratch))
        try:
            answer |= _run_in(root, scratch, job, data, (earlier or {}).get("training"))
        finally:
            shutil.rmtree(root, ignore_errors=True)
    except TutorialError as error:
        answer["problem"] = str(error)
    except OSError as error:
        answer["problem"] = f"The worker could not do the run: {error}."
    return answer | {"seconds": time.time() - started}


def _run_in(root, scratch, job, data, training):
    folder = root / job["values"]["save_model_name"]
    prepared = _unpacked(data, scratch / f"data-{job['data_key']}")
    with explained("write", folder):
        shutil.copytree(prepared, folder, copy_function=link_or_copy)
    if training:
        unpack(training, folder)
    tell = functools.partial(_tell, job["id"])
    tell("")
    # What 01 and 02 made was sent here: no file of this machine has a part in it.
    task = {"count": None, "resume": True, "own_data": False} | {
        key: job[key] for key in ("values", "timeout", "pages")
    }
    outcome = run_in_process(task, root, job["threads"], tell, _still_wanted())
    ready = [r["notebook"][:2] for r in outcome["results"] if r["status"] in GOOD]
    trained = set(ready).issuperset(TRAINING)
    keep = trained and (job["keep"] or outcome["problem"])
    return {
        "problem": outcome["problem"],
        "files": _results(folder, outcome),
        "training": pack(folder, made_by(folder, TRAINING)) if keep else None,
        "notebooks": {
            r["notebook"]: r["seconds"]
            for r in outcome["results"]
            if r["status"] in ("done", "failed")
        },
    }


def made_by(folder, numbers):
    """Return the paths of what notebooks have made and of their executed copies.

    Parameters
    ----------
    folder : Path
        The run's folder.
    numbers : iterable of str
        First two digits of the notebooks.
    """
    paths = []
    for number in numbers:
        paths += sorted(folder.glob(f"{number}_*"))
        paths += sorted((folder / "notebooks").glob(f"{number}_*.ipynb"))
    return paths


def _results(folder, outcome):
    """Return what is worth keeping of a run: what it published, or where it failed."""
    if not outcome["problem"]:
        return pack(folder, [folder / "published", folder / "report"])
    failed = [r["notebook"] for r in outcome["results"] if r["status"] == "failed"]
    paths = [folder / "notebooks" / f"{stem}.ipynb" for stem in failed]
    return pack(folder, [path for path in paths if path.exists()])


def _unpacked(data, folder):
    """Return a folder with the artifacts of 01 and 02, written once by each worker."""
    with _unpacking:
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            unpack(data, partial)
            os.replace(partial, folder)
    return folder


def _check_same(job):
    wanted, found = job["libraries"], libraries()
    for name in wanted:
        if found[name] != wanted[name]:
            raise TutorialError(
                f"The worker has {name} {found[name]}, but the sweep {wanted[name]}; "
                "results would not compare: install the same version on both."
            )
    if code_fingerprint() != job["code"]:
        raise TutorialError(
            "The worker has another version of this repository than the sweep; results "
            "would not compare: update it there and restart the worker."
        )


def _place():
    """Return this worker's folder for temporary files, and its name."""
    from distributed import get_worker

    worker = get_worker()
    folder = Path(worker.local_directory).resolve() / "tutorial"
    make_folder(folder)
    return folder, str(worker.address)


def _still_wanted():
    """Return a function that says whether anybody waits for what this thread does.

    Dask cannot interrupt a thread: after a Ctrl-C of the sweep, or when the scheduler
    is gone, a run would go on in vain.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def wanted():
        task = worker.state.tasks.get(key)
        ending = worker.status.name in ("closing", "closed", "failed")
        return task is not None and task.state != "cancelled" and not ending

    return wanted


def _tell(run, line):
    """Let the sweep know what goes on here; that it cannot is no reason to fail."""
    from distributed import get_worker

    with contextlib.suppress(Exception):
        worker = get_worker()
        event = {"run": run, "line": line, "worker": str(worker.address)}
        worker.log_event(TOPIC, json.dumps(event))
