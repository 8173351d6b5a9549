"""What a batch run says at its end."""

from pathlib import Path

import pytest
import stand_ins

from helpers import report, runs

RESULTS = [report.NotebookResult(stem, "done", 1.25) for stem in runs.STEPS]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of a run that has published two files."""
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))
    found = stand_ins.report(10_000, 9905, 9900, "Only <5,000> images")
    runs.Run("a").save("06_results.json", found.to_dict())
    runs.Run("a").publish({"a.tflite": b"1", "himax_we1_evb/model_data.cc": b"2"})
    return tmp_path / "a"


def test_closing_text_names_paths_that_exist(folder):
    text = report.closing_text(folder, RESULTS)
    _, _, rest = text.partition("Written:\n")
    written, _, _ = rest.partition("\n\n")
    paths = [Path(line.strip()) for line in written.splitlines()]
    assert len(paths) >= 3
    assert all(path.exists() for path in paths)


def test_closing_text_frames_the_notice(folder):
    text = report.closing_text(folder, RESULTS)
    assert "!! PLEASE NOTE: Only <5,000> images" in text


def test_closing_text_of_a_failed_run_names_the_last_model_that_passed(folder):
    failed = [*RESULTS[:-1], report.NotebookResult(runs.STEPS[-1], "failed", 1.0)]
    text = report.closing_text(folder, failed)
    assert "holds the last model that passed" in text
