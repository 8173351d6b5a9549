"""Compare parameters: ``python -m helpers.sweep --set epochs=1,5 --set seed=0,1``."""

import sys

from helpers.batch.guard import guarded


def main(arguments=None):
    """Do the runs of a grid as the command line says.

    Parameters
    ----------
    arguments : list of str, optional
        ``sys.argv[1:]`` unless given.

    Returns
    -------
    int
        Exit status: 0 when every run succeeded, 1 when one failed, 2 when an option is
        wrong, 128 and the signal's number when stopped.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    return guarded(
        lambda stopping: _sweep(arguments, stopping),
        advice="what has finished is kept: the same command goes on from here",
    )


def _sweep(arguments, stopping):
    from helpers.sweeps.command_line import parse

    runs, options = parse(arguments)

    from helpers.sweeps.whole import run_sweep

    return run_sweep(runs, options, stopping)


if __name__ == "__main__":
    sys.exit(main())
