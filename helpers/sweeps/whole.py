"""A sweep from its first word on the screen to its last."""

import contextlib
import json

from filelock import FileLock, Timeout

from helpers.errors import TutorialError
from helpers.files import (
    explained,
    make_folder,
    remove_leftovers,
    scratch_folder,
    write_atomically,
)
from helpers.sweeps.cluster import workers
from helpers.sweeps.coordinator import Coordinator, pending_runs
from helpers.sweeps.identity import run_id
from helpers.sweeps.results import DONE, Results, as_asked_now, keep_run, kept_row
from helpers.sweeps.shared_work import data_key, prepare_data
from helpers.sweeps.view import View
from helpers.sweeps.words import closing, foretold, listed


def run_sweep(runs, options, stopping):
    """Do the runs of a grid that have not finished yet.

    Parameters
    ----------
    runs : list of helpers.sweeps.grid.Planned
    options : argparse.Namespace
        See `helpers.sweeps.command_line.parse`.
    stopping : helpers.batch.stopping.Stopping

    Returns
    -------
    int
        Exit status.
    """
    known = _known_identities(options.out)
    before = {
        index: row
        for index, run in enumerate(runs)
        if (identity := known.get(data_key(run.values)))
        and (row := kept_row(options.out / "runs", run_id(run.values, identity)))
        and row["status"] == DONE
    }
    to_do = [run for index, run in enumerate(runs) if index not in before]
    print(foretold(runs, to_do, before.values(), options), flush=True)
    if options.dry_run:
        print(listed(runs, before))
        return 0
    make_folder(options.out)
    with _owned(options.out), scratch_folder(options.out) as scratch:
        if options.scheduler and to_do:
            _try_scheduler(options, scratch, stopping)
        results = _do(runs, options, stopping, scratch)
    print(closing(results, options), flush=True)
    return 0 if all(row["status"] == DONE for row in results.ordered()) else 1


def _do(runs, options, stopping, scratch):
    datasets = _prepare(runs, options, scratch)
    wanted, ids = [], []
    for run in runs:
        data = datasets[data_key(run.values)]
        ids.append(run_id(run.values, data.identity))
        wanted.append((ids[-1], run, data))
    _check_different(runs, ids)
    results = Results(options.out, ids)
    for identity, run, data in list(wanted):
        row = kept_row(options.out / "runs", identity)
        if row and row["status"] == DONE:
            results.rows[identity] = as_asked_now(row, run)
        elif data.problem:
            results.rows[identity] = _never_begun(identity, run, data, options)
    pending = pending_runs([job for job in wanted if job[0] not in results.rows])
    view = View(len(pending))
    try:
        results.write()
        if pending:
            with workers(options, scratch, stopping) as client:
                Coordinator(client, options, results, view).do(pending)
    except TutorialError:
        _write_page(results, options)
        raise
    finally:
        view.close()
        results.write()
    # Not when stopped: whoever presses Ctrl-C does not want to wait for pictures.
    _write_page(results, options)
    return results


def _try_scheduler(options, scratch, stopping):
    """Tell at once, before datasets are prepared, if no cluster is at the address."""
    with workers(options, scratch, stopping):
        pass


def _check_different(runs, ids):
    """Refuse runs that turn out to be the same when their images are known."""
    first = {}
    for run, identity in zip(runs, ids, strict=True):
        if identity in first:
            raise TutorialError(
                f"The runs {first[identity].label} and {run.label} are the same: their "
                "datasets have the same images; leave one of them out."
            )
        first[identity] = run


def _prepare(runs, options, scratch):
    """Load and pre-process each dataset once; keep in mind what it turned out to be."""
    datasets, identities = {}, {}
    for run in runs:
        key = data_key(run.values)
        if key not in datasets:
            datasets[key] = data = prepare_data(run.values, scratch, options.threads)
            if not data.problem:
                identities[key] = data.identity
    text = json.dumps(identities, indent=1)
    write_atomically(_identities_path(options.out), text.encode())
    return datasets


def _identities_path(out):
    return out / "datasets.json"


def _known_identities(out):
    """Return what datasets turned out to be in the last sweep with this folder."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        known = json.loads(_identities_path(out).read_bytes())
        return known if isinstance(known, dict) else {}
    return {}


def _never_begun(identity, run, data, options):
    answer = {"problem": data.problem, "files": {}}
    facts = {"attempts": 1, "threads": options.threads}
    return keep_run(options.out / "runs", identity, run, answer, **facts)


def _write_page(results, options):
    from helpers.sweeps.page import write_page

    write_page(options.out / "sweep.html", results.ordered(), len(results.order))


@contextlib.contextmanager
def _owned(out):
    """Be the only sweep that writes into this folder."""
    lock = FileLock(out / ".lock")
    with explained("lock", out):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise TutorialError(
                f"Another sweep is writing into {out}; wait for it, or name another "
                "folder with --out."
            ) from None
    try:
        remove_leftovers(out)
        if (out / "runs").exists():
            remove_leftovers(out / "runs")
        yield
    finally:
        lock.release()
