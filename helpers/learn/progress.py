"""Live progress inside a cell, which leaves nothing behind that a page must not show.

Each update replaces the one before (Jupyter's ``update_display_data``) and carries its
numbers as metadata, from which the batch command draws its own bar.
"""

import html
import time

UPDATE_SECONDS = 0.25  # faster updates than this only cost time


class Progress:
    """A progress bar in the output of the running cell.

    Parameters
    ----------
    total : int
        Number of steps.
    unit : str
        What is counted, such as "images".
    text : str
        What is going on.

    Notes
    -----
    Use it in a ``with`` statement. At its end the bar makes room for `summary`, a text
    or an object that Jupyter can show, or for nothing.
    """

    def __init__(self, total, unit="steps", text=""):
        self.total, self.unit, self.text = total, unit, text
        self.done = 0
        self.summary = None
        self._handle = None
        self._shown_at = 0.0

    def __enter__(self):
        from IPython.display import display

        self._handle = display(*self._bar(), **self._options(), display_id=True)
        return self

    def __exit__(self, kind, error, traceback):
        if self._handle is None:  # no notebook: a plain Python program
            return
        if self.summary is None:
            self._handle.update({"text/plain": ""}, raw=True)
        else:
            self._handle.update(self.summary)

    def update(self, done, text=None):
        """Show that `done` steps are done, with a new text if one is given."""
        self.done = done
        self.text = self.text if text is None else text
        now = time.monotonic()
        if self._handle and now - self._shown_at >= UPDATE_SECONDS:
            self._shown_at = now
            self._handle.update(*self._bar(), **self._options())

    def _bar(self):
        plain = f"{self.done:,} of {self.total:,} {self.unit} {self.text}".strip()
        bar = (
            f'<progress value="{self.done}" max="{self.total}" '
            f'aria-label="progress"></progress> {html.escape(plain)}'
        )
        return [{"text/plain": plain, "text/html": bar}]

    def _options(self):
        numbers = {
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
            "text": self.text,
        }
        return {"raw": True, "metadata": {"progress": numbers}}


def training_progress(epochs, batches):
    """Return a Keras callback that shows live progress and ends with a table.

    Parameters
    ----------
    epochs : int
    batches : int
        Batches per epoch.

    Returns
    -------
    keras.callbacks.Callback
    """
    import keras

    class TrainingProgress(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.rows = []
            self.bar = Progress(epochs * batches, "batches").__enter__()

        def on_train_batch_end(self, batch, logs=None):
            self.bar.update(
                len(self.rows) * batches + batch + 1,
                f"· epoch {len(self.rows) + 1} of {epochs}, loss {logs['loss']:.3f}, "
                f"accuracy {100 * logs['accuracy']:.1f} %",
            )

        def on_epoch_end(self, epoch, logs=None):
            self.rows.append(dict(logs))

        def on_train_end(self, logs=None):
            self.bar.summary = epoch_table(self.rows)
            self.bar.__exit__(None, None, None)

    return TrainingProgress()


def epoch_table(rows):
    """Return the figures of each epoch as a table.

    Parameters
    ----------
    rows : list of dict
        Keras' logs of each epoch: losses, and accuracies from 0 to 1.

    Returns
    -------
    helpers.learn.tables.Table
    """
    from helpers.learn.tables import Table

    names = {
        "loss": ("loss", "{:.4f}", 1),
        "accuracy": ("accuracy (%)", "{:.2f}", 100),
        "val_loss": ("validation loss", "{:.4f}", 1),
        "val_accuracy": ("validation accuracy (%)", "{:.2f}", 100),
    }
    keys = [key for key in names if key in rows[0]]
    return Table(
        ["epoch", *(names[key][0] for key in keys)],
        [
            [number, *(names[key][1].format(names[key][2] * row[key]) for key in keys)]
            for number, row in enumerate(rows, 1)
        ],
    )
