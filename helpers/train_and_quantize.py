"""Run all notebooks: ``python -m helpers.train_and_quantize --epochs=5``."""

import os
import sys

from helpers.batch.stopping import Stopped, Stopping
from helpers.errors import TutorialError


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
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console may lack a character
    stopping = Stopping()
    try:
        with stopping.handled():
            return _run(sys.argv[1:] if arguments is None else arguments, stopping)
    except Stopped as stopped:
        print(f"\n{stopped} Published files are as they were.", file=sys.stderr)
        return stopped.status
    except TutorialError as error:
        from helpers.batch.command_line import UsageError

        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"The run ended: {error}; mend that and run this again.", file=sys.stderr)
        return 1


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
