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
from stand_ins import needs_posix, published

from helpers import datasets, runs

MODEL = "mnist_cnn_int8.tflite"
OPTIONS = (
    "--batch-size=32 --learning_rate=1e-3 --augment=False --seed=7 --pixel-scale=2"
)
WRONG = {
    "--bogus": "--bogus",
    "--epoch=1": "--epoch=1",
    "--seed=x": "a whole number, 0 to 255",
    "--seed=256": "a whole number, 0 to 255",
    "--start-at=7": "1 to 6",
    "--recipe=other": "default or original",
    "--dataset=": "''",
    "--dataset=missing.npz": "missing.npz",
    "--save-model-name=../a": "../a",
    "--start-at=5 --batch-size=32": "--batch_size",
}
FAILURES = {  # and words of the sentence that each gives
    "--mishap=fail": "04_train_model failed: ValueError: asked to fail in two lines; ",
    "--mishap=die": "04_train_model failed: its kernel died",
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return a house after a run with options, and its result; do not change it."""
    house = stand_ins.House(tmp_path_factory.mktemp("done"))
    return house, house.command("--recipe=original", *OPTIONS.split())


@pytest.fixture
def house(done, tmp_path):
    """Return a house of one's own with the artifacts of that run."""
    shutil.copytree(done[0].artifacts, tmp_path / "artifacts")
    return stand_ins.House(tmp_path)


def cells(house, stem):
    path = house.run / "notebooks" / f"{stem}.ipynb"
    found = nbformat.read(path, as_version=4).cells
    return [cell for cell in found if cell.cell_type == "code"]


def value(house, stem):
    """Return the text of the first value that an executed notebook shows."""
    found = [output for cell in cells(house, stem) for output in cell.outputs]
    return next(o for o in found if o.output_type == "execute_result").data[
        "text/plain"
    ]


def sentence(result):
    """Return the one sentence of a run that failed."""
    assert result.returncode == 1, result.stdout
    [line] = result.stderr.splitlines()
    return line


def test_run_prints_its_table_and_writes_what_it_says(done):
    house, result = done
    assert result.returncode == 0 and result.stderr == ""
    assert len(re.findall(r"^0\d_\w+ +done +\d", result.stdout, re.MULTILINE)) == 6
    assert "971 of 1,000 correct (97.1 %)" in result.stdout
    written = result.stdout.partition("Written:\n")[2].split()
    assert len(written) == 6 and all((house.folder / path).exists() for path in written)
    assert len(list((house.run / "report").glob("*.html"))) == 7
    assert published(house.run)[MODEL] == stand_ins.model(7)


def test_parameters_arrive_in_their_types_and_win_over_the_recipe(done):
    assert value(done[0], "04_train_model") == "(32, False, 0.001, 7)"
    beside = json.loads((done[0].run / "02_preprocessed.npz.json").read_text())
    assert beside["parameters"]["pixel_scale"] == 2.0


def test_notebooks_share_one_kernel_in_which_no_name_survives(done):
    process = value(done[0], "01_load_dataset")
    assert (
        value(done[0], "03_create_model") == f"({process}, False)"
    )  # no name is left over
    for stem in stand_ins.CELLS:
        counts = [cell.execution_count for cell in cells(done[0], stem)]
        assert counts == list(range(1, len(counts) + 1))


def test_gate_that_fails_keeps_what_was_published_and_is_said_once(house):
    before = published(house.run)
    result = house.command("--start-at=6", "--after=900", "--notice=Only 5,000 images")
    said = "900 of 1,000 are right, where 960 are expected"
    assert said in sentence(result) and "--start-at 6" in sentence(result)
    assert result.stdout.count("kept") == 5 and "fell by 7.0" in result.stdout
    assert "!! PLEASE NOTE: Only 5,000 images" in result.stdout
    assert published(house.run) == before
    assert said in (house.run / "report" / "index.html").read_text("utf-8")


@needs_posix
@pytest.mark.parametrize("options", FAILURES)
def test_notebook_that_fails_is_told_and_can_be_gone_on_with(house, options):
    before, begun = published(house.run), time.monotonic()
    result = house.command("--start-at=3", "--seed=9", *options.split())
    assert time.monotonic() - begun < 30 and house.processes() == []
    assert FAILURES[options] in sentence(result) and "--start-at 4" in sentence(result)
    assert result.stdout.count("not run") == 2 and "971 of" not in result.stdout
    assert published(house.run) == before
    assert not (house.run / "notebooks" / "05_quantize_model.ipynb").exists()
    if options == "--mishap=fail":
        page = (house.run / "report" / "04_train_model.html").read_text("utf-8")
        assert "asked to fail" in page
        assert house.command("--start-at=4", "--seed=9", "--no-pages").returncode == 0
        assert published(house.run)[MODEL] == stand_ins.model(9)


@pytest.mark.parametrize("options", WRONG)
def test_wrong_option_ends_with_2_before_anything_is_touched(tmp_path, options):
    house = stand_ins.House(tmp_path)
    result = house.command(*options.split())
    assert result.returncode == 2 and result.stdout == ""
    assert WRONG[options] in result.stderr.splitlines()[-1]
    assert not house.artifacts.exists()


def test_help_tells_type_meaning_range_default_and_notebooks(tmp_path):
    text = " ".join(stand_ins.House(tmp_path).command("--help").stdout.split())
    assert re.search("--batch-size( INT)?, --batch_size INT", text)
    assert "images per step [1 to 4096; default 64; notebook 4]" in text
    assert "notebook 1, 2, 3, 4, 5, 6" in text and "exit status: 0" in text


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
    assert process.communicate(timeout=30)[0] == "" and process.returncode == 130
    assert house.processes() == [] and time.monotonic() - begun < 5


@needs_posix
@pytest.mark.parametrize("kills", [12, pytest.param(50, marks=pytest.mark.slow)])
def test_run_killed_at_random_leaves_old_or_new_and_the_next_completes(house, kills):
    chance, begun = random.Random(kills), time.monotonic()
    assert house.command("--no-pages", "--seed=100").returncode == 0
    duration = time.monotonic() - begun
    for seed in range(kills):
        before, arguments = published(house.run), ["--no-pages", f"--seed={seed}"]
        process = house.start(*arguments)
        time.sleep(chance.uniform(0.3, 1) * duration)
        process.kill()  # its kernel notices within a second
        process.communicate()
        assert house.processes() == []
        found = published(house.run)
        assert found == before or found[MODEL] == stand_ins.model(seed)
        if kills > 12 or seed == kills - 1:
            assert house.command(*arguments).returncode == 0
            assert published(house.run)[MODEL] == stand_ins.model(seed)
            assert not list(house.run.rglob(".*partial*"))


def test_disk_that_is_full_or_read_only_is_told_in_one_sentence(house):
    shutil.rmtree(house.run / "report")
    shutil.move(house.run, house.folder / "run")
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", house.artifacts]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs a small disk: run as root on Linux")
    try:
        shutil.copytree(house.folder / "run", house.run)
        before, free = published(house.run), shutil.disk_usage(house.artifacts).free
        (house.artifacts / "filler").write_bytes(bytes(free - 20_000))
        assert "No space left" in sentence(house.command("--seed=1", "--no-pages"))
        assert published(house.run) == before and house.processes() == []
        subprocess.run(["mount", "-o", "remount,ro", house.artifacts], check=True)
        said = sentence(house.command("--seed=1"))
        assert "Read-only" in said and "ARTIFACTS_DIR" in said
    finally:
        subprocess.run(["umount", "-l", house.artifacts], check=True)


