"""Rows, comparison and page of a sweep, against values computed by other means."""

import csv
import io
import json
import re
import statistics
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.errors import TutorialError
from helpers.fingerprint import code_fingerprint
from helpers.sweeps import estimate
from helpers.sweeps.bundles import pack, unpack
from helpers.sweeps.comparison import configurations, pareto_front
from helpers.sweeps.grid import Planned
from helpers.sweeps.one_run import _check_same
from helpers.sweeps.page import page
from helpers.sweeps.results import Results, as_csv, keep_run, kept_row, results_of
from helpers.sweeps.whole import _known_identities
from helpers.versions import libraries

REPORT = {
    "accuracy": {
        "float": {"correct": 988, "images": 1000},
        "litert": {"correct": 987, "images": 1000},
        "board": {"correct": 985, "images": 1000},
    },
    "board_runtime": {"name": "TFLM", "is_board_runtime": True},
    "camera": [{"effect": "Inverted", "correct": 1, "images": 3}],
    "dataset": {"name": "MNIST", "test_images": 1000, "train_images": 4000},
    "model": {
        "bytes": 24992,
        "arena_bytes": 10272,
        "operators": ["CONV_2D", "SOFTMAX"],
    },
}


def rows_of(count=6, **more):
    return [
        {
            "run": f"{place:012x}",
            "status": "done",
            "error": "",
            "head": "conv" if place % 2 else "dense",
            "seed": place // 2,
            "epochs": 1,
            "board_accuracy": 90.0 + place,
            "float_accuracy": 91.0,
            "accuracy_drop": 1.0 - place,
            "model_bytes": 25_000 - 100 * (place % 2),
            "seconds": 20.0 + place,
            "threads": 1,
            **more,
        }
        for place in range(count)
    ]


def test_results_hold_accuracies_in_percent_and_every_effect():
    row = results_of(REPORT)
    assert row["board_accuracy"] == 98.5
    assert row["float_accuracy"] == 98.8
    assert row["accuracy_drop"] == 0.3
    assert row["camera: Inverted"] == 33.3333
    assert row["model_bytes"] == 24992
    assert row["operators"] == "CONV_2D SOFTMAX"
    assert results_of({}) == {}


def test_csv_reads_back_as_written_with_a_column_for_whatever_a_row_has():
    rows = [*rows_of(2), {"run": "f", "status": "failed", "error": 'a, "b"\nc'}]
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [row["run"] for row in read] == [row["run"] for row in rows]
    assert read[2]["error"] == 'a, "b"\nc'
    assert read[2]["board_accuracy"] == ""
    assert float(read[1]["board_accuracy"]) == rows[1]["board_accuracy"]


def test_csv_has_no_text_that_a_spreadsheet_would_compute():
    assert "'=1+1" in as_csv([{"run": "a", "error": "=1+1", "drop": -0.5}])
    assert ",-0.5" in as_csv([{"run": "a", "error": "=1+1", "drop": -0.5}])


def test_run_that_arrives_damaged_is_not_kept(tmp_path):
    planned = Planned({"seed": 1}, {"seed": 1}, "seed=1")
    folder = tmp_path / "source" / "published"
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(b"{}")
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  report.json\n")
    files = pack(folder.parent, [folder])
    answer = {"problem": "", "files": files}
    with pytest.raises(TutorialError, match="damaged"):
        keep_run(tmp_path / "runs", "a", planned, answer, attempts=1, threads=1)
    assert kept_row(tmp_path / "runs", "a") is None


@pytest.mark.parametrize(
    "text",
    [
        *["3", "null", '"row"', "[]", "{}", "[" * 100_000],
        '{"run": "b", "status": "done", "seconds": 1}',
        '{"run": "a", "status": "well", "seconds": 1}',
        '{"run": "a", "status": "done", "seconds": "1"}',
    ],
)
def test_row_of_another_kind_is_no_row(tmp_path, text):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "row.json").write_text(text)
    assert kept_row(tmp_path, "a") is None
    row = {"run": "a", "status": "done", "seconds": 1.5}
    (tmp_path / "a" / "row.json").write_text(json.dumps(row))
    assert kept_row(tmp_path, "a") == row


@pytest.mark.parametrize("text", ["3", "[]", "null", '"text"', "{", "[" * 100_000])
def test_identities_of_another_kind_count_as_none(tmp_path, text):
    (tmp_path / "datasets.json").write_text(text)
    assert _known_identities(tmp_path) == {}


def test_table_has_the_order_of_the_grid_whatever_ends_first(tmp_path):
    results = Results(tmp_path, ["a", "b", "c"])
    for run in ("c", "a"):
        results.add({"run": run, "status": "done"})
    results.write()
    lines = (tmp_path / "sweep.csv").read_text().splitlines()
    assert lines == ["run,status", "a,done", "c,done"]


