"""What a sweep prints before it starts and when all is done."""

from helpers.sweeps.estimate import estimate, in_words
from helpers.sweeps.results import FAILED

_LISTED = 20  # runs that --dry-run lists


def foretold(runs, to_do, rows, options):
    """Return how many runs there are and about how long they will take.

    Parameters
    ----------
    runs, to_do : list of helpers.sweeps.grid.Planned
        All, and those that have not finished yet.
    rows : iterable of dict
        Of those that have.
    options : argparse.Namespace
        See `helpers.sweeps.command_line.parse`.
    """
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


def listed(runs, before):
    """Return the runs as lines.

    Parameters
    ----------
    runs : list of helpers.sweeps.grid.Planned
    before : collection of int
        Places of those that have finished before.
    """
    lines = [
        f"  {run.label}{' (finished)' if index in before else ''}"
        for index, run in enumerate(runs[:_LISTED])
    ]
    if len(runs) > _LISTED:
        lines.append(f"  … and {len(runs) - _LISTED} more")
    return "\n".join(lines)


def closing(results, options):
    """Return what came of a sweep, and where it is written.

    Parameters
    ----------
    results : helpers.sweeps.results.Results
    options : argparse.Namespace
        Its ``out``.
    """
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
