"""The small parts of the batch: summary, screen, record, signals, imports."""

import contextlib
import io
import json
import os
import signal
import sys

import nbformat
import pytest
import stand_ins
from hypothesis import given
from hypothesis import strategies as st

from helpers.artifacts import Run
from helpers.batch import record, screen, stopping
from helpers.batch.guard import UsageError, guarded
from helpers.batch.lean import lean_imports
from helpers.batch.summary import in_a_frame, in_columns, notice, summary_rows
from helpers.errors import TutorialError
from helpers.paths import run_folder, shown

REPORT = {
    "dataset": {"name": "MNIST", "train_images": 60000, "test_images": 10000},
    "accuracy": {
        "float": {"correct": 9904, "images": 10000},
        "board": {"correct": 9901, "images": 10000},
        "litert": {"correct": 9902, "images": 10000},
    },
    "board_runtime": {"name": "TensorFlow Lite Micro", "is_board_runtime": True},
    "model": {
        "bytes": 24784,
        "arena_bytes": 9920,
        "recommended_arena_bytes": 13312,
        "operators": ["CONV_2D", "SOFTMAX"],
    },
}

# Summary


def test_summary_of_a_report_says_all():
    rows = dict(summary_rows(REPORT))
    assert rows["dataset"] == "MNIST, 60,000 train and 10,000 test images"
    assert rows["accuracy before quantization"] == "9,904 of 10,000 correct (99.04 %)"
    assert rows["accuracy after quantization"] == "9,901 of 10,000 correct (99.01 %)"
    assert rows["loss of accuracy"] == "0.03 percentage points"
    assert rows["measured on"] == "TensorFlow Lite Micro"
    assert rows["tensor arena"] == "9,920 bytes used, 13,312 bytes recommended"
    assert rows["operators"] == "CONV_2D, SOFTMAX"


def test_summary_names_a_runtime_that_stands_in():
    runtime = {"name": "LiteRT reference kernels", "is_board_runtime": False}
    rows = dict(summary_rows(REPORT | {"board_runtime": runtime}))
    assert "stands in for TensorFlow Lite Micro" in rows["measured on"]


@pytest.mark.parametrize(("board", "says"), [(9904, "0.00"), (9905, "-0.01")])
def test_summary_loss_has_the_right_sign(board, says):
    accuracy = REPORT["accuracy"] | {"board": {"correct": board, "images": 10000}}
    rows = dict(summary_rows(REPORT | {"accuracy": accuracy}))
    assert rows["loss of accuracy"] == f"{says} percentage points"


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner))
)
def test_summary_of_a_strange_report_leaves_out_what_it_cannot_read(value):
    for key in REPORT:
        rows = dict(summary_rows(REPORT | {key: value}))
        assert len(rows) < len(summary_rows(REPORT))
        assert notice(REPORT | {key: value}) == ""


def test_frame_holds_every_word_and_is_straight():
    text = "Measured on a sample of 5,000 images, because the network was down. " * 3
    lines = in_a_frame(text).splitlines()
    assert {len(line) for line in lines} == {78}
    assert " ".join(line.strip("! ") for line in lines[1:-1]).split() == text.split()


def test_columns_are_aligned():
    assert in_columns([("a", "1"), ("long", "2")]) == "  a     1\n  long  2"
    assert in_columns([]) == ""


# Screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_log_gets_lines_without_carriage_returns(monkeypatch):
    stream = io.StringIO()
    view = screen.screen(["a", "b"], stream)
    view.start(1, "01_load")
    view.inside({"done": 1, "total": 4, "unit": "images", "text": "soon"})
    monkeypatch.setattr(screen, "LINE_SECONDS", 0)
    view.inside({"done": 2, "total": 4, "unit": "images", "text": "later"})
    view.finish("done", 2.5)
    view.close()
    assert stream.getvalue().splitlines() == [
        "[1/2] 01_load: 2 of 4 images later",
        "[1/2] 01_load: done, 2.5 s",
    ]


