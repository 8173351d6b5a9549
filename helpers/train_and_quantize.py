"""Run the six notebooks: ``python -m helpers.train_and_quantize --epochs=5``.

Stock papermill executes them, one after the other, in one kernel, so that TensorFlow is
imported once. After each notebook IPython's ``reset`` removes every name; only imported
modules stay. The stages stand here in their order: read the command line (`parse`),
clear the run's folder, execute the notebooks and write their pages (`run_notebooks`) in
a kernel (`started_kernel`), and say in a sentence what went wrong (`failure_sentence`).
"""

from helpers import environment  # noqa: F401  first, it says what this Python lacks

# isort: split
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
from dataclasses import dataclass

import tqdm
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from helpers import datasets, parameters, report, runs
from helpers.files import TutorialError, check_temporary_folder, explained

_DESCRIPTION = """\
Run the six notebooks, from the dataset to the published model. Each parameter of a
notebook is an option here; without options the run is that of the pages as they are."""
_EXAMPLES = """\
examples:
  python -m helpers.train_and_quantize --epochs=15 --save-model-name=mnist_cnn_15
  python -m helpers.train_and_quantize --start-at=5 --head=dense    keeps 1 to 4

exit status: 0 done, 1 a notebook failed, 2 wrong option, 130 after Ctrl-C"""
_START_AT = parameters.Parameter(
    "start_at", int, 1, "number of the first notebook to run", "1 to 6"
)
_METAVARS = {int: "INT", float: "NUMBER", str: "TEXT", bool: "True|False"}

_EPOCH_WORDS = re.compile(r"Epoch \d+/\d+|accuracy: \S+ - loss: \S+")  # fit(verbose=2)
_IMPORT_TENSORFLOW = """\
from helpers.files import quiet
with quiet():
    import tensorflow"""
_LONGEST_FOREIGN = 300  # of the message of an exception that is not ours


def main(arguments=None):
    """Run the notebooks as the command line says; return what ``sys.exit`` takes."""
    logging.disable()  # papermill's and asyncio's words say nothing to a reader
    try:
        options = parse(arguments)
        failure = run_notebooks(options)
    except TutorialError as error:
        return str(error)
    except KeyboardInterrupt:
        return 130
    return failure or 0


# ---------------------------------------------------------------- the command line


@dataclass(frozen=True)
class Options:
    """What a command line asks for."""

    values: dict  # of all parameters of the notebooks, by name
    start_at: int  # number of the first notebook to run
    pages: bool  # whether to write HTML pages
    open: bool  # whether to show the run's page in a browser


def parse(arguments=None):
    """Return the `Options` of a command line; a wrong one ends the program with 2.

    TutorialError if a notebook is missing, or if its parameters cannot be read.
    """
    known = parameters.all_parameters(runs.notebooks())
    parser = _parser(known)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        given = parser.parse_args([_with_dashes(word) for word in words])
        return _options(vars(given), known)
    except TutorialError as error:
        parser.error(str(error))


