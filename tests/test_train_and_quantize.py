"""The batch command from outside: options, status, what it prints and leaves."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest
import stand_ins

from helpers.parameters import notebook_parameters, notebook_paths
from helpers.train_and_quantize import main

posix = pytest.mark.skipif(
    os.name != "posix", reason="needs POSIX signals: run on Linux"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a house, with a space in its path, where one run has succeeded."""
    house = stand_ins.house(tmp_path_factory.mktemp("a house"))
    house.result = house.command("--epochs=7", "--text=$(touch x) 'q' \"d\" \\n é")
    return house


@pytest.fixture
def house(tmp_path):
    return stand_ins.house(tmp_path)


# Options: read from the notebooks of the repository


def test_help_names_every_parameter_with_type_default_and_meaning(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert stop.value.code == 0
    for notebook in notebook_paths():
        for name, parameter in notebook_parameters(notebook).items():
            assert f"--{name.replace('_', '-')}" in text
            assert " ".join(parameter.help.split()) in text
            assert parameter.accepts in text
            assert f"default {parameter.default}" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--epoch=3"], "There is no option '--epoch'; did you mean --epochs?"),
        (["--batch_sise=64"], "did you mean --batch-size?"),
        (["--epochs"], "expected one argument"),
        (["--epochs=three"], "Parameter epochs got 'three'"),
        (["--epochs=3.5"], "Parameter epochs got '3.5'"),
        (["--epochs=0"], "Parameter epochs got 0"),
        (["--epochs", "-1"], "Parameter epochs got -1"),
        (["--epochs=1" + 300 * "0"], "Parameter epochs got"),
        (["--epochs=9" + 9000 * "9"], "Parameter epochs got"),
        (["--learning-rate=nan"], "Parameter learning_rate got nan"),
        (["--learning-rate=inf"], "Parameter learning_rate got inf"),
        (["--learning-rate=-0"], "Parameter learning_rate got -0.0"),
        (["--augment=maybe"], "Parameter augment got 'maybe'"),
        (["--augment"], "expected one argument"),
        (["--lr-schedule=linear"], "Parameter lr_schedule got 'linear'"),
        (["--save-model-name="], "save_model_name is ''"),
        (["--save-model-name=../up"], "save_model_name is '../up'"),
        (["--save-model-name=a/b"], "save_model_name is 'a/b'"),
        (["--save-model-name=con"], "Windows reserves"),
        (["--save-model-name=" + 300 * "a"], "(302 characters)"),
        (["--recipe=secret"], "invalid choice: 'secret'"),
        (["--recipe=" + 5000 * "0"], "000…000"),
        (["--timeout=0"], "not a whole number of seconds"),
        (["mnist"], "belongs to no option"),
    ],
)
def test_wrong_option_gives_one_sentence_and_status_2(
    arguments, says, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path / "artifacts"))
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert says in output.err
    assert len(output.err.strip().splitlines()) == 1 and len(output.err) < 600
    assert not output.out
    assert not (tmp_path / "artifacts").exists()


def parsed(*arguments):
    from helpers.batch.command_line import parse

    return parse(arguments)[0]


def test_help_is_short_and_names_each_option_once(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "usage: python -m helpers.train_and_quantize [options]"
    named = [line.split()[0] for line in lines if line.startswith("  --")]
    assert "--batch-size" in named and len(set(named)) == len(named)
    assert not any("_" in option for option in named)


def test_options_accept_dashes_and_underscores():
    assert (
        parsed("--batch-size=8")
        == parsed("--batch_size=8")
        == parsed("--batch-size", "8")
    )
    assert parsed("--batch-size=8")["batch_size"] == 8


def test_false_as_text_is_false():
    assert parsed("--augment=false")["augment"] is False
    assert parsed("--augment", "True")["augment"] is True


def test_recipe_original_sets_what_no_option_sets():
    values = parsed("--recipe=original", "--learning-rate=0.25")
    assert values["pixel_scale"] == 1.0
    assert values["augment"] is False
    assert values["learning_rate"] == 0.25
    assert parsed()["pixel_scale"] == 128.0


def test_recipes_fit_the_parameters_of_the_notebooks():
    from helpers.batch.command_line import declared_parameters
    from helpers.recipes import RECIPES

    declared = declared_parameters()
    for values in RECIPES.values():
        for name, value in values.items():
            assert declared[name][0].check(value) == value


def test_shared_parameter_with_two_defaults_is_refused(house):
    path = house.folder / "notebooks" / "04_train.ipynb"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("seed: int = 1 ", "seed: int = 2 "), encoding="utf-8")
    result = house.command()
    assert result.returncode == 1
    assert "03 and 04 declare the parameter seed" in result.stderr


