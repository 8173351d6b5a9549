"""Pages are made beside the next notebook, in a process of low priority.

``python -m helpers.batch.page_worker`` reads one job a line from standard input and
answers each with one line. It ends with its input, and so with the runner.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict

from helpers.batch.environment import environment
from helpers.batch.orphans import PARENT, end_with_parent
from helpers.errors import TutorialError

_PATIENCE = 120  # seconds for all pages that are not ready when the last notebook is


class Pages:
    """The runner's end: pages are asked for one by one and waited for at the end.

    Parameters
    ----------
    report : Path
        Folder of the pages; made when the first page is written.
    notebooks : list of Path
        The series, for the links between its pages.
    scratch : Path
        Folder for the log.
    """

    def __init__(self, report, notebooks, scratch):
        self.report = report
        self.stems = [notebook.stem for notebook in notebooks]
        with open(scratch / "pages.log", "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "helpers.batch.page_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(scratch),
            )

    def page(self, executed):
        """Ask for the page of an executed notebook."""
        self._ask({"page": str(executed)})

    def finish(self, outcome):
        """Ask for the missing pages and the overview, and wait for all.

        Parameters
        ----------
        outcome : helpers.batch.runner.Outcome

        Returns
        -------
        str
            What went wrong, or an empty text.
        """
        self._ask(
            {
                "overview": str(outcome.folder),
                "results": [asdict(result) for result in outcome.results],
                "problem": outcome.problem,
            }
        )
        try:
            answers, _ = self.process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"The pages were not ready after {_PATIENCE} seconds."
        problems = [json.loads(line)["problem"] for line in answers.splitlines()]
        if self.process.returncode:
            problems.append("The pages could not be made: their process ended early.")
        return next(filter(None, problems), "")

    def kill(self):
        """End the process at once."""
        self.process.kill()
        self.process.wait()

    def _ask(self, job):
        job |= {"report": str(self.report), "stems": self.stems}
        with contextlib.suppress(OSError):  # finish() tells that the process has ended
            self.process.stdin.write(json.dumps(job).encode() + b"\n")
            self.process.stdin.flush()


def main():
    """Do jobs until standard input ends."""
    end_with_parent(int(os.environ[PARENT]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner ends this process
    if hasattr(os, "nice"):
        os.nice(19)
    for line in sys.stdin.buffer:
        # Not before there is work: while the first notebooks start, time is precious.
        from helpers.batch import overview, pages

        job, problem = json.loads(line), ""
        try:
            if "page" in job:
                pages.write_page(job["page"], job["report"], job["stems"])
            else:
                overview.write_overview(job)
        except TutorialError as error:
            problem = str(error)
        except Exception as error:
            what = job.get("page") or "the overview"
            problem = f"Cannot make the page of {what}: {error!r}."
        print(json.dumps({"problem": problem}), flush=True)


if __name__ == "__main__":
    main()
