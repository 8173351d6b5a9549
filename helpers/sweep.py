"""Compare parameters: ``python -m helpers.sweep --set epochs=1,5 --set seed=0,1,2``.

Each run of the grid is the batch command in a process of its own, on workers that Dask
starts here or on those of a cluster. Whenever a run ends, ``sweep.csv`` gets its row
and ``sweep.html`` is made anew; the same command again does only what is missing.
"""

from helpers import environment  # noqa: F401  first, it says what this Python lacks

# isort: split
import argparse
import base64
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import CancelledError
from pathlib import Path

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from helpers import datasets, figures, runs
from helpers.files import TutorialError, explained, replacing_file, replacing_folder
from helpers.parameters import OPTIONS, RECIPES, all_parameters
from helpers.report import Report

RESULTS = ["dataset_name", "float_accuracy", "float_correct", "int8_accuracy"]
RESULTS += ["int8_correct", "test_images", "model_bytes", "seconds", "error"]
# Ctrl-C ends the runs, which notice it themselves; workers end with their client.
_PRELOAD = "import signal\nsignal.signal(signal.SIGINT, lambda *_: None)"


def main(arguments=None):
    """Do the runs of a command line, and return what ``sys.exit`` takes."""
    known = all_parameters(runs.notebooks())
    known |= {option.name: option for option in OPTIONS if option.name == "recipe"}
    del known["save_model_name"]  # each run has a name of its own
    parser = argparse.ArgumentParser(
        "python -m helpers.sweep",
        "%(prog)s --set NAME=VALUE,VALUE [--set ...] [options]",
        description="Run all combinations of parameters. What each accepts is told by "
        "python -m helpers.train_and_quantize --help.",
    )
    add = parser.add_argument
    add("--set", action="append", required=True, help="such as epochs=1,5")
    add("--workers", type=int, help="runs at a time here [number of cores]")
    add("--scheduler", help="of a Dask cluster, such as tcp://host:8786")
    add("--out", type=Path, default=runs.REPOSITORY / "sweep", help="folder [sweep/]")
    options = parser.parse_args(arguments)
    try:
        planned = grid(options.set, known)
    except (TutorialError, OSError) as error:
        parser.error(str(error))
    try:
        return _sweep(planned, options)
    except TutorialError as error:
        return str(error)
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from here.", file=sys.stderr)
        return 130


def grid(settings, known):
    """Return the runs that `settings` such as ``epochs=1,5`` ask for, by name.

    Of each it gives the values of all parameters; its name follows from them and from
    the bytes of the dataset's file, if it is in one.
    """
    axes, planned = {}, {}
    for setting in settings:
        name, _, texts = setting.partition("=")
        if name not in known or name in axes:
            raise TutorialError(
                f"--set got {setting[:80]!r}, but expected is NAME=VALUE,VALUE, with "
                f"names, each once, out of {', '.join(known)}."
            )
        axes[name] = [known[name].parse(text.strip()) for text in texts.split(",")]
    for combination in itertools.product(*axes.values()):
        asked = dict(zip(axes, combination, strict=True))
        chosen = RECIPES[asked.get("recipe", "default")] | asked
        values = {name: chosen.get(name, p.default) for name, p in known.items()}
        file = datasets.file_of(values["dataset"])
        made_from = repr(values | {"recipe": ""}).encode()
        made_from += Path(file).read_bytes() if file else b""
        run = f"run_{hashlib.sha256(made_from).hexdigest()[:8]}"
        planned[run] = values | {"dataset": file or values["dataset"]}
    return planned


def do_run(run, values):
    """Do one run on a Dask worker; return what it found, and its files by path.

    A dataset's file has to be in the same place on all machines. TutorialError with the
    batch command's sentence if more failed than the gate.
    """
    started, flags = time.monotonic(), values | {"save_model_name": run}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = os.environ | {"ARTIFACTS_DIR": folder, "PYTHONUTF8": "1"}
        command = [sys.executable, "-m", "helpers.train_and_quantize", "--no-pages"]
        command += [f"--{name}={value}" for name, value in flags.items()]
        options = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
        done = subprocess.run(command, env=place, **options)
        made = Path(folder, run, runs.PUBLISHED)
        paths = {path.relative_to(made).as_posix(): path for path in made.rglob("*")}
        paths = {"report.json": Path(folder, run, "06_results.json")} | paths
        files = {name: p.read_bytes() for name, p in paths.items() if p.is_file()}
    refused, report = [], None
    if "report.json" in files:
        report = Report.from_dict(json.loads(files["report.json"]))
        refused = [check.sentence for check in report.failed()]
    if done.returncode and not refused:
        words = done.stderr.strip().rpartition("\n")[2]
        raise TutorialError(words or f"Its process ended with {done.returncode}.")
    found = {"status": "gate failed" if refused else "done", "error": " ".join(refused)}
    found["dataset_name"] = report.dataset.name
    found["model_bytes"] = report.model.bytes
    found["test_images"] = report.accuracy.int8.images
    for kind in ("float", "int8"):
        score = getattr(report.accuracy, kind)
        found[f"{kind}_accuracy"] = round(100 * score.correct / score.images, 3)
        found[f"{kind}_correct"] = score.correct
    return found | {"seconds": round(time.monotonic() - started, 1)}, files


