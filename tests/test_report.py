"""What a run has achieved: its structure, its sentences, what a batch run says."""

import copy
import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import stand_ins

from helpers import report, runs, tflite
from helpers.files import TutorialError

RESULTS = [report.NotebookResult(stem, "done", 1.25) for stem in runs.STEPS]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of a run that has published two files."""
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))
    found = stand_ins.report(10_000, 9905, 9900, "Only <5,000> images")
    runs.Run("a").save("06_results.json", found.to_dict())
    runs.Run("a").publish({"a.tflite": b"1", "himax_we1_evb/model_data.cc": b"2"})
    return tmp_path / "a"


def test_closing_text_names_places_that_exist(folder):
    (folder / "notebooks").mkdir()
    text = report.closing_text(folder, RESULTS)
    _, _, rest = text.partition("explains):\n")
    written, _, _ = rest.partition("\n\n")
    places = [Path(line.strip()) for line in written.splitlines()]
    assert places == [folder / "published", folder / "notebooks"]  # it has no pages


def test_closing_text_counts_the_published_files(folder):
    text = report.closing_text(folder, RESULTS)
    assert "Written (3 files in published," in text  # SHA256SUMS is one


def test_closing_text_marks_each_line_of_the_notice(folder):
    found = stand_ins.report(10_000, 9905, 9900, "Only <5,000> images. " * 5)
    runs.Run("a").save("06_results.json", found.to_dict())
    _, _, notice = report.closing_text(folder, RESULTS).rpartition("\n\n!! ")
    first, second = notice.rstrip().splitlines()
    assert first.startswith("PLEASE NOTE: Only <5,000> images")
    assert second.startswith("!! ")
    assert len(second) <= 78


def test_closing_text_of_a_failed_run_names_the_last_model_that_passed(folder):
    failed = [*RESULTS[:-1], report.NotebookResult(runs.STEPS[-1], "failed", 1.0)]
    text = report.closing_text(folder, failed)
    assert "holds the last model that passed" in text


# The structure


@pytest.fixture
def found():
    """Return a report as JSON has it."""
    return json.loads(json.dumps(stand_ins.report(10_000, 9905, 9900).to_dict()))


def test_report_comes_back_from_json_as_it_was(found):
    assert report.Report.from_dict(found) == stand_ins.report(10_000, 9905, 9900)


def test_report_in_json_has_the_names_that_readers_of_published_files_know(found):
    assert list(found) == [
        "name",
        "dataset",
        "accuracy",
        "runtime",
        "model",
        "camera",
        "parameters",
        "gate",
    ]
    assert found["accuracy"]["float"] == {"correct": 9905, "images": 10_000}
    assert found["gate"][0]["name"] == "accuracy"


@pytest.mark.parametrize(
    ("part", "field"),
    [("report", "name"), ("dataset", "train_images"), ("int8", "correct")],
)
def test_report_with_a_field_missing_or_too_many_is_refused(found, part, field):
    parts = {
        "report": found,
        "dataset": found["dataset"],
        "int8": found["accuracy"]["int8"],
    }
    parts[part][f"{field}s"] = parts[part].pop(field)
    with pytest.raises(TutorialError, match=f"{field}.*; run notebook 6"):
        report.Report.from_dict(found)


@pytest.mark.parametrize("part", ["dataset", "accuracy", "gate", "camera"])
def test_report_with_text_instead_of_fields_is_refused(found, part):
    found[part] = "MNIST"
    with pytest.raises(TutorialError, match="other fields than expected"):
        report.Report.from_dict(found)


@pytest.mark.parametrize("found", [None, [], "text", 5])
def test_json_that_is_no_report_is_refused(found):
    with pytest.raises(TutorialError, match="other fields than expected"):
        report.Report.from_dict(found)


def test_report_without_the_notebooks_of_its_checks_is_read(found):
    older = copy.deepcopy(found)
    del older["gate"][0]["notebook"]
    assert report.Report.from_dict(older).gate[0].notebook == 6


def test_report_tells_its_checks_that_failed():
    assert stand_ins.report(1000, 990, 960).failed() == []
    [failed] = stand_ins.report(1000, 990, 950).failed()
    assert failed.name == "accuracy"


def test_report_of_a_candidate_has_its_numbers(candidate):
    camera = [report.CameraResult("As in the test set", 990, 1000)]
    checks = candidate.checks()
    made = candidate.report(camera, checks)
    answers = candidate.scores_i8.argmax(axis=1)
    right = int((answers == candidate.data["test_labels"]).sum())
    runtime = candidate.runtime
    assert made.accuracy.float.correct == candidate.trained["test"]["correct"]
    assert made.accuracy.int8 == report.Score(right, 1000)
    assert (made.dataset.train_images, made.dataset.test_images) == (4000, 1000)
    assert made.runtime == report.Runtime(runtime.name, runtime.is_tflm)
    assert made.model.bytes == len(candidate.model_bytes)
    assert made.model.sha256 == hashlib.sha256(candidate.model_bytes).hexdigest()
    assert (made.camera, made.gate) == (camera, checks)
    assert made.parameters == candidate.run.history()
    # All of it is of the declared types, which JSON keeps.
    assert report.Report.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_report_of_a_candidate_has_the_arena_of_its_runtime(candidate):
    model = candidate.report().model
    arena = tflite.arena(candidate.runtime)
    assert arena.used < arena.recommended  # else the two could be swapped
    assert model.arena_used == arena.used
    assert model.arena_recommended == arena.recommended
    assert model.arena_rule == arena.rule


# Sentences


@pytest.mark.parametrize(
    ("correct", "images", "text"),
    [
        (9904, 10_000, "9,904 of 10,000 correct (99.04 %)"),
        (4975, 5000, "4,975 of 5,000 correct (99.50 %)"),
        (4974, 4999, "4,974 of 4,999 correct (99.5 %)"),
        (0, 10, "0 of 10 correct (0.0 %)"),
    ],
)
def test_rate_has_as_many_digits_as_the_images_support(correct, images, text):
    assert report.rate(correct, images) == text


@pytest.mark.parametrize(
    ("before", "after", "images", "text"),
    [
        (9905, 9900, 10_000, "accuracy fell by 0.05 percentage points"),
        (950, 971, 1000, "accuracy rose by 2.1 percentage points"),
        (950, 950, 1000, "accuracy did not change"),
    ],
)
def test_change_is_told_in_percentage_points(before, after, images, text):
    assert report.change(before, after, images) == text


def test_summary_has_the_numbers_of_the_report():
    found = stand_ins.report(10_000, 9905, 9900)
    model = dataclasses.replace(found.model, arena_used=1234, arena_recommended=2048)
    assert report.summary(dataclasses.replace(found, model=model)) == [
        ("dataset", "MNIST: 60,000 images for training, 10,000 for testing"),
        ("before quantization", "9,905 of 10,000 correct (99.05 %)"),
        ("after quantization", "9,900 of 10,000 correct (99.00 %)"),
        ("change", "accuracy fell by 0.05 percentage points"),
        ("measured on", "TensorFlow Lite Micro"),
        ("model", "24,784 bytes"),
        ("tensor arena, in bytes", "1,234 used, 2,048 recommended"),
    ]


def test_closing_text_has_status_and_seconds_of_each_notebook(folder):
    text = report.closing_text(folder, RESULTS)
    for step in runs.STEPS:
        assert f"\n{step:26}done       1.2 s\n" in text


def test_closing_text_of_a_run_without_a_report_has_no_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))
    text = report.closing_text(tmp_path / "b", RESULTS[:1])
    assert "quantization" not in text and "last model" not in text
