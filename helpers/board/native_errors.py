"""What native code writes when it refuses a model, kept for a sentence."""

import contextlib
import os
import sys
import tempfile

from helpers.errors import TutorialError
from helpers.paths import printable


@contextlib.contextmanager
def explained(name):
    """Turn a native runtime's refusal into a sentence with what it wrote to stderr."""
    with captured_stderr() as text:
        try:
            yield
        except TutorialError:
            raise
        except Exception as error:  # the runtimes' wrappers raise whatever comes
            reasons = [*text().splitlines(), str(error)]
            reason = printable("; ".join(r.strip() for r in reasons if r.strip()))
            raise TutorialError(
                f"{name} cannot run this model: {reason.rstrip('.')}."
            ) from error


@contextlib.contextmanager
def captured_stderr():
    """Keep what native code writes to descriptor 2; yields a function that reads it."""
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(tempfile.TemporaryFile())
        if sys.stderr is not None:
            sys.stderr.flush()
        with contextlib.suppress(OSError):  # a program without a terminal
            saved = os.dup(2)
            os.dup2(held.fileno(), 2)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, 2)

        def text():
            held.seek(0)
            return held.read().decode(errors="replace")

        yield text
