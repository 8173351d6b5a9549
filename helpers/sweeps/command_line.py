"""The options of ``python -m helpers.sweep``."""

import argparse
from pathlib import Path

from helpers.batch.command_line import declared_parameters
from helpers.batch.guard import Parser, UsageError, whole_number
from helpers.sweeps.grid import RECIPE, planned_runs
from helpers.versions import usable_cores

_EXAMPLES = """examples:
  python -m helpers.sweep --set epochs=1,5 --set head=conv,dense --set seed=0,1,2
  python -m helpers.sweep --from grid.csv --set dataset=mnist_5k --dry-run
  python -m helpers.sweep --set seed=0,1,2,3 --scheduler tcp://head-node:8786

The same command again goes on where it was interrupted: what has finished is kept,
what has failed is tried again. A run has finished for good if its parameters, the
content of its dataset and the code that computes are what they were.

parameters to vary:
"""
_EXIT = """
exit status:
  0    every run succeeded, now or before
  1    a run failed, or the sweep could not be done (the sentence says why)
  2    an option is wrong; nothing was touched
  130  stopped by Ctrl-C (128 and the signal's number for other signals)"""


def parse(arguments):
    """Return what a command line asks for.

    Parameters
    ----------
    arguments : list of str

    Returns
    -------
    runs : list of helpers.sweeps.grid.Planned
    options : argparse.Namespace
        ``workers``, ``threads``, ``scheduler``, ``out`` (Path), ``retries``,
        ``timeout``, ``pages`` and ``dry_run``.

    Raises
    ------
    UsageError
        If an option is unknown, has a wrong value, or has none.
    """
    declared = {name: found for name, (found, _) in declared_parameters().items()}
    options = _parser(declared).parse_args(arguments)
    if options.scheduler and options.workers:
        raise UsageError(
            "--workers starts workers on this machine and --scheduler uses those of a "
            "cluster; give one of them."
        )
    if not options.set and not options.table:
        raise UsageError(
            "Nothing is varied; write for example --set epochs=1,5 --set seed=0,1,2, "
            "or --from grid.csv; --help lists the parameters."
        )
    runs = planned_runs(options.set, options.table, declared)
    cores = usable_cores()
    if not options.scheduler:
        options.workers = min(options.workers or cores, len(runs))
    if not options.threads:
        options.threads = max(1, cores // options.workers) if options.workers else 1
    options.out = Path(options.out)
    if options.out.exists() and not options.out.is_dir():
        raise UsageError(f"--out {options.out} is a file; name a folder.")
    return runs, options


def _parser(declared):
    parser = Parser(
        prog="python -m helpers.sweep",
        description="Run the notebooks for every combination of parameters, several "
        "runs at once,\nand compare the results in sweep.csv and sweep.html.",
        epilog=_EXAMPLES + _help(declared) + _EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    group = parser.add_argument_group("the grid")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE,…",
        help="values of a parameter; repeat it for others: each combination is a run",
    )
    group.add_argument(
        "--from",
        dest="table",
        metavar="FILE.csv",
        help="one run a line under a line of parameter names; empty means default",
    )
    group = parser.add_argument_group("where")
    group.add_argument(
        "--workers",
        type=whole_number(1, 1024),
        metavar="N",
        help="runs at once on this machine [1 to 1024; default: number of cores]",
    )
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster, such as tcp://host:8786, whose workers to use instead",
    )
    group.add_argument(
        "--threads",
        type=whole_number(1, 1024),
        metavar="N",
        help="that each run computes with; other numbers give slightly other models "
        "[1 to 1024; default: a worker's share of the cores; 1 with --scheduler]",
    )
    group = parser.add_argument_group("the sweep")
    group.add_argument(
        "--out",
        default="sweep",
        metavar="FOLDER",
        help="where results go [default: sweep]",
    )
    group.add_argument(
        "--retries",
        type=whole_number(0, 100),
        default=1,
        metavar="N",
        help="how often a failed run is tried again [0 to 100; default 1]",
    )
    group.add_argument(
        "--timeout",
        type=whole_number(1, 10**6),
        metavar="SECONDS",
        help="a run fails when one cell takes longer [1 to 1000000; default: no limit]",
    )
    group.add_argument(
        "--pages",
        action="store_true",
        help="also make the pages of each run, as a single run does",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="show the runs and an estimate of the time, and do nothing",
    )
    group.add_argument("-h", "--help", action="help", help="show this text")
    return parser


def _help(declared):
    width = max(map(len, declared))
    lines = [
        f"  {name:<{width}}  {parameter.help} "
        f"[{f'{parameter.accepts}; ' if parameter.accepts else ''}"
        f"default {parameter.default}]\n"
        for name, parameter in declared.items()
    ]
    lines.append(f"  {RECIPE:<{width}}  what applies where nothing else is said ")
    return "".join(lines) + "[default or original]\n"