def _parser(known):
    """Return a parser with an option for each parameter, grouped by notebook."""
    parser = argparse.ArgumentParser(
        usage="python -m helpers.train_and_quantize [options]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole_run = parser.add_argument_group("the run")
    groups = {}
    for number, step in enumerate(runs.STEPS, start=1):
        groups[number] = parser.add_argument_group(f"notebook {number}, {step}")
    for parameter in (parameters.RECIPE, _START_AT, *known.values()):
        text = parameter.description()
        # Recipe and start_at are of no notebook, save_model_name is of all.
        if len(parameter.notebooks) in (0, len(runs.STEPS)):
            group = whole_run
        else:
            group = groups[parameter.notebooks[0]]
            others = [f" and notebook {number}" for number in parameter.notebooks[1:]]
            text += "".join(others)
        group.add_argument(
            _option(parameter.name),
            type=parameter.parse,
            default=argparse.SUPPRESS,  # what is not typed may come from a recipe
            metavar=_METAVARS[parameter.type],
            help=text.replace("%", "%%"),
        )
    whole_run.add_argument("--no-pages", action="store_true", help="make no HTML pages")
    whole_run.add_argument("--open", action="store_true", help="show the run's page")
    return parser


def _option(name):
    return f"--{name.replace('_', '-')}"


def _with_dashes(word):
    """Return a word of the command line; ``--batch_size=8`` as ``--batch-size=8``."""
    name, equals, value = word.partition("=")
    if not name.startswith("--"):
        return word
    return name.replace("_", "-") + equals + value


def _options(given, known):
    """Return the `Options` for what was typed, which `given` has by name.

    A value that was typed wins over the recipe, and the recipe over the default.
    TutorialError if two options do not go together.
    """
    chosen = parameters.with_recipe(given)
    start_at = given.get("start_at", _START_AT.default)
    values = {}
    for name, parameter in known.items():
        values[name] = chosen.get(name, parameter.default)
        last = parameter.notebooks[-1]
        if name in chosen and last < start_at:
            raise TutorialError(
                f"--start-at={start_at} leaves out notebook {last}, the last that "
                f"uses {_option(name)}; start there or before it."
            )
    if start_at == 1:
        datasets.file_of(values["dataset"])  # raises if there is no such file
    return Options(values, start_at, not given["no_pages"], given["open"])


# ---------------------------------------------------------------------- the stages


def run_notebooks(options):
    """Run the notebooks until one fails, and print what came out.

    Return what went wrong as a sentence, or ''.
    """
    check_temporary_folder()
    others = runs.other_notebooks()
    if others:
        names = ", ".join(others)
        print(f"Not one of the six notebooks, and so left out: {names}.\n")
    with runs.lock(options.values["save_model_name"]) as folder:
        _clear(folder, options.start_at)
        results, failure = _execute_all(folder, options)
    print(report.closing_text(folder, results))
    if options.open and options.pages:
        webbrowser.open((folder / "report" / "index.html").as_uri())
    return failure


def _clear(folder, start_at):
    """Remove what an older run shows, and what a killed one left half-made."""
    old = [folder / "report", folder / report.RESULTS]
    for step in runs.STEPS[start_at - 1 :]:
        old.append(folder / "notebooks" / f"{step}.ipynb")
    old.extend(folder.rglob(".*-partial*"))
    with explained(folder):
        for path in old:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        (folder / "notebooks").mkdir(exist_ok=True)


def _execute_all(folder, options):
    """Execute the notebooks and write the pages.

    Return a `NotebookResult` for each notebook, and what went wrong, or ''. The page of
    a notebook is written in a thread, while the next notebook runs: they take half a
    second each.
    """
    results = []
    pages_begun = []
    failure = ""
    with (
        started_kernel() as kernel,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        tqdm.tqdm(total=len(runs.STEPS), disable=None) as bar,
    ):
        from helpers import pages  # takes a second, while the kernel starts

        for number, notebook in enumerate(runs.notebooks(), start=1):
            started = time.monotonic()
            if failure:
                status = "not run"
            elif number < options.start_at:
                status = "kept"
            else:
                bar.set_description(notebook.stem)
                failure = _execute(kernel, notebook, folder, options.values, bar)
                status = "failed" if failure else "done"
            seconds = time.monotonic() - started
            results.append(report.NotebookResult(notebook.stem, status, seconds))
            if options.pages:
                page = pool.submit(pages.write_page, folder, notebook.stem)
                pages_begun.append(page)
            bar.update()
        for page in pages_begun:
            page.result()  # raises what writing it has raised
        if options.pages:
            pages.write_overview(folder, results, failure)
    return results, failure


def _execute(kernel, notebook, folder, values, bar):
    """Execute a notebook of the run in `folder`; return what went wrong, or ''."""
    from papermill import PapermillExecutionError

    changed = {}
    for name, parameter in parameters.declared(notebook).items():
        if values[name] != parameter.default:
            changed[name] = values[name]
    executed = folder / "notebooks" / notebook.name
    with explained(executed):
        try:
            kernel.execute(notebook, executed, changed, EpochsOnBar(bar))
        except PapermillExecutionError as error:
            return failure_sentence(notebook.stem, reason(error))
        except (RuntimeError, TimeoutError):  # a timeout would look like a full disk
            found = "its kernel died, perhaps for lack of memory"
            return failure_sentence(notebook.stem, found)
    return ""


class EpochsOnBar:
    """The file that notebooks print to: it shows Keras' epochs on a progress bar."""

    def __init__(self, bar):
        self._bar = bar

    def write(self, text):
        """Show what the text says about an epoch."""
        self._bar.set_postfix_str(", ".join(_EPOCH_WORDS.findall(text)))

    def flush(self):
        """Draw the bar anew."""
        self._bar.refresh()


# ---------------------------------------------------------------------- the kernel


class ThisPython(KernelSpecManager):
    """Knows one kernel, this Python, whatever a user has registered as ``python3``.

    Jupyter's own search would import ipykernel here, too, and with it a debugger.
    """

    def get_kernel_spec(self, kernel_name):
        """Return how to start a kernel; its name does not matter."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f"]
        return KernelSpec(argv=[*command, "{connection_file}"], language="python")


@dataclass(frozen=True)
class Kernel:
    """The one kernel in which all notebooks run."""

    manager: KernelManager
    client: BlockingKernelClient

    def execute(self, notebook, executed, values, output):
        """Let papermill execute a notebook, then remove every name from the kernel.

        `values` are the parameters that differ from the notebook's own, `executed` is
        where the result goes, and `output` the file for what the notebook prints.
        RuntimeError or TimeoutError if the kernel died.
        """
        from papermill import execute_notebook

        execute_notebook(
            notebook,
            executed,
            values,
            km=self.manager,
            progress_bar=False,
            stdout_file=output,
            iopub_timeout=60,  # for what a cell shows; 4 s can be few on a busy PC
            request_save_on_cell_execute=False,  # 650 savings took 8 s
        )
        forget = "get_ipython().reset()"
        self.client.execute(forget, silent=True, reply=True, timeout=60)


@contextlib.contextmanager
def started_kernel():
    """Give a `Kernel` that loads TensorFlow meanwhile; it ends with the block."""
    manager = KernelManager(
        kernel_spec_manager=ThisPython(),
        client_class="jupyter_client.AsyncKernelClient",  # papermill needs it
    )
    try:
        manager.start_kernel(
            cwd=str(runs.NOTEBOOKS),
            env=_kernel_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            extra_arguments=["--HistoryManager.enabled=False"],
        )
        client = manager.blocking_client()
        client.start_channels()
        texts = [notebook.read_text("utf-8") for notebook in runs.notebooks()]
        if any("import tensorflow" in text for text in texts):
            client.execute(_IMPORT_TENSORFLOW, silent=True)  # saves two seconds
        yield Kernel(manager, client)
    finally:
        manager.shutdown_kernel(now=True)


def _kernel_environment():
    """Return the environment variables of the kernel, which finds these helpers."""
    paths = [str(runs.REPOSITORY)]
    if "PYTHONPATH" in os.environ:
        paths.append(os.environ["PYTHONPATH"])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


# ------------------------------------------------------------------ what went wrong


def reason(error):
    """Return what papermill's error says of a notebook's exception, in one line.

    A sentence of ours is whole; words of others are cut to a sensible length.
    """
    if error.ename == "TutorialError":
        return " ".join(error.evalue.split()).rstrip(".")
    text = " ".join(f"{error.ename}: {error.evalue}".split())
    if len(text) > _LONGEST_FOREIGN:
        return f"{text[:_LONGEST_FOREIGN]} …"
    return text.rstrip(".")


def failure_sentence(step, found):
    """Return the sentence that ends a run: which step failed, and where to go on.

    That is the notebook that the finding names as the one that can change it, such as
    *notebook 4* or *notebook 04_train_model*; else the step that failed.
    """
    named = re.search(r"notebook (0?[1-6])(?:_\w+)?\b", found)
    if named:
        remedy = f"the command goes on from there with --start-at {int(named[1])}"
    else:
        remedy = f"fix it and go on with --start-at {int(step[:2])}"
    return f"Notebook {step} failed: {found}; {remedy}."


if __name__ == "__main__":
    sys.exit(main())