def test_table_that_cannot_be_written_now_is_written_later(tmp_path):
    results = Results(tmp_path, ["a"])
    (tmp_path / "sweep.csv").mkdir()  # as if another program kept it
    results.add({"run": "a", "status": "done"})
    (tmp_path / "sweep.csv").rmdir()
    results.write()
    assert (tmp_path / "sweep.csv").read_text() == "run,status\na,done\n"


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True), st.binary()
    ).filter(lambda d: not any(f"{a}/" in b for a in d for b in d))
)
def test_bundle_brings_every_file_back(tmp_path_factory, files):
    source, target = (tmp_path_factory.mktemp(n) for n in ("source", "target"))
    for name, data in files.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(data)
    unpack(pack(source, [source]), target)
    found = {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }
    assert found == files


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30)
)
def test_pareto_front_is_what_nothing_dominates(points):
    front = {points[place] for place in pareto_front(points)}
    for cost, merit in set(points):
        dominated = any(
            c <= cost and m >= merit and (c, m) != (cost, merit) for c, m in points
        )
        assert ((cost, merit) in front) is not dominated


def test_configurations_take_runs_together_that_differ_in_the_seed_only():
    rows = rows_of(6)
    first, second = configurations(rows, ["head", "seed", "epochs"])
    assert (first.values, second.values) == ({"head": "conv"}, {"head": "dense"})
    own = [row["board_accuracy"] for row in rows if row["head"] == "conv"]
    assert first.mean("board_accuracy") == pytest.approx(np.mean(own))
    assert first.deviation("board_accuracy") == pytest.approx(np.std(own, ddof=1))
    assert configurations(rows[:1], ["head"])[0].deviation("seconds") is None


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.identifiers = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.identifiers += [v for n, v in attributes if n == "id"]


def test_page_stands_alone_and_shows_every_run():
    text = page(rows_of(6), 7)
    tags = Tags(text)
    outside = [
        value
        for tag, attributes in tags.found
        for name, value in attributes.items()
        if name in ("src", "href") and re.match(r"(https?:)?//", value or "")
    ]
    assert not outside
    assert all(row["run"] in text for row in rows_of(6))
    charts = [a for tag, a in tags.found if tag == "svg"]
    assert len(charts) == 3 and all(a["aria-label"] for a in charts)
    assert len(tags.identifiers) == len(set(tags.identifiers))
    accuracies = [row["board_accuracy"] for row in rows_of(6) if row["head"] == "conv"]
    mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
    assert f"{mean:.2f} ± {deviation:.2f}" in text
    assert "1 not run yet" in text


def test_page_takes_dollars_and_tags_in_a_path_as_they_are():
    paths = [r"\\lab\c$\frac$.npz", "<script>alert(1)</script>--><b>.npz"]
    rows = [r | {"dataset": p} for p in paths for r in rows_of(2)]
    text = page(rows, 4)
    assert text.count("<svg") == 3
    assert "<script>alert(1)" not in text and "--><b>" not in text


def test_page_of_failures_only_says_why_and_escapes_it():
    rows = [{"run": "a", "status": "failed", "error": "<script>alert(1)</script>"}]
    text = page(rows, 1)
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text
    assert "<svg" not in text


def test_page_without_any_row_is_a_page():
    assert "0 succeeded" in page([], 3)


def test_large_page_is_cut_and_says_so():
    rows = [row | {"run": f"r{i}"} for i, row in enumerate(rows_of(1) * 1005)]
    text = page(rows, 1005)
    assert "sweep.csv has the other 5 too" in text
    assert len(text) < 2_000_000


def test_estimate_grows_with_work_and_learns_from_finished_runs():
    def run(**values):
        values = {"dataset": "mnist_5k", "epochs": 1, "head": "conv", **values}
        return Planned(everything() | values, values, "")

    one, _ = estimate.estimate([run(seed=1)])
    two, longest = estimate.estimate([run(seed=1), run(seed=2)])
    shared, _ = estimate.estimate([run(), run(head="dense")])
    full, _ = estimate.estimate([run(dataset="mnist")])
    assert one < shared < two and one < full
    assert longest == one
    row = everything() | {"dataset": "mnist_5k", "epochs": 1, "seed": 3}
    row |= {"status": "done", "seconds": 10 * estimate.seconds_of(row)}
    slow, _ = estimate.estimate([run(seed=1)], [row])
    assert slow > 5 * one


def everything():
    from helpers.batch.command_line import declared_parameters

    return {name: p.default for name, (p, _) in declared_parameters().items()}


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "10 s"), (84, "80 s"), (100, "2 min"), (7200, "2.0 h")]
)
def test_durations_are_said_no_more_exactly_than_known(seconds, words):
    assert estimate.in_words(seconds) == words


def test_worker_with_other_code_or_libraries_refuses():
    job = {"code": code_fingerprint(), "libraries": libraries()}
    _check_same(job)
    with pytest.raises(TutorialError, match="another version of this repository"):
        _check_same(job | {"code": "0" * 64})
    with pytest.raises(TutorialError, match="The worker has tensorflow"):
        _check_same(job | {"libraries": libraries() | {"tensorflow": "1.0"}})
