"""Run the six notebooks: ``python -m helpers.train_and_quantize --epochs=5``.

Stock papermill executes them in one kernel, so that TensorFlow is imported once. After
each notebook IPython's ``reset`` removes every name; only imported modules stay.
"""

import argparse
import concurrent.futures
import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
import time
import webbrowser

import tqdm

from helpers import datasets, report, runs
from helpers.files import TutorialError, explained
from helpers.parameters import OPTIONS, RECIPES, all_parameters, declared

_EXIT = "exit status: 0 done, 1 a notebook failed, 2 wrong option, 130 after Ctrl-C"
_KERAS = re.compile(r"Epoch \d+/\d+|accuracy: \S+ - loss: \S+")  # fit(verbose=2)
_LOAD = "from helpers.files import quiet\nwith quiet():\n    import tensorflow"


def main(arguments=None):
    """Run the notebooks as the command line says; return what ``sys.exit`` takes."""
    logging.disable()  # papermill's and asyncio's words say nothing to a reader
    try:
        return run_notebooks(parse(arguments)) or 0
    except TutorialError as error:
        return str(error)
    except KeyboardInterrupt:
        return 130


def parse(arguments=None):
    """Return by name what a command line sets; a wrong one ends the program with 2."""
    usage = "python -m helpers.train_and_quantize [options]"
    parser = argparse.ArgumentParser(usage=usage, epilog=_EXIT, allow_abbrev=False)
    known = {option.name: option for option in OPTIONS}
    known |= all_parameters(runs.notebooks())
    for name, parameter in known.items():
        numbers = parameter.notebooks
        notes = [parameter.accepts, f"default {parameter.default}"]
        notes += [f"notebook {', '.join(map(str, numbers))}"] if numbers else []
        text = f"{parameter.help} [{'; '.join(filter(None, notes))}]"
        names = dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"])
        kind, text = parameter.type.__name__.upper(), text.replace("%", "%%")
        parser.add_argument(*names, metavar=kind, help=text)
    parser.add_argument("--no-pages", action="store_true", help="make no HTML pages")
    parser.add_argument("--open", action="store_true", help="show the run's page")
    given = vars(parser.parse_args(arguments))
    values = {name: parameter.default for name, parameter in known.items()}
    values |= RECIPES.get(given["recipe"], {})
    try:
        for name, parameter in known.items():
            if given[name] is not None:
                values[name] = parameter.parse(given[name])
                if max(parameter.notebooks, default=6) < values["start_at"]:
                    parser.error(f"--start-at leaves out what uses --{name}")
        if values["start_at"] > 1 and values["recipe"] != "default":
            parser.error("--recipe needs all notebooks; leave out --start-at")
        if values["start_at"] == 1:
            datasets.file_of(values["dataset"])
    except TutorialError as error:
        parser.error(str(error))
    return given | values


def run_notebooks(values):
    """Run the notebooks until one fails, and print what came out.

    `values` are those of `parse`; what went wrong is returned as a sentence, or ''.
    """
    results, problem, written = [], "", []
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(runs.lock(values["save_model_name"]))
        _clear(folder, values["start_at"])
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        kernel = stack.enter_context(_kernel())
        from helpers import pages  # takes its time while the kernel loads TensorFlow

        bar = stack.enter_context(tqdm.tqdm(total=len(runs.STEPS), disable=None))
        # papermill writes what notebooks print to the bar, which shows Keras' epochs.
        bar.write = lambda text: bar.set_postfix_str(", ".join(_KERAS.findall(text)))
        bar.flush = bar.refresh
        for number, path in enumerate(runs.notebooks(), start=1):
            executed, started = folder / "notebooks" / path.name, time.monotonic()
            status = "not run" if problem else "kept"
            if number >= values["start_at"] and not problem:
                bar.set_description(path.stem)
                with explained(executed):
                    problem = _execute(path, executed, values, kernel, bar)
                status = "failed" if problem else "done"
            seconds = time.monotonic() - started
            results.append(report.NotebookResult(path.stem, status, seconds))
            if not values["no_pages"]:
                written.append(pool.submit(pages.write_page, folder, path.stem))
            bar.update()
        for page in written:
            page.result()
        if written:
            pages.write_overview(folder, results, problem)
    print(report.closing_text(folder, results))
    if values["open"] and written:
        webbrowser.open((folder / "report" / "index.html").as_uri())
    return problem


def _clear(folder, start_at):
    """Remove what an older run shows, and what a killed one left half-made."""
    shown = [p for p in folder.glob("notebooks/0*.ipynb") if int(p.name[1]) >= start_at]
    shown += [folder / "report", folder / "06_results.json"]
    with explained(folder):
        (folder / "notebooks").mkdir(exist_ok=True)
        for path in [*shown, *folder.rglob(".*-partial*")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextlib.contextmanager
def _kernel():
    """Start the one kernel and a client of it; both end with the block."""
    from jupyter_client import KernelManager

    path = f"{runs.REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    options = dict.fromkeys(["stdout", "stderr"], subprocess.DEVNULL)
    options |= {"cwd": str(runs.NOTEBOOKS), "env": os.environ | {"PYTHONPATH": path}}
    options["extra_arguments"] = ["--HistoryManager.enabled=False"]
    manager = KernelManager(client_class="jupyter_client.AsyncKernelClient")
    try:
        manager.start_kernel(**options)
        client = manager.blocking_client()
        client.start_channels()
        if any(
            "import tensorflow" in path.read_text("utf-8") for path in runs.notebooks()
        ):
            client.execute(_LOAD, silent=True)
        yield manager, client
    finally:
        manager.shutdown_kernel(now=True)


def _execute(path, executed, values, kernel, bar):
    """Let papermill execute a notebook; return what went wrong, or ''."""
    from papermill import PapermillExecutionError, execute_notebook

    manager, client = kernel
    sent = {n: values[n] for n, p in declared(path).items() if values[n] != p.default}
    options = {"progress_bar": False, "stdout_file": bar}
    options["request_save_on_cell_execute"] = False  # 650 savings took 8 s
    try:
        execute_notebook(path, executed, sent, km=manager, **options)
        client.execute("get_ipython().reset()", silent=True, reply=True, timeout=60)
        return ""
    except PapermillExecutionError as error:
        is_ours = error.ename == "TutorialError"  # its sentence says all
        found = error.evalue if is_ours else f"{error.ename}: {error.evalue}"
    except (RuntimeError, TimeoutError):
        found = "its kernel died, perhaps for lack of memory"
    found = " ".join(found.split()).rstrip(".")
    start_at = f"fix it and go on with --start-at {path.name[1]}"
    return f"Notebook {path.stem} failed: {found}; {start_at}."


if __name__ == "__main__":
    sys.exit(main())
