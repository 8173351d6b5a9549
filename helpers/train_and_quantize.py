"""Run all notebooks: ``python -m helpers.train_and_quantize --epochs=5``."""

import sys

from helpers.batch.guard import guarded


def main(arguments=None):
    """Run the notebooks as the command line says.

    Parameters
    ----------
    arguments : list of str, optional
        ``sys.argv[1:]`` unless given.

    Returns
    -------
    int
        Exit status: 0 when every notebook succeeded, 1 when one failed, 2 when an
        option is wrong, 128 and the signal's number when stopped.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    return guarded(lambda stopping: _run(arguments, stopping))


def _run(arguments, stopping):
    from helpers.batch.command_line import parse

    values, options = parse(arguments)

    from helpers.batch.closing import closing_text
    from helpers.batch.runner import run_notebooks

    outcome = run_notebooks(
        values, stopping, resume=options.resume, timeout=options.timeout
    )
    print(closing_text(outcome))
    if outcome.problem:
        print(outcome.problem, file=sys.stderr)
    if options.open:
        import webbrowser

        webbrowser.open((outcome.folder / "report" / "index.html").as_uri())
    return 0 if outcome.complete and not outcome.problem else 1


if __name__ == "__main__":
    sys.exit(main())
