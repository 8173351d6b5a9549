"""Kernels ahead of need: invisible in what they run, gone when their work is done."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.batch.engine import Failed, execute
from helpers.batch.kernels import Kernels
from helpers.batch.stopping import Stopping

posix = pytest.mark.skipif(
    os.name != "posix", reason="needs POSIX signals: run on Linux"
)
WAYS = [
    pytest.param(
        True,
        id="nursery",
        marks=pytest.mark.skipif(
            sys.platform != "linux", reason="only Linux forks safely: run on Linux"
        ),
    ),
    pytest.param(False, id="own process"),
]


@pytest.fixture
def series(tmp_path):
    """Return a function that writes notebooks with the given code cells."""

    def write(*notebooks):
        paths = []
        for number, sources in enumerate(notebooks, 1):
            path = tmp_path / f"{number:02}_some.ipynb"
            notebook = new_notebook(cells=[new_code_cell(text) for text in sources])
            notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "3"}
            nbformat.write(notebook, path)
            paths.append(path)
        return paths

    return write


@pytest.fixture
def crew(tmp_path):
    """Return a function that gives the kernels of notebooks; ends them afterwards."""
    made = []

    def get(paths, nursery):
        made.append(Kernels(paths, tmp_path, Stopping(), nursery))
        made[-1].prepare()
        return made[-1]

    yield get
    for kernels in made:
        kernels.close()


@pytest.mark.parametrize("nursery", WAYS)
def test_warm_kernel_shows_nothing_of_its_warming(series, crew, nursery):
    cells = [
        "sorted(n for n in globals() if not n.startswith('_'))",
        "import colorsys, sys\n'matplotlib.pyplot' in sys.modules",
        "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()",
        "%history -n",
    ]
    (path,) = series(cells)
    kernels = crew([path], nursery)
    executed = execute(path, {}, kernels.take(path))
    first, second, third, history = executed.cells
    assert [cell.execution_count for cell in executed.cells] == [1, 2, 3, 4]
    ipython = {"In", "Out", "exit", "get_ipython", "open", "quit"}
    assert set(eval(first.outputs[0].data["text/plain"])) <= ipython
    assert second.outputs[0].data["text/plain"] == "True"
    assert "image/png" in third.outputs[0].data
    assert history.outputs[0].text.splitlines()[0] == "   1: " + cells[0]


@pytest.mark.parametrize("nursery", WAYS)
def test_closed_kernels_are_gone_with_their_files(series, crew, nursery, tmp_path):
    paths = series(["1"], ["import json"], ["3"])
    others = set(psutil.Process().children(recursive=True))  # of other tests
    kernels = crew(paths, nursery)
    execute(paths[0], {}, kernels.take(paths[0]))
    kernels.take(paths[1])
    started = list(set(psutil.Process().children(recursive=True)) - others)
    assert started
    kernels.close()
    _, alive = psutil.wait_procs(started, timeout=3)
    assert not alive


@pytest.mark.parametrize("nursery", WAYS)
def test_progress_messages_arrive(series, crew, nursery):
    (path,) = series(
        [
            "from helpers.learn.progress import Progress\n"
            "with Progress(2, 'images', 'tested') as bar:\n    bar.update(2)"
        ]
    )
    heard = []
    kernels = crew([path], nursery)
    execute(path, {}, kernels.take(path), on_progress=heard.append)
    assert heard[0] == {"done": 0, "total": 2, "unit": "images", "text": "tested"}


@posix
@pytest.mark.parametrize("nursery", WAYS)
def test_killed_kernel_is_reported_with_its_cell(series, crew, nursery):
    (path,) = series(["1", "import os\nos.kill(os.getpid(), 9)", "3"])
    begun = time.monotonic()
    kernels = crew([path], nursery)
    with pytest.raises(Failed, match="killed by SIGKILL, as systems do when memory"):
        execute(path, {}, kernels.take(path))
    assert time.monotonic() - begun < 10 + 5  # start-up included


@posix
@pytest.mark.parametrize("nursery", WAYS)
def test_crash_is_reported_with_the_last_words(series, crew, nursery):
    (path,) = series(["import os\nos.write(2, b'a bad pointer\\n')\nos.abort()"])
    kernels = crew([path], nursery)
    with pytest.raises(Failed, match="killed by SIGABRT") as failed:
        execute(path, {}, kernels.take(path))
    assert failed.value.cell_index == 0


@posix
@pytest.mark.parametrize("nursery", WAYS)
def test_kernel_that_died_while_it_waited_is_replaced(series, crew, nursery):
    paths = series(["1"], ["2"])
    kernels = crew(paths, nursery)
    execute(paths[0], {}, kernels.take(paths[0]))
    waiting = kernels.started[paths[1]]
    while waiting.pid is None:
        time.sleep(0.01)
    waiting.kill()
    executed = execute(paths[1], {}, kernels.take(paths[1]))
    assert executed.cells[0].outputs[0].data["text/plain"] == "2"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a nursery")
def test_forked_kernels_draw_different_random_numbers(series, crew):
    draw = "import random\nimport numpy as np\nnp.random.rand(), random.random()"
    paths = series([draw], [draw])
    kernels = crew(paths, True)
    drawn = [execute(path, {}, kernels.take(path)).cells[0] for path in paths]
    assert drawn[0].outputs[0].data != drawn[1].outputs[0].data


@posix
@pytest.mark.parametrize("nursery", WAYS)
def test_kernels_end_with_a_killed_runner(series, tmp_path, nursery):
    paths = series(["1"], ["2"])
    program = (
        "import pathlib, sys, time\n"
        "from helpers.batch.kernels import Kernels\n"
        "from helpers.batch.stopping import Stopping\n"
        f"paths = [pathlib.Path(p) for p in {[str(p) for p in paths]}]\n"
        f"kernels = Kernels(paths, pathlib.Path({str(tmp_path)!r}), Stopping(), "
        f"{nursery})\n"
        "kernels.prepare()\n"
        "print('ready' if kernels.take(paths[0]) else '', flush=True)\n"
        "time.sleep(60)\n"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout.readline().strip() == "ready"
    started = psutil.Process(runner.pid).children(recursive=True)
    assert started
    runner.send_signal(signal.SIGKILL)
    runner.communicate()
    _, alive = psutil.wait_procs(started, timeout=5)
    assert not alive