@pytest.mark.slow
def test_one_kernel_gives_the_model_of_six_kernels_on_an_odd_machine(tmp_path):
    train, test = datasets.load_file("mnist_5k")
    images = {"x_train": train[0] // 2, "x_test": test[0] // 2}  # no pixel is white
    np.savez(tmp_path / "dark.npz", **images, y_train=train[1], y_test=test[1])
    given = {"dataset": f"{tmp_path}/dark.npz", "epochs": 1, "max_accuracy_drop": 100.0}
    odd = {"PATH": "", "MPLBACKEND": "Agg", "KERAS_BACKEND": "torch"}  # no tools, …
    batch = [sys.executable, "-m", "helpers.train_and_quantize", "--no-pages"]
    commands = [("one", [*batch, *(f"--{name}={given[name]}" for name in given)])]
    for path in sorted(runs.NOTEBOOKS.glob("0*.ipynb")):
        known = {name: given[name] for name in runs.declared(path) if name in given}
        alone = [sys.executable, "-m", "papermill", path, tmp_path / "out.ipynb"]
        commands.append(("six", [*alone, "-y", json.dumps(known)]))
    for kernels, command in commands:
        place = os.environ | odd | {"ARTIFACTS_DIR": str(tmp_path / kernels)}
        subprocess.run(command, check=True, cwd=runs.NOTEBOOKS, env=place)
    one, six = tmp_path.glob(f"*/mnist_cnn/published/{MODEL}")
    assert one.read_bytes() == six.read_bytes()
    assert "image/png" in (tmp_path / "out.ipynb").read_text("utf-8")
