"""Ctrl-C and the like: one exception, raised when the kernels are already gone."""

import contextlib
import logging
import signal
import threading

SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


RESUME = "the same command with --resume goes on from here"


class Stopped(BaseException):
    """The run was stopped from outside; not an error of the run.

    Attributes
    ----------
    status : int
        Exit status by the shells' custom: 128 and the number of the signal.
    """

    def __init__(self, number, advice=RESUME):
        super().__init__(f"Stopped by {signal.Signals(number).name}; {advice}.")
        self.status = 128 + number


def _refused(number):
    # `nohup` asks that the end of the terminal be ignored.
    hangup = getattr(signal, "SIGHUP", None)
    return number == hangup and signal.getsignal(number) == signal.SIG_IGN


class Stopping:
    """Handles the signals that stop a run.

    Parameters
    ----------
    advice : str
        How the run can go on.

    Attributes
    ----------
    at_once : list of callable
        Called inside the handler, before the exception is raised: an exception can get
        lost in a callback, a kernel must not.
    """

    def __init__(self, advice=RESUME):
        self._advice = advice
        self.at_once = []
        self.number = None
        self._held = 0

    @contextlib.contextmanager
    def handled(self):
        """Handle the signals inside the block."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python delivers signals to the main thread only
            return
        before = {}
        try:
            for number in SIGNALS:
                if not _refused(number):
                    before[number] = signal.signal(number, self._handle)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self):
        """Let a signal wait until the block is over, as while a process is started."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if not self._held:
                self.check()

    def check(self):
        """Raise `Stopped` if a signal came, even if its exception got lost."""
        if self.number is not None:
            for end in self.at_once:
                end()
            raise Stopped(self.number, self._advice)

    def _handle(self, number, frame):
        first, self.number = self.number is None, number
        # A second Ctrl-C must not disturb the cleaning up after the first.
        if first and not self._held:
            # asyncio would report what interrupts one of its callbacks.
            logging.getLogger("asyncio").disabled = True
            self.check()
