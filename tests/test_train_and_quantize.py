"""The batch command on small stand-in notebooks; with the real ones it is slow."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import numpy as np
import pytest
import stand_ins
from papermill import PapermillExecutionError
from stand_ins import needs_posix, published

from conftest import need
from helpers import datasets, parameters, runs, train_and_quantize

MODEL = "mnist_cnn_int8.tflite"
RUN = ["--recipe=original", "--batch-size=32", "--learning_rate=2e-3"]
RUN += ["--seed=7", "--pixel-scale=2", "--open"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return a house after a run with options, and its result; do not change it."""
    house = stand_ins.House(tmp_path_factory.mktemp("done"))
    browser = house.folder / "browser.py"
    browser.write_text("import sys\nopen('shown', 'w').write(sys.argv[1])")
    house.environment["BROWSER"] = f"{sys.executable} {browser} %s"
    return house, house.command(*RUN)


@pytest.fixture
def house(done, tmp_path):
    """Return a house of one's own with the artifacts of that run."""
    shutil.copytree(done[0].artifacts, tmp_path / "artifacts")
    return stand_ins.House(tmp_path)


@contextlib.contextmanager
def small_disk(folder, size):
    """Mount a file system of this size at `folder`."""
    need("mount", "mount", linux_only=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs a small disk: run as root on Linux")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def cells(house, step):
    """Return the code cells of an executed notebook."""
    path = house.run / "notebooks" / f"{step}.ipynb"
    found = nbformat.read(path, as_version=4).cells
    return [cell for cell in found if cell.cell_type == "code"]


def value(house, step):
    """Return the text of the first value that an executed notebook shows."""
    for cell in cells(house, step):
        for output in cell.outputs:
            if output.output_type == "execute_result":
                return output.data["text/plain"]
    raise AssertionError(f"{step} shows no value")


def sentence(result):
    """Return the one sentence of a run that failed."""
    assert result.returncode == 1, result.stdout
    [line] = result.stderr.splitlines()
    return line


# What a run does


def test_run_that_succeeds_exits_with_0_and_complains_of_nothing(done):
    assert (done[1].returncode, done[1].stderr) == (0, "")


def test_run_prints_a_line_for_each_notebook(done):
    lines = re.findall(r"^0\d_\w+ +done +\d+\.\d s$", done[1].stdout, re.MULTILINE)
    assert [line.split()[0] for line in lines] == list(runs.STEPS)


def test_run_prints_its_accuracy(done):
    assert "971 of 1,000 correct (97.1 %)" in done[1].stdout


def test_run_publishes_the_model_of_its_seed(done):
    assert published(done[0].run)[MODEL] == stand_ins.model(7)


def test_run_writes_a_page_for_each_notebook_and_an_overview(done):
    pages = {path.stem for path in (done[0].run / "report").glob("*.html")}
    assert pages == {*runs.STEPS, "index"}


def test_option_open_shows_the_overview_in_a_browser(done):
    shown = (done[0].folder / "shown").read_text()
    assert shown == (done[0].run / "report" / "index.html").as_uri()


def test_typed_value_wins_over_the_recipe_which_wins_over_the_default(done):
    # batch size and seed typed, augment by the recipe, learning rate by both
    assert value(done[0], "04_train_model") == "(32, False, 0.002, 7)"


def test_value_that_is_not_typed_in_its_own_type_arrives_in_it(done):
    beside = json.loads((done[0].run / "02_preprocessed.npz.json").read_text())
    scale = beside["parameters"]["pixel_scale"]
    assert (type(scale), scale) == (float, 2.0)


def test_copy_of_a_notebook_is_named_and_not_run(done):
    assert "and so left out: 04_train_model copy.ipynb.\n" in done[1].stdout
    executed = {path.stem for path in (done[0].run / "notebooks").glob("*")}
    assert executed == set(runs.STEPS)


def test_kernel_that_a_user_registered_is_not_started(done):
    # It could not start; that of the run is this Python.
    assert value(done[0], "02_preprocess_data") == repr(sys.executable)


def test_notebooks_share_one_kernel_in_which_no_name_survives(done):
    process = value(done[0], "01_load_dataset")
    assert value(done[0], "03_create_model") == f"({process}, False)"


def test_cells_of_each_notebook_are_counted_from_1(done):
    for step in runs.STEPS:
        counts = [cell.execution_count for cell in cells(done[0], step)]
        assert counts == list(range(1, len(counts) + 1))


# What fails


@pytest.fixture(scope="module")
def refused(done, tmp_path_factory):
    """Return a house, and what came of a run whose gate failed."""
    house = stand_ins.House(tmp_path_factory.mktemp("refused"))
    shutil.copytree(done[0].artifacts, house.artifacts)
    options = ["--start-at=6", "--after=900", "--notice=Only 5,000 images"]
    return house, house.command(*options)


def test_gate_that_fails_is_told_with_the_step_that_can_change_it(refused):
    said = sentence(refused[1])
    assert "900 of 1,000 are right, where 960 are expected" in said
    assert said.endswith("goes on from there with --start-at 4.")


def test_gate_that_fails_keeps_what_was_published(done, refused):
    assert published(refused[0].run) == published(done[0].run)


def test_gate_that_fails_is_told_on_the_overview(refused):
    page = (refused[0].run / "report" / "index.html").read_text("utf-8")
    assert "900 of 1,000 are right, where 960 are expected" in page


def test_run_that_starts_late_keeps_the_notebooks_before(refused):
    assert refused[1].stdout.count(" kept ") == 5
    assert "fell by 7.0 percentage points" in refused[1].stdout


def test_notice_is_framed_at_the_end(refused):
    assert "!! PLEASE NOTE: Only 5,000 images" in refused[1].stdout


def test_notebook_that_fails_is_told_in_one_sentence(house):
    before = published(house.run)
    result = house.command("--start-at=3", "--seed=9", "--mishap=fail")
    assert sentence(result) == (
        "Notebook 04_train_model failed: ValueError: asked to fail in two lines; fix "
        "it and go on with --start-at 4."
    )
    assert result.stdout.count(" not run ") == 2
    assert "971 of" not in result.stdout  # of the run before
    assert published(house.run) == before
    assert not (house.run / "notebooks" / "05_quantize_model.ipynb").exists()
    page = (house.run / "report" / "04_train_model.html").read_text("utf-8")
    assert "asked to fail" in page
    # And the command goes on from there.
    assert house.command("--start-at=4", "--seed=9", "--no-pages").returncode == 0
    assert published(house.run)[MODEL] == stand_ins.model(9)


@pytest.mark.parametrize("error", [RuntimeError("dead"), TimeoutError("no reply")])
def test_kernel_that_gives_no_reply_is_told_as_dead(tmp_path, monkeypatch, error):
    def execute(*_):
        raise error

    kernel = train_and_quantize.Kernel(None, None)
    monkeypatch.setattr(train_and_quantize.Kernel, "execute", execute)
    values = train_and_quantize.parse([]).values
    notebook = runs.notebook_path("01_load_dataset")
    said = train_and_quantize._execute(kernel, notebook, tmp_path, values, None)
    assert "01_load_dataset failed: its kernel died" in said


@needs_posix
def test_kernel_that_dies_is_told_within_seconds_and_leaves_no_process(house):
    begun = time.monotonic()
    result = house.command("--start-at=3", "--mishap=die", "--no-pages")
    assert "04_train_model failed: its kernel died" in sentence(result)
    assert time.monotonic() - begun < 30 and house.processes() == []


LATE = """---
sys.stdout.flush_timeout = sys.stderr.flush_timeout = 0
get_ipython().kernel.iopub_thread.io_loop.add_callback(time.sleep, 6)
"""


def test_what_a_cell_shows_late_is_waited_for(tmp_path):
    # As on a busy computer: the cell has ended, and what it shows is on its way.
    notebooks = dict(stand_ins.CELLS)
    notebooks["01_load_dataset"] += LATE
    result = stand_ins.House(tmp_path, notebooks).command("--no-pages")
    assert result.returncode == 0, result.stderr


def papermill_error(name, text):
    return PapermillExecutionError(0, 1, "", ename=name, evalue=text, traceback=[])


def test_error_of_others_is_cut_to_a_line_of_sensible_length():
    error = papermill_error("InvalidArgumentError", "of a kind\n" + 10_000 * "x ")
    found = train_and_quantize.reason(error)
    assert found.startswith("InvalidArgumentError: of a kind x x")
    assert "\n" not in found and len(found) < 400


def test_sentence_of_ours_is_told_whole():
    text = "word " * 200
    found = train_and_quantize.reason(papermill_error("TutorialError", text))
    assert found == text.strip()


@pytest.mark.parametrize(
    ("found", "start_at"),
    [
        ("ValueError: no", 6),
        ("05_candidate.tflite is stale; run notebook 05_quantize_model to make it", 5),
        ("golden vectors: 2 of 10. What can change this is notebook 4; run it", 4),
        ("notebook 12 is none", 6),
    ],
)
def test_failure_names_the_step_that_can_change_what_was_found(found, start_at):
    said = train_and_quantize.failure_sentence("06_test_quantized_model", found)
    assert said.startswith(f"Notebook 06_test_quantized_model failed: {found}; ")
    assert said.endswith(f" with --start-at {start_at}.")


def test_temporary_folder_that_is_full_is_named_with_tmpdir(house):
    temporary = house.folder / "temporary"
    temporary.mkdir()
    house.environment["TMPDIR"] = str(temporary)
    with small_disk(temporary, "1m"):
        said = sentence(house.command())
    assert f"{temporary} has 1 MiB free" in said and "TMPDIR" in said


def test_disk_that_is_full_or_read_only_is_told_in_one_sentence(house):
    shutil.rmtree(house.run / "report")
    shutil.move(house.run, house.folder / "run")
    with small_disk(house.artifacts, "400k"):
        shutil.copytree(house.folder / "run", house.run)
        before = published(house.run)
        free = shutil.disk_usage(house.artifacts).free
        (house.artifacts / "filler").write_bytes(bytes(free - 20_000))
        assert "No space left" in sentence(house.command("--seed=1", "--no-pages"))
        assert published(house.run) == before and house.processes() == []
        subprocess.run(["mount", "-o", "remount,ro", house.artifacts], check=True)
        said = sentence(house.command("--seed=1"))
        assert "Read-only" in said and "ARTIFACTS_DIR" in said


# What a command line may say


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--bogus", "--bogus"),
        ("--epoch=1", "--epoch=1"),
        ("--seed=x", "a whole number, 0 to 1000000"),
        ("--seed=-1", "a whole number, 0 to 1000000"),
        ("--start-at=7", "1 to 6"),
        ("--recipe=other", "default or original"),
        ("--dataset=", "''"),
        ("--dataset=missing.npz", "missing.npz"),
        ("--save-model-name=../a", "../a"),
        ("--start-at=5 --batch-size=32", "leaves out notebook 4, the last that uses"),
        ("--start-at=3 --recipe=original", "leaves out notebook 2, the last that uses"),
    ],
)
def test_wrong_option_ends_with_2_and_a_reason(options, told, capsys):
    with pytest.raises(SystemExit) as end:
        train_and_quantize.parse(options.split())
    assert end.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_wrong_option_touches_nothing(tmp_path):
    house = stand_ins.House(tmp_path)
    assert house.command("--seed=256").returncode == 2
    assert not house.artifacts.exists()