# A run that succeeds


def test_run_succeeds_and_prints_the_summary(finished):
    result = finished.result
    assert result.returncode == 0, result.stderr
    assert "97 of 100 correct (97.0 %)" in result.stdout
    assert re.search(r"loss of accuracy +1.0 percentage points", result.stdout)
    assert "25,030 bytes" in result.stdout
    assert f"  {finished.run.as_posix()}/published/model.tflite\n" in result.stdout
    assert "!!" not in result.stdout


def test_progress_in_a_log_is_one_line_a_notebook(finished):
    lines = finished.result.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"[{place}/6] {name}" for place, name in enumerate(stand_ins.NAMES, 1)
    ]
    assert "\r" not in finished.result.stderr


def test_executed_notebooks_count_from_1_and_hold_no_trace_of_warming(finished):
    for name in stand_ins.NAMES:
        notebook = finished.executed(name)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        counts = [cell.execution_count for cell in code]
        assert counts == list(range(1, len(code) + 1))
        assert code[0].outputs == []


def test_parameters_reach_their_notebook_and_only_that(finished):
    injected = {
        name: [
            cell.source
            for cell in finished.executed(name).cells
            if "injected-parameters" in cell.metadata.get("tags", [])
        ]
        for name in stand_ins.NAMES
    }
    assert ["epochs = 7" in text for text in injected["04_train"]] == [True]
    assert injected["02_scale"] == injected["03_create"] == []


def test_text_parameter_is_never_evaluated(finished):
    notebook = finished.executed("01_load")
    texts = [o.text for c in notebook.cells for o in c.get("outputs", [])]
    assert texts == ["$(touch x) 'q' \"d\" \\n é\n"]
    assert not list(finished.folder.rglob("x"))


def test_run_leaves_no_process_and_no_temporary_file(finished):
    assert finished.processes() == []
    assert not list(finished.artifacts.rglob(".partial-*"))
    assert sorted(path.name for path in finished.folder.iterdir()) == [
        "artifacts",
        "notebooks",
    ]


def test_pages_are_there_with_the_overview(finished):
    pages = {path.name for path in (finished.run / "report").iterdir()}
    assert pages == {f"{name}.html" for name in stand_ins.NAMES} | {"index.html"}


def test_notice_is_framed_and_comes_last(finished):
    result = finished.command("--resume", "--epochs=7", "--notice=only a sample")
    assert result.returncode == 0
    assert result.stdout.rstrip().splitlines()[-2].startswith("!! only a sample")


def test_resume_of_a_complete_run_runs_nothing(finished):
    finished.command("--resume", "--epochs=7")
    before = (finished.run / "notebooks" / "06_test.ipynb").stat().st_mtime_ns
    result = finished.command("--resume", "--epochs=7")
    assert result.returncode == 0
    assert result.stdout.count(" kept") == 6
    assert (finished.run / "notebooks" / "06_test.ipynb").stat().st_mtime_ns == before
    assert (finished.run / "report" / "index.html").exists()


@posix
def test_open_opens_the_page_of_the_run(finished):
    browser = finished.folder / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > '{finished.folder}/opened'\n")
    browser.chmod(0o755)
    finished.command("--resume", "--epochs=7", "--open", BROWSER=f"'{browser}' %s")
    opened = finished.folder / "opened"
    assert opened.read_text().strip().endswith("/artifacts/mnist_cnn/report/index.html")
    opened.unlink()
    browser.unlink()


def test_resume_after_damage_starts_at_the_notebook_that_made_it(finished):
    (finished.run / "published" / "model.tflite").write_bytes(b"abd")
    result = finished.command("--resume", "--epochs=7")
    assert result.returncode == 0
    assert result.stdout.count(" kept") == 5
    assert json.loads((finished.run / "published" / "report.json").read_bytes())


def test_resume_reads_a_dataset_file_again_that_has_changed(house, tmp_path):
    images = tmp_path / "images.npz"
    for content, kept in ((b"old", 0), (b"old", 6), (b"new", 0)):
        images.write_bytes(content)
        result = house.command("--resume", MNIST_NPZ=str(images))
        assert result.returncode == 0, result.stderr
        assert result.stdout.count(" kept") == kept


# A run that fails