def _sweep(planned, options):
    out = options.out.resolve()
    with explained(out):
        (out / "runs").mkdir(parents=True, exist_ok=True)
    rows = [json.loads(path.read_bytes()) for path in out.glob("runs/run_*/row.json")]
    rows = {row["id"]: row for row in rows}
    ended = {run for run, row in rows.items() if row["status"] != "failed"}
    left = {run: planned[run] for run in planned if run not in ended}
    print(f"{len(planned)} runs, {len(planned) - len(left)} of them finished before.")
    told = [setting.partition("=")[0] for setting in options.set]
    for run, found, made in _results(left, options) if left else ():
        row = {"id": run, "status": "", **planned[run], **dict.fromkeys(RESULTS)}
        rows[run] = row = row | found
        table = pd.DataFrame(list(rows.values()), dtype=object)  # integers stay so
        with replacing_file(out / "sweep.csv") as new:
            table.to_csv(new, index=False)
        with replacing_file(out / "sweep.html") as new:
            new.write_text(page(table), encoding="utf-8")
        made["row.json"] = json.dumps(row, indent=1).encode()
        # From now on this run has ended.
        with replacing_folder(out / "runs" / run) as new:
            for name, content in made.items():
                (new / name).parent.mkdir(exist_ok=True)
                (new / name).write_bytes(content)
        about = row["error"] or f"{row['int8_accuracy']} % after quantization"
        about = f"{', '.join(f'{n}={row[n]}' for n in told)}: {row['status']}. {about}"
        print(about, flush=True)
    failed = sum(rows[run]["status"] == "failed" for run in planned)
    print(f"{failed} of {len(planned)} runs failed; see {out / 'sweep.html'}")
    return 1 if failed else 0


def _results(left, options):
    from dask.distributed import Client, as_completed

    here = {"n_workers": options.workers, "threads_per_worker": 1, "silence_logs": 50}
    here |= {"dashboard_address": "127.0.0.1:0", "preload": [_PRELOAD]}  # a free port
    where = {"address": options.scheduler} if options.scheduler else here
    try:
        with Client(**where, timeout=10) as client:
            client.wait_for_workers(1, timeout=60)
            jobs = {client.submit(do_run, *j, retries=1): j[0] for j in left.items()}
            for job in as_completed(jobs):
                failed = {"status": "failed", "error": str(job.exception())}, {}
                yield jobs[job], *(failed if job.status == "error" else job.result())
    except (OSError, ValueError, CancelledError) as error:
        raise TutorialError(
            f"The Dask cluster failed ({error}); the same command goes on from here."
        ) from error


def page(table):
    """Return ``sweep.html``: two charts, a table of what differs, best runs first."""
    table = table.sort_values("int8_accuracy", ascending=False)
    shown = ["id", "status", "int8_accuracy", "error"]
    names = [n for n in table if n in shown or table[n].nunique(dropna=False) > 1]
    told = [name for name in names if name not in ["id", "status", "seed", *RESULTS]]
    ended = table.dropna(subset="int8_accuracy")
    rows = ended[told].to_dict("records")
    labels = [", ".join(f"{n}={row[n]}" for n in row) or "all runs" for row in rows]
    ended = ended.assign(label=labels).astype({"int8_accuracy": float})
    groups = ended.groupby("label", sort=False)["int8_accuracy"]
    groups = groups.agg(["mean", "std"]).fillna(0)
    figure = Figure((7, 5 + len(groups) / 3), layout="constrained")
    above, below = figure.subplots(2)
    above.plot(ended["model_bytes"], ended["int8_accuracy"], "o", color=figures.BLUE)
    above.set(xlabel="bytes of the model", ylabel="int8 accuracy (%)")
    below.errorbar(groups["mean"], groups.index, None, groups["std"], "o", capsize=4)
    below.set(xlabel="int8 accuracy (%), mean ± standard deviation over seeds")
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    template = Path(__file__).with_suffix(".html.j2").read_text(encoding="utf-8")
    return jinja2.Template(template, autoescape=True).render(
        chart=base64.b64encode(file.getvalue()).decode(),
        means=groups.to_dict("index"),
        table=table[names].fillna("").to_html(index=False, border=0),
    )


if __name__ == "__main__":
    from helpers import sweep  # by its name: workers import it, too

    sys.exit(sweep.main())
