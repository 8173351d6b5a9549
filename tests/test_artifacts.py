"""Artifacts: what is damaged, stale or of another run is refused before it is used."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.artifacts import Run, open_run
from helpers.errors import TutorialError
from helpers.parameters import notebook_path
from helpers.sealed import sealed_files
from helpers.versions import LIBRARIES, versions

ARTIFACTS = [
    "01_dataset.npz",
    "02_preprocessed.npz",
    "03_model.keras",
    "04_model.keras",
    "04_predictions.npz",
    "04_history.json",
    "05_candidate.tflite",
]
PUBLISHED = {"a_int8.tflite": b"TFL3" * 500, "board/model.h": b"extern", "e": b""}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))
    return tmp_path


def notebook(number, name="a", **parameters):
    stem = notebook_path(number).stem
    return Run(name, stem, {"save_model_name": name, **parameters})


def run_01(name="a", value=0):
    notebook("01", name).save_arrays("01_dataset.npz", images=np.full(999, value))


def run_02(name="a", pixel_scale=128.0):
    run = notebook("02", name, pixel_scale=pixel_scale)
    images = run.load_arrays("01_dataset.npz")["images"]
    run.save_arrays("02_preprocessed.npz", images=images, scale=np.array(pixel_scale))


def run_03(name="a", seed=1):
    run = notebook("03", name, seed=seed)
    run.save_bytes("03_model.keras", b"model %d" % seed)


def run_04(name="a", epochs=5, stop_after=3):
    run = notebook("04", name, epochs=epochs)
    run.load_arrays("02_preprocessed.npz")
    run.load_bytes("03_model.keras")
    steps = [
        lambda: run.save_bytes("04_model.keras", b"trained %d" % epochs),
        lambda: run.save_arrays("04_predictions.npz", logits=np.full(99, epochs)),
        lambda: run.save_json("04_history.json", {"epochs": epochs}),
    ]
    for step in steps[:stop_after]:
        step()
    return run


def run_05(name="a", head="conv"):
    run = notebook("05", name, head=head)
    run.load_arrays("02_preprocessed.npz")
    model = run.load_bytes("04_model.keras")
    run.save_bytes("05_candidate.tflite", b"TFL3" * 500 + model)


def open_06(name="a"):
    run = notebook("06", name)
    run.load_arrays("02_preprocessed.npz")
    run.load_json("04_history.json")
    run.load_arrays("04_predictions.npz")
    run.load_bytes("05_candidate.tflite")
    return run


def run_all(name="a"):
    for run in (run_01, run_02, run_03, run_04, run_05):
        run(name)
    run = open_06(name)
    run.publish(PUBLISHED)
    return run


def refusal(call, *arguments):
    with pytest.raises(TutorialError) as error:
        call(*arguments)
    text = str(error.value)
    assert "\n" not in text and text.endswith(".")
    return text


# Saving and loading


def test_arrays_come_back_with_values_types_and_shapes(root):
    arrays = {
        "a": np.arange(6, dtype=np.int8).reshape(1, 2, 3),
        "b": np.array("naïve ☃"),
        "c": np.float32([np.nan, np.inf, -0.0]),
    }
    notebook("01").save_arrays("01_dataset.npz", **arrays)
    loaded = Run("a").load_arrays("01_dataset.npz")
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)


def test_arrays_of_objects_are_not_saved(root):
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        notebook("01").save_arrays("01_dataset.npz", a=np.array([{}, None]))
    assert not (root / "a" / "01_dataset.npz").exists()


@given(st.binary(max_size=50))
def test_bytes_come_back_from_a_file_with_any_content(tmp_path_factory, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTIFACTS_DIR", str(tmp_path_factory.mktemp("root")))
        notebook("05").save_bytes("05_candidate.tflite", data)
        assert Run("a").load_bytes("05_candidate.tflite") == data


def test_json_refuses_what_is_not_a_number(root):
    with pytest.raises(ValueError):
        notebook("04").save_json("04_history.json", {"loss": float("nan")})
    assert not (root / "a" / "04_history.json").exists()


def test_lineage_names_all_that_an_artifact_was_made_from_in_order(root):
    run_all()
    lineage = Run("a").lineage("05_candidate.tflite")
    made = ["02_preprocessed.npz", "03_model.keras", "04_model.keras"]
    assert list(lineage) == ["01_dataset.npz", *made, "05_candidate.tflite"]
    assert lineage["02_preprocessed.npz"]["parameters"]["pixel_scale"] == 128.0
    assert all("previous" not in entry for entry in lineage.values())
    parameters = Run("a", None, {"own": 1}).all_parameters(lineage)
    assert parameters == {
        "save_model_name": "a",
        "pixel_scale": 128.0,
        "seed": 1,
        "epochs": 5,
        "head": "conv",
        "own": 1,
    }


def test_same_work_gives_the_same_files_byte_for_byte(root, trained):
    model = trained()
    contents = []
    for _ in range(2):
        shutil.rmtree(root / "a", ignore_errors=True)
        run_all()
        notebook("03").save_model("03_model.keras", model)
        contents.append(
            {p: p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
        )
    assert contents[0] == contents[1]


def test_keras_model_comes_back_with_its_outputs(root, trained):
    run = notebook("03")
    run.save_model("03_model.keras", trained())
    images = np.random.default_rng(0).uniform(-1, 1, (3, 28, 28, 1))
    np.testing.assert_array_equal(
        Run("a").load_model("03_model.keras").predict(images, verbose=0),
        trained().predict(images, verbose=0),
    )


def test_saved_model_is_listed_and_checked(root, trained):
    notebook("04").save_saved_model("04_saved_model", trained())
    folder = root / "a" / "04_saved_model"
    assert "saved_model.pb" in sealed_files(folder)
    (folder / "saved_model.pb").write_bytes(b"")
    text = refusal(sealed_files, folder)
    assert "saved_model.pb" in text and "04_train_model" in text


# Damage


def positions(size):
    return sorted({0, 1, size // 3, size // 2, size - 2, size - 1})


def damaged(data, other):
    """Yield what can befall the bytes of a file."""
    for place in positions(len(data)):
        for bits in (0x01, 0x20, 0x80):
            yield data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :]
        yield data[:place]
        yield data[:place] + data[place + 1 :]
        yield data[:place] + b" " + data[place:]
    yield data + b"\0"
    yield data + b"\n"
    yield other


@pytest.mark.parametrize("artifact", ARTIFACTS)
@pytest.mark.parametrize("suffix", ["", ".json"])
def test_damaged_artifact_or_manifest_is_refused_with_its_notebook(
    root, artifact, suffix
):
    run_all()
    run_all("b")
    run_01("b", 1)
    run_02("b", 1.0)
    run_03("b", 2)
    run_04("b", 6)
    run_05("b", "dense")
    path = root / "a" / f"{artifact}{suffix}"
    whole, other = path.read_bytes(), (root / "b" / path.name).read_bytes()
    for data in damaged(whole, other):
        assert data != whole
        path.write_bytes(data)
        text = refusal(Run("a").load_bytes, artifact)
        assert f"/a/{artifact}" in text
        assert notebook_path(artifact[:2]).stem in text
        assert "-p save_model_name a" in text
    path.unlink()
    assert artifact in refusal(Run("a").load_bytes, artifact)
    path.write_bytes(whole)
    Run("a").load_bytes(artifact)


def test_every_byte_of_a_manifest_counts(root):
    run_03()
    path = root / "a" / "03_model.keras.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        refusal(Run("a").load_bytes, "03_model.keras")


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists) | st.binary())
def test_manifest_with_any_other_content_is_refused(tmp_path_factory, content):
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTIFACTS_DIR", str(tmp_path_factory.mktemp("root")))
        run_03()
        Run("a").path("03_model.keras.json").write_bytes(content)
        assert "damaged manifest" in refusal(Run("a").load_bytes, "03_model.keras")


def test_manifest_of_nested_lists_is_refused(root):
    run_03()
    Run("a").path("03_model.keras.json").write_bytes(b"[" * 10**6)
    assert "damaged manifest" in refusal(Run("a").load_bytes, "03_model.keras")


def test_artifact_of_another_run_is_refused_with_its_manifest(root):
    run_all()
    run_all("b")  # the same in every byte but the name of the run
    for name in ("01_dataset.npz", "01_dataset.npz.json"):
        shutil.copy(root / "b" / name, root / "a" / name)
    assert "of b" in refusal(Run("a").load_bytes, "01_dataset.npz")


def test_artifact_that_is_a_folder_is_refused(root):
    run_03()
    Run("a").path("03_model.keras").unlink()
    Run("a").path("03_model.keras").mkdir()
    assert "cannot be read" in refusal(Run("a").load_bytes, "03_model.keras")


def test_missing_artifact_names_place_notebook_and_command(root):
    text = refusal(notebook("02").load_arrays, "01_dataset.npz")
    assert text == (
        f"{root.resolve().as_posix()}/a/01_dataset.npz is missing; notebook "
        "01_load_dataset makes it: run all its cells in JupyterLab, or run `papermill "
        "notebooks/01_load_dataset.ipynb out.ipynb -p save_model_name a`."
    )


def test_damaged_source_is_noticed_by_what_was_made_from_it(root):
    run_all()
    path = root / "a" / "01_dataset.npz"
    path.write_bytes(path.read_bytes()[:-1])
    text = refusal(Run("a").load_bytes, "05_candidate.tflite")
    assert "01_dataset.npz is damaged" in text and "01_load_dataset" in text


def test_model_is_read_from_the_bytes_that_were_checked(root, trained, monkeypatch):
    notebook("03").save_model("03_model.keras", trained())
    run, check = Run("a"), Run.load_bytes

    def check_then_exchange(self, artifact):
        data = check(self, artifact)
        self.path(artifact).write_bytes(b"exchanged after the check")
        return data

    monkeypatch.setattr(Run, "load_bytes", check_then_exchange)
    assert run.load_model("03_model.keras").count_params() == 16_842


# Stale


def test_new_preprocessing_makes_the_trained_model_stale(root):
    run_all()
    run_02(pixel_scale=1.0)
    text = refusal(notebook("05").load_bytes, "04_model.keras")
    assert "04_model.keras is stale" in text and "older 02_preprocessed.npz" in text
    assert "papermill notebooks/04_train_model.ipynb" in text
    run_04()
    run_05()
    open_06()


def test_what_is_stale_first_is_named_first(root):
    run_all()
    run_01(value=1)
    assert "02_preprocessed.npz is stale" in refusal(
        Run("a").load_bytes, "05_candidate.tflite"
    )


def test_same_work_again_makes_nothing_stale(root):
    run_all()
    run_01()
    run_02()
    run_03()
    run_04()
    open_06()


def test_training_that_ended_between_two_writes_is_never_mixed(root):
    """A new model beside old results of the test would publish a wrong accuracy."""
    run_all()
    for stop_after in (1, 2):
        run_04(epochs=stop_after, stop_after=stop_after)
        run_05()
        assert "is stale" in refusal(open_06)
    run_04()
    run_05()
    open_06()


def test_cells_run_twice_in_one_session_depend_only_on_those_above(root):
    run_all()
    run = run_04()
    run.save_bytes("04_model.keras", b"trained once more")
    sources = Run("a").lineage("04_model.keras")["04_model.keras"]["made_from"]
    assert list(sources) == ["02_preprocessed.npz", "03_model.keras"]
    assert "is stale" in refusal(Run("a").load_bytes, "04_history.json")
    run.save_arrays("04_predictions.npz", logits=np.zeros(1))
    run.save_json("04_history.json", {})
    Run("a").load_bytes("04_history.json")


def test_removed_source_does_not_make_stale(root):
    run_all()
    Run("a").path("01_dataset.npz").unlink()
    open_06()


# Publishing


def test_publishing_replaces_all_files_and_lists_them(root):
    run = run_all()
    assert set(sealed_files(run.published)) == set(PUBLISHED)
    run.publish({"only": b"this"})
    assert set(sealed_files(run.published)) == {"only"}
    assert run.load_published("only") == b"this"


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs the program sha256sum")
def test_published_list_is_understood_by_sha256sum(root):
    run = run_all()
    subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=run.published,
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("again", [run_01, run_02, run_03, run_04])
def test_publishing_is_refused_if_a_source_was_made_anew_meanwhile(root, again):
    run_all()
    run = open_06()
    before = (run.published / "SHA256SUMS").read_bytes()
    again("a", 7)
    text = refusal(run.publish, {"only": b"this"})
    assert "made anew" in text or "is stale" in text
    assert (run.published / "SHA256SUMS").read_bytes() == before


@pytest.mark.parametrize("name", [*PUBLISHED, "SHA256SUMS"])
def test_damaged_published_file_is_refused(root, name):
    run = run_all()
    path = run.published / name
    whole = path.read_bytes()
    for data in (whole + b"\0", b"x", whole[:-1] + b"?", None):
        path.unlink() if data is None else path.write_bytes(data)
        text = refusal(run.load_published, "a_int8.tflite")
        assert "06_test_quantized_model" in text
    path.write_bytes(whole)
    run.load_published("a_int8.tflite")


def test_added_or_removed_published_files_are_refused(root):
    run = run_all()
    (run.published / "added").write_bytes(b"")
    assert "added" in refusal(sealed_files, run.published)
    (run.published / "added").unlink()
    sealed_files(run.published)
    shutil.rmtree(run.published)
    assert "SHA256SUMS" in refusal(sealed_files, run.published)
    run.published.mkdir()
    (run.published / "SHA256SUMS").write_bytes(b"")
    refusal(sealed_files, run.published)


def test_published_file_that_is_not_listed_is_refused(root):
    run = run_all()
    for name in ("SHA256SUMS", "../01_dataset.npz", "nothing"):
        refusal(run.load_published, name)


# Killed


needs_fork = pytest.mark.skipif(
    sys.platform != "linux", reason="forks to be killed: run on Linux"
)


def killed(*arguments):
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_writer.py"), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@needs_fork
def test_writer_killed_at_every_call_leaves_old_or_new_and_the_next_run_completes(
    tmp_path,
):
    result = killed(tmp_path / "root", "0")
    assert result["wrong"] == []
    assert result["kills"] > 150


@needs_fork
@pytest.mark.parametrize("count", ["15", pytest.param("500", marks=pytest.mark.slow)])
def test_writer_killed_at_random_leaves_old_or_new(tmp_path, count):
    result = killed(tmp_path / "root", count, "publish")
    assert result["wrong"] == []


@needs_fork
def test_careless_writer_is_found_out(tmp_path):
    assert killed(tmp_path / "root", "0", "careless")["wrong"]


# Opening a run


def test_open_run_checks_the_parameters_first(root):
    values = {"save_model_name": "../up", "dataset": "auto"}
    assert "save_model_name is '../up'" in refusal(open_run, "01_load_dataset", values)
    assert not list(root.iterdir())


def test_open_run_makes_the_folder_and_ignores_other_variables(root):
    values = {"save_model_name": "a", "dataset": "auto", "np": np}
    run = open_run("01_load_dataset", values)
    assert run.parameters == {"save_model_name": "a", "dataset": "auto"}
    assert (root / "a").is_dir()


def test_versions_name_what_results_depend_on():
    found = versions()
    assert set(LIBRARIES) | {"python", "machine", "threads"} == set(found)
    assert found["threads"] >= 1