def test_terminal_gets_bars_and_is_left_clean():
    stream = Terminal()
    view = screen.screen(["a"], stream)
    view.start(1, "01_load")
    for done in (0, 2, 4):
        view.inside({"done": done, "total": 4, "unit": "images", "text": "loss 0.3"})
    view.finish("done", 2.5)
    view.close()
    assert "2/4" in stream.getvalue() and "loss 0.3" in stream.getvalue()
    assert "[1/1] 01_load: done, 2.5 s\n" in stream.getvalue()
    assert not stream.getvalue().split("\r")[-1].strip()


@pytest.mark.parametrize("view", [screen.Lines, screen.Bars])
@given(progress=st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_strange_progress_does_no_harm(view, progress):
    shown = view(1, Terminal())
    shown.start(1, "01_load")
    shown.spoke = -1e9  # so that the log speaks at once
    shown.inside(progress | {"done": progress.get("x"), "total": progress.get("y")})
    shown.close()


# Record


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Return folder, notebook and parameters of a notebook that ran."""
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path / "artifacts"))
    notebook = stand_ins.write(tmp_path / "notebooks") / "06_test.ipynb"
    folder = tmp_path / "artifacts" / "mnist_cnn"
    folder.mkdir(parents=True)
    parameters = {"notice": "", "save_model_name": "mnist_cnn"}
    run = Run("mnist_cnn", "06_test", parameters)
    run.save_bytes("06_result.bin", b"result")
    run.publish({"model.tflite": b"model"})
    keep(folder, notebook, parameters)
    return folder, notebook, parameters


def keep(folder, notebook, parameters, change=lambda executed: None):
    executed = nbformat.read(notebook, as_version=4)
    for count, cell in enumerate(executed.cells):
        if cell.cell_type == "code":
            cell.execution_count = count
    facts = record.depends_on(notebook, parameters)
    record.record(executed, notebook, facts, folder)
    change(executed)
    path = record.executed_path(folder, notebook)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(executed), encoding="utf-8")


def test_untouched_record_holds(ran):
    assert record.holds(*ran)
    assert record.first_to_run(ran[0], [ran[1]], {ran[1]: ran[2]}) == 1


def test_record_with_other_parameters_does_not_hold(ran):
    folder, notebook, parameters = ran
    assert not record.holds(folder, notebook, parameters | {"notice": "new"})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "06_result.bin").write_bytes(b"resulT"),
        lambda folder: (folder / "06_result.bin").unlink(),
        lambda folder: (folder / "06_result.bin.json").unlink(),
        lambda folder: (folder / "06_result.bin.json").write_text("[]"),
        lambda folder: (folder / "published" / "model.tflite").write_bytes(b""),
        lambda folder: (folder / "published" / "model.tflite").unlink(),
        lambda folder: (folder / "published" / "SHA256SUMS").unlink(),
        lambda folder: (folder / "notebooks" / "06_test.ipynb").unlink(),
        lambda folder: (folder / "notebooks" / "06_test.ipynb").write_text(
            '{"cells": 3}'
        ),
    ],
)
def test_record_of_what_is_damaged_or_gone_does_not_hold(ran, spoil):
    spoil(ran[0])
    assert not record.holds(*ran)


def test_record_of_another_source_does_not_hold(ran):
    text = ran[1].read_text(encoding="utf-8")
    ran[1].write_text(text.replace("25030", "25031"), encoding="utf-8")
    assert not record.holds(*ran)


def test_record_of_other_helpers_or_libraries_does_not_hold(ran, monkeypatch):
    for changed in ("helpers_fingerprint", "libraries"):
        with monkeypatch.context() as patch:
            patch.setattr(record, changed, lambda: "another")
            assert not record.holds(*ran)
    assert record.holds(*ran)


@pytest.mark.parametrize("named_by", ["parameter", "variable"])
def test_record_holds_for_the_content_of_a_dataset_file(ran, named_by, monkeypatch):
    folder, _, parameters = ran
    images = folder / "images.npz"
    images.write_bytes(b"images")
    if named_by == "variable":
        monkeypatch.setenv("MNIST_NPZ", str(images))
    parameters["dataset"] = "auto" if named_by == "variable" else str(images)
    keep(*ran)
    assert record.holds(*ran)
    images.write_bytes(b"imageS")
    assert not record.holds(*ran)
    assert record.holds(*ran, own_data=False)
    images.unlink()
    assert not record.holds(*ran)
    assert record.holds(*ran, own_data=False)
    parameters["dataset"] = "mnist_5k"
    assert not record.holds(*ran, own_data=False)


def test_record_follows_a_dataset_file_to_another_place(ran, monkeypatch, tmp_path):
    ran[2]["dataset"] = "auto"
    for name in ("here", "there"):
        (tmp_path / name).write_bytes(b"images")
        monkeypatch.setenv("MNIST_NPZ", str(tmp_path / name))
        if name == "here":
            keep(*ran)
        assert record.holds(*ran)
    monkeypatch.delenv("MNIST_NPZ")
    assert not record.holds(*ran)


def test_record_of_a_dataset_file_changed_during_the_run_does_not_hold(ran):
    images = ran[0] / "images.npz"
    images.write_bytes(b"old")
    ran[2]["dataset"] = str(images)
    keep(*ran, change=lambda executed: images.write_bytes(b"new"))
    assert not record.holds(*ran)


def test_record_of_a_failed_or_unfinished_notebook_does_not_hold(ran):
    def fail(executed):
        error = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
        executed.cells[-1].outputs.append(error)

    def stop(executed):
        executed.cells[-1].execution_count = None

    for change in (fail, stop):
        keep(*ran, change=change)
        assert not record.holds(*ran)


# Paths


def test_path_is_shown_so_that_it_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))
    assert shown(run_folder("a") / "b") == f"{tmp_path.resolve().as_posix()}/a/b"
    monkeypatch.setenv("ARTIFACTS_DIR", "mine")
    assert shown(run_folder("a") / "b") == "mine/a/b"
    monkeypatch.delenv("ARTIFACTS_DIR")
    assert shown(run_folder("a") / "b") == "artifacts/a/b"


# Signals

posix = pytest.mark.skipif(
    os.name != "posix", reason="needs POSIX signals: run on Linux"
)


@posix
def test_signal_ends_the_kernels_and_then_raises():
    ended = []
    stop = stopping.Stopping()
    stop.at_once.append(lambda: ended.append("kernels"))
    with stop.handled(), pytest.raises(stopping.Stopped) as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended == ["kernels"]
    assert stopped.value.status == 143


@posix
def test_signal_waits_while_a_process_is_started():
    stop, reached = stopping.Stopping(), []
    with stop.handled(), pytest.raises(stopping.Stopped):
        with stop.held():
            with stop.held():
                os.kill(os.getpid(), signal.SIGINT)
            reached.append("after the inner block")
        reached.append("after the outer block")
    assert reached == ["after the inner block"]


@posix
def test_lost_exception_of_a_signal_is_raised_again():
    stop = stopping.Stopping()
    with stop.handled():
        with contextlib.suppress(stopping.Stopped):  # as a callback in C would do
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # the second one only waits
        with pytest.raises(stopping.Stopped):
            stop.check()


@posix
def test_handlers_are_put_back_and_nohup_is_respected():
    before = signal.getsignal(signal.SIGINT)
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping.Stopping().handled():
            assert signal.getsignal(signal.SIGINT) != before
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, hangup)
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("wrong option"), 2),
        (TutorialError("one sentence"), 1),
        (OSError(28, "No space left on device"), 1),
        (stopping.Stopped(signal.SIGINT), 130),
    ],
)
def test_guarded_turns_errors_into_sentences(error, status, capsys):
    def work(_):
        raise error

    assert guarded(work) == status
    assert "Traceback" not in capsys.readouterr().err


# Imports


def test_lean_imports_hides_the_grammar_and_puts_all_back():
    before = sys.modules.get("rfc3987_syntax")
    with lean_imports():
        assert before or sys.modules["rfc3987_syntax"] is None
    assert sys.modules.get("rfc3987_syntax") == before
