"""Compare parameters: ``python -m helpers.sweep --set epochs=1,5 --set seed=0,1,2``.

The stages stand here in their order. `plan` makes runs of the values to compare.
`run_one` does one of them on a Dask worker: the batch command in a process of its own.
`sweep` collects what the workers return; whenever a run ends, its folder, ``sweep.csv``
and ``sweep.html`` are written anew. The same command again does only what is missing.
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
import logging
import os
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
from helpers.report import RESULTS, Report, published_paths

_DESCRIPTION = """\
Run all combinations of some parameters, several at a time, and compare them. The same
command again does only what is missing."""
_EXAMPLES = """\
examples:
  python -m helpers.sweep --set epochs=1,5 --set seed=0,1,2
  python -m helpers.sweep --set head=conv,dense --scheduler tcp://host:8786

exit status: 0 done, 1 a run failed, 2 wrong option, 130 after Ctrl-C
"""
_NOT_COMPARED = ("save_model_name", *runs.NOT_RECORDED)  # each run has its own name
_GIB_OF_A_RUN = 1.3  # of memory, most of it TensorFlow's
_RETRIES = 1  # of a run that failed, beside those of a worker that was killed
# Ctrl-C ends the runs, which notice it themselves; workers end with their client.
_IGNORE_CTRL_C = "import signal\nsignal.signal(signal.SIGINT, lambda *_: None)"


def main(arguments=None):
    """Do the runs of a command line; return what ``sys.exit`` takes."""
    try:
        return sweep(parse(arguments))
    except TutorialError as error:
        return str(error)
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from here.", file=sys.stderr)
        return 130


# ---------------------------------------------------------------- the command line


def parse(arguments=None):
    """Return the options of a command line; a wrong one ends the program with 2.

    Besides what was typed they have `planned`, the runs of `plan`, and `compared`, the
    names of the parameters to compare.
    """
    known = _known_parameters()
    parser = _parser(known)
    options = parser.parse_args(arguments)
    if options.workers < 1:
        parser.error(f"--workers got {options.workers}, but expected is 1 or more")
    try:
        axes = grid(options.set, known)
        options.planned = plan(axes, known)
    except TutorialError as error:
        parser.error(str(error))
    options.compared = list(axes)
    return options


def _known_parameters():
    """Return by name the parameters that can be compared."""
    known = {"recipe": parameters.RECIPE}
    for name, parameter in parameters.all_parameters(runs.notebooks()).items():
        if name not in _NOT_COMPARED:
            known[name] = parameter
    return known


def _parser(known):
    lines = [f"  {name:20}{known[name].description()}" for name in known]
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
        type=lambda folder: Path(folder).resolve(),
        metavar="FOLDER",
        default=runs.REPOSITORY / "sweep",
        help="where all results go [default sweep/ beside the notebooks' folder]",
    )
    return parser


def workers_here():
    """Return how many runs this computer can do at a time: by cores and by memory."""
    return max(1, min(CPU_COUNT, int(MEMORY_LIMIT / 2**30 / _GIB_OF_A_RUN)))


# ------------------------------------------------------------------------- plan


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
    """Return the runs for all combinations of a `grid`: by id, values by name."""
    planned = {}
    choices = list(axes.values())
    for combination in itertools.product(*choices):
        typed = dict(zip(axes, combination, strict=True))
        values = {name: parameter.default for name, parameter in known.items()}
        values.update(parameters.with_recipe(typed))
        run_id = _id(values)
        values["dataset"] = datasets.file_of(values["dataset"]) or values["dataset"]
        planned[run_id] = values
    return planned


def _id(values):
    """Return the id of a run, which follows from all its values but the recipe.

    The same values give the same run, whichever recipe they come from. A file of images
    counts by its bytes, wherever it is.
    """
    relevant = {name: values[name] for name in values if name != "recipe"}
    images = b""
    file = datasets.file_of(values["dataset"])
    if file:
        relevant["dataset"] = ""
        with explained(file):
            images = Path(file).read_bytes()
    made_from = json.dumps(relevant, sort_keys=True).encode() + images
    return f"run_{hashlib.sha256(made_from).hexdigest()[:8]}"


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


def run_one(run_id, values):
    """Do a run on a Dask worker; return its `Outcome`, and bytes of its files by path.

    It works in the worker's own folder, and a file of images has to be in the same
    place on all machines. TutorialError with the batch command's sentence if something
    else failed than the gate.
    """
    started = time.monotonic()
    place = get_worker().local_directory
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
        process = _run_batch_command(run_id, values, folder)
        files = _files_of(Path(folder, run_id))
    report = None
    if "report.json" in files:
        report = Report.from_dict(json.loads(files["report.json"]))
    if process.returncode and not (report and report.failed()):
        lines = process.stderr.strip().splitlines()
        silent = f"its process ended with {process.returncode} and said nothing"
        raise TutorialError(lines[-1] if lines else silent)
    return _outcome(report, time.monotonic() - started), files


def _run_batch_command(run_id, values, artifacts):
    """Run the batch command to its end, with `artifacts` for its files."""
    command = [sys.executable, "-m", "helpers.train_and_quantize", "--no-pages"]
    command.append(f"--save-model-name={run_id}")
    command.extend(f"--{name}={value}" for name, value in values.items())
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
    if (folder / RESULTS).exists():  # what the gate refuses has a report, too
        files["report.json"] = (folder / RESULTS).read_bytes()
    for path in published_paths(folder):
        files[path] = (folder / runs.PUBLISHED / path).read_bytes()
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
    missing = {}
    for run_id, values in planned.items():
        if run_id not in rows or rows[run_id]["status"] == "failed":
            missing[run_id] = values
    before = len(planned) - len(missing)
    print(f"{len(planned)} runs, {before} of them finished before.", flush=True)
    if rows:
        write_table_and_page(out, rows)
    if missing:
        ended = _run_on_cluster(missing, options)
        for number, (row, files) in enumerate(ended, start=before + 1):
            rows[row["id"]] = row
            _write_files(out, row, files)
            write_table_and_page(out, rows)
            line = _result_line(row, options.compared)
            print(f"{number} of {len(planned)}: {line}", flush=True)
    failed = [run_id for run_id in planned if rows[run_id]["status"] == "failed"]
    print(f"{len(failed)} of {len(planned)} runs failed; see {out / 'sweep.html'}")
    return 1 if failed else 0


def _rows_of_before(out):
    """Return by id the rows of runs that ended before, of other commands, too."""
    rows = {}
    for path in sorted(out.glob("runs/run_*/row.json")):
        found = json.loads(path.read_bytes())
        rows[found["id"]] = found
    return rows


def _run_on_cluster(missing, options):
    """Yield, when a run ends, its row of the table and bytes of its files by path.

    TutorialError if the cluster fails, or if a worker of it lacks this project.
    """
    try:
        with _client(options) as client:
            client.wait_for_workers(1, timeout=60)
            _check_workers(client)
            jobs = {}
            for run_id, values in missing.items():
                job = client.submit(run_one, run_id, values, retries=_RETRIES)
                jobs[job] = run_id
            for job in as_completed(jobs):
                if job.status == "error":
                    outcome, files = Outcome("failed", str(job.exception())), {}
                else:
                    outcome, files = job.result()
                run_id = jobs[job]
                found = dataclasses.asdict(outcome)
                yield {"id": run_id, **missing[run_id], **found}, files
    except (OSError, ValueError, CancelledError) as error:
        raise TutorialError(
            f"The Dask cluster failed ({error}); the same command goes on from here."
        ) from error


def _client(options):
    """Return a client of the cluster that was named, or of one that starts here."""
    if options.scheduler:
        return Client(options.scheduler, timeout=10)
    # Workers, and so runs, use this folder: temporary folders are often small. Dask
    # empties it at its end, or after a kill when it starts again.
    work = options.out / ".dask"
    return Client(
        n_workers=options.workers,
        threads_per_worker=1,
        local_directory=str(work),
        dashboard_address="127.0.0.1:0",  # a free port
        preload=[_IGNORE_CTRL_C],
        silence_logs=logging.CRITICAL,
    )


def _check_workers(client):
    """Raise TutorialError if a worker cannot import this module.

    A worker that cannot would end at its first task, and the sweep wait for ever.
    """
    found = client.run(importlib.import_module, __name__, on_error="return")
    for address, answer in found.items():
        if isinstance(answer, Exception):
            raise TutorialError(
                f"The Dask worker {address} cannot import this project ({answer}); run "
                "`pip install -r requirements.txt` in a copy of it there, and start "
                "the worker with that Python."
            )


def _write_files(out, row, files):
    """Write what a run has made; from then on it has ended."""
    with replacing_folder(out / "runs" / row["id"]) as folder:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        text = json.dumps(row, indent=1)
        (folder / "row.json").write_text(text, encoding="utf-8")


def _result_line(row, compared):
    """Return the line that says that a run has ended, and how."""
    values = ", ".join(f"{name}={row[name]}" for name in compared)
    found = row["error"] or f"{row['int8_accuracy']} % after quantization"
    return f"{values}: {row['status']}. {found}"


# ---------------------------------------------------------------- table and page


def write_table_and_page(out, rows):
    """Write ``sweep.csv`` and ``sweep.html`` in the folder `out`; rows are by id."""
    table = pd.DataFrame(list(rows.values()), dtype=object)  # integers stay so
    with replacing_file(out / "sweep.csv") as new:
        table.to_csv(new, index=False)
    with replacing_file(out / "sweep.html") as new:
        new.write_text(page(table), encoding="utf-8")


def page(table):
    """Return ``sweep.html`` for a table of rows, the most accurate first."""
    table = table.sort_values("int8_accuracy", ascending=False)
    differing = [name for name in table if table[name].nunique() > 1]
    results = {"id"} | {field.name for field in dataclasses.fields(Outcome)}
    compared = [name for name in differing if name not in results]
    always = {"id", "status", "int8_accuracy", "error"}
    means = means_over_seeds(table, [name for name in compared if name != "seed"])
    template = Path(__file__).with_suffix(".html.j2").read_text(encoding="utf-8")
    return jinja2.Template(template, autoescape=True, trim_blocks=True).render(
        compared=compared,
        statuses=table["status"].value_counts().to_dict(),
        means=list(means.itertuples()),
        charts=_as_svg(draw_charts(table, means)),
        columns=[name for name in table if name in differing or name in always],
        rows=table.where(table.notna(), "").to_dict("records"),
    )


def means_over_seeds(table, compared):
    """Return a table of runs that differ by their seed alone, the best first.

    Its index says by the parameters `compared` what sets them apart. Its columns are
    `runs`, those that have an accuracy, and `mean` and `deviation` of their int8
    accuracy in percent; one run has no deviation.
    """
    labels = []
    for _, run in table.iterrows():
        label = ", ".join(f"{name}={run[name]}" for name in compared)
        labels.append(label or "all runs")
    accuracy = table["int8_accuracy"].astype(float)
    means = accuracy.groupby(labels).agg(runs="count", mean="mean", deviation="std")
    return means.dropna(subset="mean").sort_values("mean", ascending=False)


def draw_charts(table, means):
    """Return a figure: accuracy against bytes of runs, and `means_over_seeds`."""
    figure = Figure((7, 5 + len(means) / 3), layout="constrained")
    above, below = figure.subplots(2)
    bytes_of_models = table["model_bytes"].astype(float)
    accuracy = table["int8_accuracy"].astype(float)
    above.plot(bytes_of_models, accuracy, "o", color=figures.BLUE)
    above.set(xlabel="bytes of the model", ylabel="int8 accuracy (%)")
    above.ticklabel_format(useOffset=False)  # bytes whole, not as a sum
    below.errorbar(
        x=means["mean"],
        y=means.index,
        xerr=means["deviation"],
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
    from helpers import sweep as imported  # the name by which workers know it

    sys.exit(imported.main())
