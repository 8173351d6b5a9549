"""What a sweep shows while it runs: a bar on a terminal, lines in a log."""

import sys
import time

from tqdm import tqdm

_NAMES = 3  # runs named on a line; of more only the number is said
_SOON = 5  # seconds until a log says for the first time what is running
_SILENCE = 30  # seconds after which a log gets a line though nothing has ended


class View:
    """Tells what has ended and what is running.

    Parameters
    ----------
    total : int
        Runs to do.
    stream : file, optional
        ``sys.stderr`` unless given.
    """

    def __init__(self, total, stream=None):
        self.total, self.done = total, 0
        self.stream = stream or sys.stderr
        self.running = {}  # label → where it is
        self.spoke = time.monotonic() - _SILENCE + _SOON
        self.bar = None
        if self.stream.isatty():
            tqdm.monitor_interval = 0
            self.bar = tqdm(
                total=total,
                unit="run",
                file=self.stream,
                dynamic_ncols=True,
                leave=False,
            )

    def at(self, label, line):
        """Run `label` is somewhere: `line` is the last that its process said."""
        self.running[label] = line.split(":")[0]
        self._show()

    def left(self, label):
        """Run `label` is no longer running, and has not ended either."""
        self.running.pop(label, None)

    def ended(self, label, text):
        """Run `label` has ended; `text` says how."""
        self.left(label)
        self.done += 1
        if self.bar is not None:
            self.bar.update()
        self.say(f"[{self.done}/{self.total}] {label}: {text}")
        self._show()

    def idle(self, words=""):
        """Nothing has happened for a moment; `words` say what is waited for."""
        if self.bar is None and time.monotonic() - self.spoke > _SILENCE:
            self.say(words or self._in_words())

    def say(self, text):
        """Write one line."""
        self.spoke = time.monotonic()
        if self.bar is None:
            print(text, file=self.stream, flush=True)
        else:
            tqdm.write(text, file=self.stream)

    def close(self):
        """Leave the terminal as it was."""
        if self.bar is not None:
            self.bar.close()

    def _show(self):
        if self.bar is not None:
            self.bar.set_postfix_str(self._in_words(), refresh=True)

    def _in_words(self):
        if not self.running:
            return "waiting for a worker"
        names = [f"{n} {at}".strip() for n, at in list(self.running.items())[:_NAMES]]
        more = len(self.running) - len(names)
        return f"running {'; '.join(names)}{f' and {more} more' if more else ''}"
