"""Compare parameters: ``python -m helpers.sweep --set epochs=1,5 --set seed=0,1,2``.

The stages stand here in their order. `parse` reads the command line. `plan` makes runs
of the values to compare. `run_one` does one of them on a Dask worker: the batch command
in a process of its own. `sweep` collects what the workers return; whenever a run ends,
its folder, ``sweep.csv`` (`write_table`) and ``sweep.html`` (`page`) are written anew.
The same command again does only what is missing.
"""

from helpers import environment  # noqa: F401  first, it says what this Python lacks

# isort: split
import argparse
import base64
import dataclasses
import hashlib
import importlib
import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from dask.system import CPU_COUNT
from distributed import Client, as_completed, get_worker
from distributed.system import MEMORY_LIMIT
from matplotlib.figure import Figure

from helpers import datasets, figures, parameters, runs
from helpers.files import TutorialError, explained, replacing_file, replacing_folder
from helpers.report import Report
from helpers.train_and_quantize import described

_DESCRIPTION = """\
Run all combinations of some parameters, several at a time, and compare them. The same
command again does only what is missing."""
_EXAMPLES = """\
examples:
  python -m helpers.sweep --set epochs=1,5 --set seed=0,1,2
  python -m helpers.sweep --set head=conv,dense --scheduler tcp://host:8786

exit status: 0 done, 1 a run failed, 2 wrong option, 130 after Ctrl-C
"""
_NOT_COMPARED = ("save_model_name", *runs.OF_THE_DESK)  # each run has its own name
_BYTES_OF_A_RUN = 1.3 * 2**30  # memory, most of it TensorFlow's
# Ctrl-C ends the runs, which notice it themselves; workers end with their client.
_PRELOAD = "import signal\nsignal.signal(signal.SIGINT, lambda *_: None)"


def main(arguments=None):
    """Do the runs of a command line, and return what ``sys.exit`` takes."""
    try:
        return sweep(parse(arguments))
    except TutorialError as error:
        return str(error)
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from here.", file=sys.stderr)
        return 130


# ---------------------------------------------------------------- the command line


@dataclass(frozen=True)
class Options:
    """What a command line asks for."""

    planned: list  # a `PlannedRun` for each run
    compared: list[str]  # the names of the parameters that were typed
    workers: int  # runs at a time on this computer
    scheduler: str | None  # address of a Dask cluster that does the runs instead
    out: Path  # the folder of all results


def parse(arguments=None):
    """Return the `Options` of a command line; a wrong one ends the program with 2."""
    known = _known_parameters()
    parser = _parser(known)
    given = parser.parse_args(arguments)
    if given.workers < 1:
        parser.error(f"--workers got {given.workers}, but expected is 1 or more")
    try:
        axes = grid(given.set, known)
        planned = plan(axes, known)
    except TutorialError as error:
        parser.error(str(error))
    out = given.out.resolve()
    return Options(planned, list(axes), given.workers, given.scheduler, out)


def _known_parameters():
    """Return by name the parameters that can be compared."""
    known = {}
    for option in parameters.OPTIONS:
        if option.name == "recipe":
            known[option.name] = option
    for name, parameter in parameters.all_parameters(runs.notebooks()).items():
        if name not in _NOT_COMPARED:
            known[name] = parameter
    return known


