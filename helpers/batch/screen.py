"""What a batch run shows while it runs: bars on a terminal, lines in a log."""

import sys
import time

from tqdm import tqdm

LINE_SECONDS = 15  # between two lines of progress inside a notebook, in a log


def screen(notebooks, stream=None):
    """Return what fits the stream: bars if it is a terminal, else lines.

    Parameters
    ----------
    notebooks : list of Path
    stream : file, optional
        ``sys.stderr`` unless given.
    """
    stream = stream or sys.stderr
    return (Bars if stream.isatty() else Lines)(len(notebooks), stream)


class Lines:
    """One line as a notebook ends, and now and then one while it runs."""

    def __init__(self, total, stream):
        self.total, self.stream = total, stream
        self.place = self.name = None
        self.spoke = 0.0

    def start(self, place, name):
        """Notebook number `place` of the series, called `name`, starts."""
        self.place, self.name = place, name
        self.spoke = time.monotonic()

    def inside(self, progress):
        """Show progress inside the notebook.

        Parameters
        ----------
        progress : dict
            ``done``, ``total``, ``unit`` and ``text``.
        """
        if time.monotonic() - self.spoke >= LINE_SECONDS:
            self.spoke = time.monotonic()
            self.say(f"{self._label()}: {in_words(progress)}")

    def finish(self, status, seconds):
        """Say how the notebook ended."""
        self.say(f"{self._label()}: {status}, {seconds:.1f} s")

    def say(self, text):
        """Write one line."""
        print(text, file=self.stream, flush=True)

    def close(self):
        """Leave the terminal as it was."""

    def _label(self):
        return f"[{self.place}/{self.total}] {self.name}"


class Bars(Lines):
    """A bar for the six notebooks, and below it one for what is slow inside them."""

    def __init__(self, total, stream):
        super().__init__(total, stream)
        tqdm.monitor_interval = 0  # its thread has no use here
        self.outer = tqdm(
            total=total, unit="notebook", file=stream, dynamic_ncols=True, leave=False
        )
        self.inner = None

    def start(self, place, name):
        super().start(place, name)
        self.outer.set_description_str(name)

    def inside(self, progress):
        done, total = progress.get("done"), progress.get("total")
        if not isinstance(done, int) or not isinstance(total, int):
            return
        if self.inner is None or self.inner.total != total:
            self._close_inner()
            self.inner = tqdm(
                total=total, file=self.stream, dynamic_ncols=True, leave=False
            )
        self.inner.unit = f" {progress.get('unit', '')}"
        self.inner.n = done
        self.inner.set_postfix_str(str(progress.get("text", "")), refresh=True)
        if done >= total:
            self._close_inner()

    def finish(self, status, seconds):
        self._close_inner()
        super().finish(status, seconds)
        self.outer.update()

    def say(self, text):
        tqdm.write(text, file=self.stream)

    def close(self):
        self._close_inner()
        self.outer.close()

    def _close_inner(self):
        if self.inner is not None:
            self.inner.close()
            self.inner = None


def in_words(progress):
    """Return a progress message as one line of text."""
    done, total = progress.get("done"), progress.get("total")
    unit, text = progress.get("unit", ""), progress.get("text", "")
    return f"{done} of {total} {unit} {text}".replace("  ", " ").strip()