def test_command_line_without_options_means_all_notebooks_and_their_defaults():
    options = train_and_quantize.parse([])
    assert options.start_at == 1 and options.pages and not options.open
    for name, parameter in parameters.all_parameters(runs.notebooks()).items():
        assert options.values[name] == parameter.default


def test_option_may_be_typed_with_dashes_or_underscores():
    values = train_and_quantize.parse(["--batch_size=8", "--learning-rate", "1"]).values
    assert (values["batch_size"], values["learning_rate"]) == (8, 1.0)


def help_text(capsys):
    with pytest.raises(SystemExit) as end:
        train_and_quantize.parse(["--help"])
    assert end.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_help_tells_type_meaning_range_and_default(capsys):
    told = "--batch-size INT images per training step [1 to 4096; default 64]"
    assert told in help_text(capsys)


def test_help_has_each_parameter_below_its_first_notebook(capsys):
    text = help_text(capsys)
    for name, parameter in parameters.all_parameters(runs.notebooks()).items():
        place = text.index(f"--{name.replace('_', '-')} ", text.index("the run:"))
        headings = re.findall(r"the run:|notebook \d, 0\d_\w+:", text[:place])
        in_all = len(parameter.notebooks) == 6
        step = parameter.notebooks[0]
        expected = "the run:" if in_all else f"notebook {step}, {runs.STEPS[step - 1]}:"
        assert headings[-1] == expected