def _parser(known):
    lines = [f"  {name:20}{described(known[name])}" for name in known]
    parser = argparse.ArgumentParser(
        usage="python -m helpers.sweep --set NAME=VALUE,VALUE [--set ...] [options]",
        description=_DESCRIPTION,
        epilog="\n".join([_EXAMPLES, "names and values:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--set",
        action="append",
        required=True,
        metavar="NAME=VALUE,VALUE",
        help="values to compare, such as epochs=1,5; may be given several times",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="INT",
        default=workers_here(),
        help="runs at a time on this computer [default %(default)s: one a core, as far "
        "as memory goes, 1.3 GiB each]",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster that does the runs, such as tcp://host:8786",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        default=runs.REPOSITORY / "sweep",
        help="where all results go [default sweep/ beside the notebooks' folder]",
    )
    return parser


def workers_here():
    """Return how many runs this computer can do at a time: by cores and by memory."""
    return max(1, min(CPU_COUNT, int(MEMORY_LIMIT / _BYTES_OF_A_RUN)))


# ------------------------------------------------------------------------- plan


@dataclass(frozen=True)
class PlannedRun:
    """One run of the grid."""

    id: str  # follows from the values, and from the bytes of the dataset's file
    values: dict  # of all parameters that can be compared, by name


def grid(settings, known):
    """Return the values to compare, by name of their parameter.

    `settings` are texts such as ``epochs=1,5``, `known` the parameters by name.
    TutorialError if a name or a value is not accepted.
    """
    axes = {}
    for setting in settings:
        name, _, texts = setting.partition("=")
        if name not in known or name in axes:
            raise TutorialError(
                f"--set got {setting[:80]!r}, but expected is NAME=VALUE,VALUE, with "
                f"names, each once, out of {', '.join(known)}."
            )
        axes[name] = [known[name].parse(text.strip()) for text in texts.split(",")]
    return axes


def plan(axes, known):
    """Return a list with the `PlannedRun` of each combination of a `grid`."""
    choices = list(axes.values())
    planned = {}
    for combination in itertools.product(*choices):
        typed = dict(zip(axes, combination, strict=True))
        run = _planned_run(typed, known)
        planned[run.id] = run
    return list(planned.values())


def _planned_run(typed, known):
    """Return the run with the typed values, then its recipe's, then the defaults."""
    values = {name: parameter.default for name, parameter in known.items()}
    values.update(parameters.RECIPES[typed.get("recipe", "default")])
    values.update(typed)
    # The same values give the same model, whichever recipe they come from.
    relevant = {name: values[name] for name in values if name != "recipe"}
    made_from = json.dumps(relevant, sort_keys=True).encode()
    file = datasets.file_of(values["dataset"])
    if file:
        values["dataset"] = file
        with explained(file):
            made_from += Path(file).read_bytes()
    digest = hashlib.sha256(made_from).hexdigest()
    return PlannedRun(f"run_{digest[:8]}", values)


# ---------------------------------------------------------------------- run one


@dataclass(frozen=True)
class Outcome:
    """What came of a run; accuracies in percent."""

    status: str  # done, gate failed or failed
    error: str = ""  # why it failed
    dataset_name: str | None = None
    float_accuracy: float | None = None
    float_correct: int | None = None
    int8_accuracy: float | None = None
    int8_correct: int | None = None
    test_images: int | None = None
    model_bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Finished:
    """A run that has ended, and the files that it made."""

    run: PlannedRun
    outcome: Outcome
    files: dict  # bytes by path


def run_one(run):
    """Do a run on a Dask worker, and return it as `Finished`.

    It works in the worker's own folder, and a file of images has to be in the same
    place on all machines. TutorialError with the batch command's sentence if something
    else failed than the gate.
    """
    started = time.monotonic()
    place = get_worker().local_directory
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
        process = _batch_command(run, folder)
        files = _files_of(Path(folder, run.id))
    report = None
    if "report.json" in files:
        report = Report.from_dict(json.loads(files["report.json"]))
    if process.returncode and not (report and report.failed()):
        lines = process.stderr.strip().splitlines()
        silent = f"its process ended with {process.returncode} and said nothing"
        raise TutorialError(lines[-1] if lines else silent)
    return Finished(run, _outcome(report, time.monotonic() - started), files)


def _batch_command(run, artifacts):
    """Run the batch command to its end, with `artifacts` for its files."""
    command = [sys.executable, "-m", "helpers.train_and_quantize", "--no-pages"]
    command.append(f"--save-model-name={run.id}")
    command.extend(f"--{name}={value}" for name, value in run.values.items())
    return subprocess.run(
        command,
        env={**os.environ, "ARTIFACTS_DIR": str(artifacts), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


def _files_of(folder):
    """Return the bytes of what a run has published, or of its report alone, by path."""
    files = {}
    refused = folder / "06_results.json"  # what the gate refuses is not published
    if refused.exists():
        files["report.json"] = refused.read_bytes()
    published = folder / runs.PUBLISHED
    for path in published.rglob("*"):
        if path.is_file():
            files[path.relative_to(published).as_posix()] = path.read_bytes()
    return files


def _outcome(report, seconds):
    failed = [check.sentence for check in report.failed()]
    before, after = report.accuracy.float, report.accuracy.int8
    return Outcome(
        status="gate failed" if failed else "done",
        error=" ".join(failed),
        dataset_name=report.dataset.name,
        float_accuracy=round(100 * before.correct / before.images, 3),
        float_correct=before.correct,
        int8_accuracy=round(100 * after.correct / after.images, 3),
        int8_correct=after.correct,
        test_images=after.images,
        model_bytes=report.model.bytes,
        seconds=round(seconds, 1),
    )


# ----------------------------------------------------------------------- collect


def sweep(options):
    """Do the runs that have not ended before; return 1 if one failed, else 0."""
    out, planned = options.out, options.planned
    with explained(out):
        (out / "runs").mkdir(parents=True, exist_ok=True)
    rows = _rows_of_before(out)
    left = []
    for run in planned:
        if run.id not in rows or rows[run.id]["status"] == "failed":
            left.append(run)
    before = len(planned) - len(left)
    print(f"{len(planned)} runs, {before} of them finished before.", flush=True)
    if rows:
        write_table(out, rows)
    if left:
        ended = _run_on_cluster(left, options)
        for number, finished in enumerate(ended, start=before + 1):
            rows[finished.run.id] = row(finished)
            write_table(out, rows)
            _write_files(out, finished)
            line = _result_line(finished, options.compared)
            print(f"{number} of {len(planned)}: {line}", flush=True)
    failed = [run for run in planned if rows[run.id]["status"] == "failed"]
    print(f"{len(failed)} of {len(planned)} runs failed; see {out / 'sweep.html'}")
    return 1 if failed else 0


def _rows_of_before(out):
    """Return by id the rows of the runs that ended before, failed ones too."""
    rows = {}
    for path in sorted(out.glob("runs/run_*/row.json")):
        found = json.loads(path.read_bytes())
        rows[found["id"]] = found
    return rows


def _run_on_cluster(planned, options):
    """Yield each run as `Finished` when it ends.

    TutorialError if the cluster fails, or if a worker of it lacks this project.
    """
    try:
        with _client(options) as client:
            client.wait_for_workers(1, timeout=60)
            _check_workers(client)
            jobs = {}
            for run in planned:
                job = client.submit(run_one, run, retries=1)
                jobs[job] = run
            for job in as_completed(jobs):
                if job.status == "error":
                    failed = Outcome("failed", str(job.exception()))
                    yield Finished(jobs[job], failed, {})
                else:
                    yield job.result()
    except (OSError, ValueError, CancelledError) as error:
        raise TutorialError(
            f"The Dask cluster failed ({error}); the same command goes on from here."
        ) from error


def _client(options):
    """Return a client of the cluster that was named, or of one that starts here."""
    if options.scheduler:
        return Client(options.scheduler, timeout=10)
    # Runs work there, as temporary folders are often small. Dask removes what it left,
    # after a kill at the next start.
    work = options.out / ".dask"
    return Client(
        n_workers=options.workers,
        threads_per_worker=1,
        local_directory=str(work),
        dashboard_address="127.0.0.1:0",  # a free port
        preload=[_PRELOAD],
        silence_logs=50,
        timeout=10,
    )


def _check_workers(client):
    """Raise TutorialError if a worker cannot import this module.

    Without it a worker ends at its first task, and the sweep would wait for ever.
    """
    found = client.run(importlib.import_module, __name__, on_error="return")
    for address, answer in found.items():
        if isinstance(answer, Exception):
            raise TutorialError(
                f"The Dask worker {address} cannot import this project ({answer}); run "
                "`pip install -r requirements.txt` in a copy of it there, and start "
                "the worker with that Python."
            )


def row(finished):
    """Return a finished run as a row of the table: its values by column."""
    outcome = dataclasses.asdict(finished.outcome)
    status = outcome.pop("status")
    error = outcome.pop("error")
    return {
        "id": finished.run.id,
        "status": status,
        **finished.run.values,
        **outcome,
        "error": error,
    }


def _write_files(out, finished):
    """Write what a run has made; from then on it has ended."""
    with replacing_folder(out / "runs" / finished.run.id) as folder:
        for name, content in finished.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        text = json.dumps(row(finished), indent=1)
        (folder / "row.json").write_text(text, encoding="utf-8")


def _result_line(finished, compared):
    """Return the line that says that a run has ended, and how."""
    outcome = finished.outcome
    values = ", ".join(f"{name}={finished.run.values[name]}" for name in compared)
    found = outcome.error or f"{outcome.int8_accuracy} % after quantization"
    return f"{values}: {outcome.status}. {found}"


# ---------------------------------------------------------------- table and page

_COLUMNS = [field.name for field in dataclasses.fields(Outcome)]


def write_table(out, rows):
    """Write ``sweep.csv`` and ``sweep.html`` in the folder `out`; rows are by id."""
    table = pd.DataFrame(list(rows.values()), dtype=object)  # integers stay so
    with replacing_file(out / "sweep.csv") as new:
        table.to_csv(new, index=False)
    with replacing_file(out / "sweep.html") as new:
        new.write_text(page(table), encoding="utf-8")


@dataclass(frozen=True)
class Group:
    """The runs that differ by their seed alone."""

    label: str  # what sets them apart from the others
    runs: int
    mean: float  # int8 accuracy in percent
    deviation: float | None  # standard deviation of it; None for one run


def page(table):
    """Return ``sweep.html`` for a table with the columns of `row`, best runs first."""
    table = table.sort_values("int8_accuracy", ascending=False)
    ended = table.dropna(subset=["int8_accuracy"])
    compared = _compared(table)
    found = groups(ended, compared)
    template = Path(__file__).with_suffix(".html.j2").read_text(encoding="utf-8")
    return jinja2.Template(template, autoescape=True, trim_blocks=True).render(
        compared=[*compared, "seed"] if _differs(table, "seed") else compared,
        statuses=table["status"].value_counts().to_dict(),
        groups=found,
        chart=_as_svg(chart(ended, found)),
        columns=_shown(table),
        rows=table.where(table.notna(), "").to_dict("records"),
    )


def _differs(table, name):
    """Tell if runs have different values in a column; failed ones may have none."""
    return name in table and table[name].nunique() > 1


def _compared(table):
    """Return the names of the parameters that differ between runs, without the seed."""
    others = {"id", "seed", *_COLUMNS}
    return [name for name in table if name not in others and _differs(table, name)]


def _shown(table):
    """Return the columns that a reader wants to see."""
    always = {"id", "status", "int8_accuracy", "error"}
    return [name for name in table if name in always or _differs(table, name)]


def groups(ended, compared):
    """Return a `Group` for each combination of the parameters `compared`, best first.

    `ended` is a table of runs that have an accuracy.
    """
    accuracies = {}
    for _, run in ended.iterrows():
        label = ", ".join(f"{name}={run[name]}" for name in compared) or "all runs"
        if label not in accuracies:
            accuracies[label] = []
        accuracies[label].append(run["int8_accuracy"])
    found = []
    for label, values in accuracies.items():
        deviation = statistics.stdev(values) if len(values) > 1 else None
        found.append(Group(label, len(values), statistics.mean(values), deviation))
    return sorted(found, key=lambda group: group.mean, reverse=True)


def chart(ended, found):
    """Return a figure of two charts: accuracy against bytes, and the means of groups.

    `ended` is a table of runs that have an accuracy, `found` are its `groups`.
    """
    figure = Figure((7, 5 + len(found) / 3), layout="constrained")
    above, below = figure.subplots(2)
    above.plot(ended["model_bytes"], ended["int8_accuracy"], "o", color=figures.BLUE)
    above.set(xlabel="bytes of the model", ylabel="int8 accuracy (%)")
    above.ticklabel_format(useOffset=False)  # bytes whole, not as a sum
    below.errorbar(
        x=[group.mean for group in found],
        y=[group.label for group in found],
        xerr=[group.deviation or 0 for group in found],
        fmt="o",
        capsize=4,
        color=figures.BLUE,
    )
    below.invert_yaxis()  # the best above
    below.set(xlabel="int8 accuracy (%), mean ± standard deviation over seeds")
    return figure


def _as_svg(figure):
    """Return a figure as SVG in base64, as an HTML page takes it."""
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    from helpers import sweep as imported  # by its name: workers import it, too

    sys.exit(imported.main())
