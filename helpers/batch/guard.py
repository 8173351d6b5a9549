"""What every command of the batch does around its work: signals, sentences, status."""

import argparse
import os
import sys

from helpers.batch.stopping import RESUME, Stopped, Stopping
from helpers.errors import TutorialError


class UsageError(TutorialError):
    """An option is wrong; nothing was touched."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` instead of ending the program."""

    def error(self, message):
        raise UsageError(f"{message[:1].upper()}{message[1:]}; try --help.")


def guarded(work, advice=RESUME):
    """Do the work of a command so that no traceback reaches its user.

    Parameters
    ----------
    work : callable
        Takes a `Stopping` whose signals are handled; returns the exit status.
    advice : str
        What to do when it was stopped.

    Returns
    -------
    int
        What `work` returns; 2 after a `UsageError`, 1 after another error that has a
        sentence, 128 and the signal's number when stopped.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console may lack a character
    stopping = Stopping(advice)
    try:
        with stopping.handled():
            return work(stopping)
    except Stopped as stopped:
        print(f"\n{stopped}", file=sys.stderr)
        return stopped.status
    except TutorialError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"The run ended: {error}; mend that, run it again.", file=sys.stderr)
        return 1
