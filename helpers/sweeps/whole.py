"""A sweep from its first word on the screen to its last."""

import contextlib
import json

from filelock import FileLock, Timeout

from helpers.batch.stopping import Stopped
from helpers.errors import TutorialError
from helpers.files import (
    explained,
    make_folder,
    remove_leftovers,
    scratch_folder,
    write_atomically,
)
from helpers.sweeps.coordinator import Coordinator, pending_runs
from helpers.sweeps.estimate import estimate, in_words
from helpers.sweeps.identity import run_id
from helpers.sweeps.results import (
    DONE,
    FAILED,
    Results,
    as_asked_now,
    keep_run,
    kept_row,
)
from helpers.sweeps.shared_work import data_key, prepare_data
from helpers.sweeps.view import View

_LISTED = 20  # runs that --dry-run lists


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
    print(_foretold(runs, to_do, before.values(), options), flush=True)
    if options.dry_run:
        print(_list(runs, before))
        return 0
    make_folder(options.out)
    with _owned(options.out), scratch_folder(options.out) as scratch:
        try:
            results = _do(runs, options, stopping, scratch)
        except Stopped as stopped:
            stopped.args = (f"{str(stopped).split(';')[0]}; {_GO_ON}",)
            raise
    print(_closing(results, options), flush=True)
    return 0 if all(row["status"] == DONE for row in results.ordered()) else 1


_GO_ON = "what has finished is kept: the same command goes on from here."


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
            from helpers.sweeps.cluster import workers

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
    with contextlib.suppress(OSError, ValueError):
        return json.loads(_identities_path(out).read_bytes())
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


def _foretold(runs, to_do, rows, options):
    count = f"{len(runs)} run{'s' if len(runs) != 1 else ''}"
    if len(to_do) < len(runs):
        count += f", {len(runs) - len(to_do)} of them finished before"
    if not to_do:
        return f"{count}: nothing to do."
    total, longest = estimate(to_do, rows)
    if options.scheduler:
        return (
            f"{count}: about {in_words(total)} of computing, divided among the workers "
            f"of {options.scheduler}, {_threads(options)} each."
        )
    slots = options.workers
    wall = max(total / slots, longest)
    return (
        f"{count}: about {in_words(wall)} on {slots} worker{'s' if slots > 1 else ''}, "
        f"{_threads(options)} each."
    )


def _threads(options):
    return f"{options.threads} thread{'s' if options.threads > 1 else ''}"


def _list(runs, before):
    lines = [
        f"  {run.label}{' (finished)' if index in before else ''}"
        for index, run in enumerate(runs[:_LISTED])
    ]
    if len(runs) > _LISTED:
        lines.append(f"  … and {len(runs) - _LISTED} more")
    return "\n".join(lines)


def _closing(results, options):
    rows = results.ordered()
    failed = [row for row in rows if row["status"] == FAILED]
    lines = ["", f"{len(rows) - len(failed)} of {len(rows)} runs succeeded."]
    best = max(
        (row for row in rows if "board_accuracy" in row),
        key=lambda row: row["board_accuracy"],
        default=None,
    )
    if best:
        lines.append(
            f"Best: {best['board_accuracy']:.2f} % on {best.get('board_runtime')}, "
            f"{best['model_bytes']:,} bytes, "
            f"in {options.out.as_posix()}/runs/{best['run']}/published/"
        )
    for row in failed[:5]:
        lines.append(f"Failed: {row['run']}: {row['error']}")
    if len(failed) > 5:
        lines.append(f"… and {len(failed) - 5} more, see sweep.csv.")
    lines.append("Written:")
    lines += [f"  {options.out.as_posix()}/{n}" for n in ("sweep.csv", "sweep.html")]
    return "\n".join(lines)