# What interrupts a run


@needs_posix
def test_terminal_shows_the_epoch_and_ctrl_c_leaves_no_process(house):
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    process, shown = house.start("--wait=100", stderr=theirs), b""
    os.close(theirs)
    while b"accuracy: 0.5 - loss: 1.5, Epoch 2/2" not in shown:
        shown += os.read(ours, 10_000)
    assert b"04_train_model" in shown
    assert "still going" in sentence(house.command())
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # the end of a terminal
        while os.read(ours, 10_000):
            pass
    said, _ = process.communicate(timeout=30)
    assert "Written" not in said and process.returncode == 130
    assert house.processes() == [] and time.monotonic() - begun < 5


@needs_posix
@pytest.mark.parametrize("kills", [6, pytest.param(50, marks=pytest.mark.slow)])
def test_run_killed_at_random_leaves_old_or_new_and_the_next_completes(house, kills):
    chance = random.Random(kills)
    begun = time.monotonic()
    assert house.command("--no-pages", "--seed=100").returncode == 0
    duration = time.monotonic() - begun
    for seed in range(kills):
        before = published(house.run)
        process = house.start("--no-pages", f"--seed={seed}")
        time.sleep(chance.uniform(0.3, 1) * duration)
        process.kill()  # its kernel notices within a second
        process.communicate()
        assert house.processes() == []
        found = published(house.run)
        assert found == before or found[MODEL] == stand_ins.model(seed)
    assert house.command("--no-pages", f"--seed={seed}").returncode == 0
    assert published(house.run)[MODEL] == stand_ins.model(seed)
    assert not list(house.run.rglob(".*partial*"))


