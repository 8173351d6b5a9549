"""The sweep itself: what to submit, what to do with what comes back."""

import contextlib
import json
import queue
import time
from dataclasses import dataclass, field

from helpers.errors import TutorialError
from helpers.fingerprint import code_fingerprint
from helpers.sweeps import one_run
from helpers.sweeps.grid import Planned
from helpers.sweeps.results import DONE, FAILED, keep_run
from helpers.sweeps.shared_work import training_key
from helpers.versions import libraries

_TICK = 0.5  # seconds
_PING = 5.0  # seconds between two looks whether the scheduler is still there


@dataclass
class Pending:
    """One run to do.

    Attributes
    ----------
    id : str
    planned : helpers.sweeps.grid.Planned
    data : helpers.sweeps.shared_work.Data
    keep : bool
        Whether others go on from its training.
    leader : Pending or None
        The run from whose training it goes on.
    earlier : distributed.Future or None
        Of the attempt from whose training this one goes on.
    attempts : int
        How often it was begun.
    future : distributed.Future or None
        Of the last attempt.
    """

    id: str
    planned: Planned
    data: object
    keep: bool = False
    leader: object = None
    earlier: object = field(default=None, repr=False)
    attempts: int = 0
    future: object = field(default=None, repr=False)


def pending_runs(wanted):
    """Say which run trains for which others.

    Parameters
    ----------
    wanted : list of (str, Planned, Data)

    Returns
    -------
    list of Pending
        The first of those that train alike leads the others.
    """
    leaders, runs = {}, []
    for identity, planned, data in wanted:
        run = Pending(identity, planned, data)
        leader = leaders.setdefault(training_key(planned.values), run)
        if leader is not run:
            run.leader, leader.keep = leader, True
        runs.append(run)
    return runs


class Coordinator:
    """Does runs on the workers of a client.

    Parameters
    ----------
    client : distributed.Client
    options : argparse.Namespace
        ``threads``, ``timeout``, ``pages``, ``retries`` and ``out``.
    results : helpers.sweeps.results.Results
        Gets a row for each run that has ended for good.
    view : helpers.sweeps.view.View
    """

    def __init__(self, client, options, results, view):
        self.client, self.options = client, options
        self.results, self.view = results, view
        self.events = queue.SimpleQueue()
        self.labels = {}
        self._data = {}  # key of data → future
        self._pinged = time.monotonic()

    def do(self, runs):
        """Do runs; returns when each has a row.

        Parameters
        ----------
        runs : list of Pending

        Raises
        ------
        TutorialError
            If the scheduler is gone.
        """
        self.labels = {run.id: run.planned.label for run in runs}
        left = {run.id for run in runs}
        with self._gone_explained():
            self.client.subscribe_topic(one_run.TOPIC, self._hear)
            # Those for which others wait go first.
            for run in sorted(runs, key=lambda run: not run.keep):
                run.earlier = run.leader and run.leader.future
                self._submit(run)
            while left:
                self._wait(left)

    def _wait(self, left):
        try:
            kind, about, *rest = self.events.get(timeout=_TICK)
        except queue.Empty:
            self._ping()
            self.view.idle()
            return
        if kind == "line":
            if about in left:
                self.view.at(self.labels[about], rest[0])
        elif rest[0] is about.future and self._ended(about):
            left.discard(about.id)

    def _hear(self, event):
        _, text = event
        said = json.loads(text)
        self.events.put(("line", said["run"], said["line"]))

    def _submit(self, run):
        run.attempts += 1
        options = self.options
        job = {
            "id": run.id,
            "values": run.planned.values,
            "data_key": f"{run.data.key}-{run.data.identity[:12]}",
            "threads": options.threads,
            "timeout": options.timeout,
            "pages": options.pages,
            "keep": run.keep,
            "code": code_fingerprint(),
            "libraries": libraries(),
        }
        run.future = self.client.submit(
            one_run.do_run,
            job,
            self._sent(run.data),
            run.earlier,
            key=f"run-{run.id}-{run.attempts}-{time.time_ns():x}",
            pure=False,
        )
        run.future.add_done_callback(
            lambda future: self.events.put(("ended", run, future))
        )

    def _sent(self, data):
        """Return the future of data; it goes to each worker that needs it, once."""
        if data.key not in self._data:
            # A task, not scattered bytes: should all workers that hold it be lost, the
            # scheduler still knows how to make it.
            future = self.client.submit(
                _same, data.bundle(), key=f"data-{data.key}-{time.time_ns():x}"
            )
            with contextlib.suppress(
                Exception
            ):  # or workers fetch it when they need it
                self.client.replicate(future)
            self._data[data.key] = future
        return self._data[data.key]

    def _ended(self, run):
        """Take what an attempt gave; return whether the run has ended for good."""
        status, label = run.future.status, run.planned.label
        if status in ("cancelled", "lost"):
            raise OSError("it has cancelled a run")
        final = run.attempts > self.options.retries
        if status == "error":
            error = run.future.exception()
            if run.earlier is not None and run.earlier.status == "error":
                # It never began: the run that was to train for it was lost.
                run.earlier, run.attempts = None, run.attempts - 1
                self._submit(run)
                return False
            killed = type(error).__name__ == "KilledWorker"
            answer = {"problem": _sentence(error, killed), "files": {}}
            # Dask has tried it on several workers already.
            final = final or killed
        else:
            answer = run.future.result()
        if answer["problem"] and not final:
            self.view.left(label)
            self.view.say(f"{label}: {answer['problem']} Trying again.")
            if answer.get("training"):
                run.earlier = run.future
            self._submit(run)
            return False
        self._keep(run, answer)
        run.future = run.earlier = None  # or the cluster would hold on to its files
        return True

    def _keep(self, run, answer):
        try:
            row = self._row(run, answer)
        except TutorialError as error:
            if answer["problem"]:
                raise
            row = self._row(run, answer | {"problem": str(error), "files": {}})
        self.results.add(row)
        if row["status"] == DONE:
            text = f"done, {row['seconds']:.1f} s"
            if "board_accuracy" in row:
                text += f", {row['board_accuracy']:.2f} % on the board"
        else:
            text = f"{FAILED}. {row['error']}"
        self.view.ended(run.planned.label, text)

    def _row(self, run, answer):
        return keep_run(
            self.options.out / "runs",
            run.id,
            run.planned,
            answer,
            attempts=run.attempts,
            threads=self.options.threads,
        )

    def _ping(self):
        """Ask the scheduler something: its silence would otherwise go unnoticed."""
        if self.client.status != "running":
            raise OSError("the connection is lost")
        if time.monotonic() - self._pinged > _PING:
            self._pinged = time.monotonic()
            self.client.sync(self.client.scheduler.identity, callback_timeout=30)

    @contextlib.contextmanager
    def _gone_explained(self):
        import asyncio
        from concurrent.futures import CancelledError

        from distributed.client import FutureCancelledError

        gone = (OSError, CancelledError, asyncio.CancelledError, FutureCancelledError)
        try:
            yield
        except gone:
            where = self.options.scheduler or "this machine"
            raise TutorialError(
                f"The scheduler at {where} is gone; {len(self.results.rows)} of "
                f"{len(self.results.order)} runs have their rows in "
                f"{self.options.out / 'sweep.csv'}: start it again, and the same "
                "command goes on from there."
            ) from None


def _same(value):
    return value


def _sentence(error, killed):
    if killed:
        return (
            "Every worker that tried it ended unexpectedly, as when memory runs out or "
            "a machine goes away."
        )
    text = " ".join(str(error).split())
    return f"The worker failed with {type(error).__name__}: {text[:300]}"