def test_failed_notebook_is_kept_named_and_ends_the_run(house):
    assert house.command().returncode == 0
    published = (house.run / "published" / "SHA256SUMS").read_bytes()

    result = house.command("--mishap=fail", "--pixel-scale=2")
    assert result.returncode == 1
    sentence = result.stderr.splitlines()[-1]
    assert "Notebook 04_train failed in code cell 8 of 11" in sentence
    assert "under “What it does” (`# The cell that fails`)" in sentence
    assert sentence.endswith("ValueError: asked to fail")
    assert re.search(r"05_quantize +not run", result.stdout)
    assert "as an earlier run left it" in result.stdout
    assert "97 of 100" not in result.stdout

    outputs = [
        o for c in house.executed("04_train").cells for o in c.get("outputs", [])
    ]
    assert outputs[-1].ename == "ValueError"
    assert "papermill" not in house.executed("04_train").cells[0].source
    assert not (house.run / "notebooks" / "05_quantize.ipynb").exists()
    page = (house.run / "report" / "05_quantize.html").read_text(encoding="utf-8")
    assert "05_quantize was not run" in page
    assert (house.run / "published" / "SHA256SUMS").read_bytes() == published

    result = house.command("--resume", "--pixel-scale=2")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(" kept") == 3
    assert (house.run / "notebooks" / "06_test.ipynb").exists()


def test_dead_kernel_is_reported_within_10_seconds(house):
    started = time.monotonic()
    result = house.command("--mishap=die")
    assert result.returncode == 1
    assert "kernel was killed by SIGKILL" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert time.monotonic() - started < 10 + 10  # start-up included
    assert house.processes() == []


def test_cell_that_takes_longer_than_the_timeout_ends_the_run(house):
    result = house.command("--wait=100", "--timeout=1")
    assert result.returncode == 1
    assert "longer than --timeout allows (1 s)" in result.stderr
    assert house.processes() == []


# A run that is stopped


@posix
@pytest.mark.parametrize(
    ("number", "when"),
    [
        (signal.SIGINT, ".batch.lock"),  # as the kernels start
        (signal.SIGINT, "02_scaled.npz"),
        (signal.SIGTERM, "03_model.keras"),
    ],
)
def test_signal_ends_all_within_3_seconds(house, number, when):
    process = house.start("--wait=60")
    house.wait_for(when)
    begun = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - begun < 3
    assert process.returncode == 128 + number
    assert house.processes() == []
    assert "Traceback" not in errors
    assert "--resume" in errors.splitlines()[-1]
    assert not list(house.artifacts.rglob(".partial-*"))


@posix
def test_interrupt_in_the_middle_of_training_ends_all(house):
    process = house.start("--mishap=tensorflow")
    house.wait_for("04_begun.txt")
    time.sleep(1)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert time.monotonic() - begun < 3
    assert process.returncode == 130
    assert house.processes() == []


@posix
def test_killed_runner_takes_its_kernels_along_and_leaves_room_for_the_next(house):
    process = house.start("--wait=60")
    house.wait_for("03_model.keras")
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 3
    while house.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert house.processes() == []
    assert list(
        house.artifacts.rglob(".partial-*")
    )  # so the next line proves something
    assert house.command().returncode == 0
    assert not list(house.artifacts.rglob(".partial-*"))


def test_second_run_under_the_same_name_is_refused_with_the_first_ones_id(house):
    first = house.start("--wait=20")
    house.wait_for("03_model.keras")
    second = house.command()
    assert second.returncode == 1
    assert re.search(rf"process {first.pid}, started \d{{4}}-", second.stderr)
    first.terminate()
    first.communicate()


# What befalls a run


def test_folder_that_is_a_file_gives_one_sentence(house):
    house.artifacts.write_text("not a folder")
    result = house.command()
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "artifacts/mnist_cnn" in result.stderr


@posix
def test_folder_removed_meanwhile_gives_a_sentence_and_no_traceback(house):
    import shutil

    process = house.start("--wait=4")
    house.wait_for("03_model.keras")
    time.sleep(0.5)
    shutil.rmtree(house.run)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in output + errors
    assert "No such file" in errors or "is missing" in errors
    assert house.processes() == []


@posix
def test_terminal_shows_a_bar_for_training(house):
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = house.start("--wait=1.5", stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # the terminal is gone with the process
        while data := os.read(ours, 65536):
            seen += data
    os.close(ours)
    assert process.wait() == 0
    text = seen.decode(errors="replace")
    assert "batches" in text and "epoch 1" in text
    assert "[4/6] 04_train: done" in text