@pytest.mark.slow
def test_one_kernel_gives_the_model_of_six_kernels_on_an_odd_machine(tmp_path):
    train, test = datasets.load_file("mnist_5k")
    images = {"x_train": train[0] // 2, "x_test": test[0] // 2}  # no pixel is white
    np.savez(tmp_path / "dark.npz", **images, y_train=train[1], y_test=test[1])
    given = {"dataset": f"{tmp_path}/dark.npz", "epochs": 1, "max_accuracy_drop": 100.0}
    odd = {"PATH": "", "MPLBACKEND": "Agg", "KERAS_BACKEND": "torch"}  # no tools, …

    def run(kernels, command):
        place = os.environ | odd | {"ARTIFACTS_DIR": str(tmp_path / kernels)}
        subprocess.run(command, check=True, cwd=runs.NOTEBOOKS, env=place)

    batch = [sys.executable, "-m", "helpers.train_and_quantize", "--no-pages"]
    run("one", batch + [f"--{name}={given[name]}" for name in given])
    for path in runs.notebooks():
        declared = parameters.declared(path)
        known = {name: given[name] for name in given if name in declared}
        alone = [sys.executable, "-m", "papermill", path, tmp_path / "out.ipynb"]
        run("six", [*alone, "-y", json.dumps(known)])
    one, six = tmp_path.glob(f"*/mnist_cnn/published/{MODEL}")
    assert one.read_bytes() == six.read_bytes()
    assert "image/png" in (tmp_path / "out.ipynb").read_text("utf-8")
