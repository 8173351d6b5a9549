"""What every command of the batch does around its work: signals, sentences, status."""

import argparse
import os
import sys

from helpers.batch.stopping import RESUME, Stopped, Stopping
from helpers.errors import TutorialError
from helpers.paths import shorten


class UsageError(TutorialError):
    """An option is wrong; nothing was touched."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` instead of ending the program."""

    def error(self, message):
        if len(message) > 400:  # it repeats what was typed
            message = f"{message[:200]}…{message[-200:]}"
        raise UsageError(f"{message[:1].upper()}{message[1:]}; try --help.")


def whole_number(low, high, unit=""):
    """Return a function that makes a whole number of an option's text.

    Parameters
    ----------
    low, high : int
        The smallest and the largest that it accepts.
    unit : str, optional
        Of what, for the sentence about anything else.
    """

    def parse_number(text):
        plain = text.isascii() and text.isdigit()
        if not plain or not low <= int(text[:9]) <= high:
            of_what = f" of {unit}" if unit else ""
            raise argparse.ArgumentTypeError(
                f"{shorten(text)} is not a whole number{of_what} from {low} to {high}"
            )
        return int(text)

    return parse_number


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
