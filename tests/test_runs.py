"""Artifacts that are missing, damaged or stale; two at once; killed writers."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from stand_ins import needs_posix, published

from helpers import runs
from helpers.files import TutorialError
from helpers.parameters import declared

REPORT = b'{"dataset": {"name": "a"}}'
MAKERS = {path.name[:2]: path.stem for path in runs.NOTEBOOKS.glob("0*.ipynb")}
CHAIN = {  # artifact: what it is made from
    "01_dataset.npz": [],
    "02_preprocessed.npz": ["01_dataset.npz"],
    "03_model.json": [],
    "04_results.json": ["02_preprocessed.npz", "03_model.json"],
    "05_candidate.tflite": ["02_preprocessed.npz", "04_results.json"],
    "06_results.json": ["05_candidate.tflite"],
}
NOTEBOOK = "02_preprocess_data", {"save_model_name": "a", "pixel_scale": 128}
WRITER = """
import random
from helpers.runs import Run
run = Run("killed", "05_quantize_model")
while True:
    data = random.randbytes(30_000)
    run.save("05_candidate.tflite", data)
    run.publish({"model.tflite": data, "a/model.cc": data})
    print(flush=True)
"""
OWNER = "from helpers import runs\nwith runs.lock('a'): input(print(flush=True))"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


def value(artifact, seed=0):
    data = np.arange(seed, seed + 50, dtype=np.uint8)
    if artifact.endswith(".npz"):
        return {"images": data}
    return {"seed": seed} if artifact.endswith(".json") else bytes(data)


def make(artifact, seed=0):
    run = runs.Run("a", MAKERS[artifact[:2]], {f"seed_{artifact[:2]}": seed})
    for source in CHAIN[artifact]:
        run.load(source)
    run.save(artifact, value(artifact, seed))


@pytest.fixture
def run(root):
    (root / "a").mkdir(parents=True)
    for artifact in CHAIN:
        make(artifact)
    return runs.Run("a", "06_test_quantized_model")


def refusal(run, artifact):
    with pytest.raises(TutorialError) as error:
        run.load(artifact)
    return str(error.value)


def test_artifacts_come_back_as_they_were_saved_with_their_parameters(run):
    for artifact in CHAIN:
        np.testing.assert_equal(run.load(artifact), value(artifact))
    assert run.history() == {f"seed_{artifact[:2]}": 0 for artifact in CHAIN}


@pytest.mark.parametrize("artifact", CHAIN)
def test_artifact_that_is_damaged_is_named_with_its_notebook(run, artifact):
    path, beside = run.folder / artifact, run.folder / f"{artifact}.json"
    for target in (path, beside):
        whole = target.read_bytes()
        flipped = [whole[:i] + b"#" + whole[i + 1 :] for i in range(0, len(whole), 3)]
        for damaged in (b"", whole[:-9], b"[1, 2]", b'{"sha256": 1}', None, *flipped):
            target.unlink() if damaged is None else target.write_bytes(damaged)
            try:
                np.testing.assert_equal(run.load(artifact), value(artifact))
                assert target == beside and damaged in flipped  # such as a version
            except TutorialError as error:
                assert "run notebook 0" in str(error)
                assert MAKERS[artifact[:2]] in str(error) or damaged in flipped
        target.write_bytes(whole)


@pytest.mark.parametrize("artifact", CHAIN)
def test_artifact_made_anew_makes_all_after_it_stale(run, artifact):
    make(artifact)  # the same again
    assert all(run.load(other) is not None for other in CHAIN)
    make(artifact, seed=1)
    stale = {artifact}
    for other, sources in CHAIN.items():
        if stale & set(sources):
            stale.add(other)
            assert "is stale" in refusal(run, other)
        else:
            run.load(other)


def test_artifact_made_with_another_value_of_a_parameter_is_refused(run):
    runs.Run("a", "", {"save_model_name": "a", "seed": 1}).save("03_model.json", 0)
    runs.Run("a", "", {"save_model_name": "moved", "seed": 1}).load("03_model.json")
    with pytest.raises(TutorialError, match="another seed, 1; run notebook 03"):
        runs.Run("a", "", {"seed": 2}).load("03_model.json")


def test_publish_of_what_became_stale_is_refused_and_keeps_the_old(run):
    run.publish({"model.tflite": b"old"})
    run.load("05_candidate.tflite")
    make("03_model.json", seed=1)
    with pytest.raises(TutorialError, match="stale"):
        run.publish({"model.tflite": b"new"})
    assert published(run.folder)["model.tflite"] == b"old"


def test_publish_replaces_the_folder_as_a_whole_with_its_checksums(run):
    assert run.published_dataset() == ""
    run.publish({"report.json": b"{}", "old/model.cc": b"1"})
    run.publish({"report.json": REPORT, "new/model.cc": b"2"})
    folder = run.folder / "published"
    assert run.published_dataset() == "a" and not (folder / "old").exists()
    assert published(run.folder)["new/model.cc"] == b"2"
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, check=True)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"dataset": 1}', b"\xff"])
def test_report_that_is_damaged_is_told_in_one_sentence(run, content):
    run.publish({"report.json": content})
    with pytest.raises(TutorialError, match=r"report\.json is damaged; delete"):
        run.published_dataset()


def test_what_a_kill_left_is_brought_back_and_cleaned_up(run):
    run.publish({"report.json": REPORT})
    (run.folder / f".published-{os.getpid()}-partial").mkdir()  # had the same number
    os.rename(run.folder / "published", run.folder / ".published.previous")
    with runs.lock("a"):
        assert run.published_dataset() == "a"
    (run.folder / ".published.previous" / "old").mkdir(parents=True)
    run.publish({"report.json": b"{}"})
    assert not list(run.folder.glob(".published*"))


@needs_posix
def test_writer_killed_at_random_leaves_everything_whole(root):
    chance, run = random.Random(1), runs.Run("killed")
    run.folder.mkdir(parents=True)
    for _ in range(12):
        command = [sys.executable, "-c", WRITER]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()  # it writes
        time.sleep(chance.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        model, other = published(run.folder).values()
        assert model == other and len(model) == 30_000
        try:
            assert len(run.load("05_candidate.tflite")) == 30_000
        except TutorialError as error:  # killed between artifact and JSON file
            assert "05_quantize_model" in str(error)


@pytest.fixture
def batch_run(root, monkeypatch):
    """Return a process that owns the run `a` until its standard input ends."""
    monkeypatch.setattr(runs, "_PATIENCE", 0.1)
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        process.stdout.readline()
        yield process
        if process.returncode is None:
            process.communicate(b"\n")


def test_run_that_a_batch_run_owns_is_refused_to_another(batch_run):
    with pytest.raises(TutorialError, match="still going"), runs.lock("a"):
        pass


def test_run_that_a_batch_run_owns_is_not_opened_by_a_notebook(batch_run):
    with pytest.raises(TutorialError, match="still going"):
        runs.open(*NOTEBOOK)


def test_run_that_has_ended_is_free_again(batch_run):
    batch_run.communicate(b"\n")
    runs.open(*NOTEBOOK).save("02_preprocessed.npz", value("02_preprocessed.npz"))


@pytest.mark.parametrize("write", ["save", "publish"])
def test_notebook_opened_before_a_batch_run_started_writes_nothing(
    write, root, request
):
    run = runs.open(*NOTEBOOK)
    run.save("02_preprocessed.npz", value("02_preprocessed.npz"))
    run.publish({"model.tflite": b"old"})
    request.getfixturevalue("batch_run")
    with pytest.raises(TutorialError, match="still going"):
        if write == "save":
            run.save("02_preprocessed.npz", value("02_preprocessed.npz", 1))
        else:
            run.publish({"model.tflite": b"new"})
    assert run.load("02_preprocessed.npz")["images"][0] == 0
    assert published(run.folder)["model.tflite"] == b"old"


def test_lock_lets_its_own_notebooks_write(root):
    with runs.lock("a"):
        runs.open(*NOTEBOOK).save("02_preprocessed.npz", value("02_preprocessed.npz"))


def test_lock_ends_with_its_block(root):
    with runs.lock("a"):
        assert is_locked("a")
    assert not is_locked("a")
    assert "TUTORIAL_BATCH_RUN" not in os.environ


def is_locked(name):
    """Tell if another process is refused."""
    code = f"from helpers import runs\nwith runs.lock({name!r}): pass"
    environment = dict(os.environ)
    environment.pop("TUTORIAL_BATCH_RUN", None)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert not done.returncode or "still going" in done.stderr
    return done.returncode != 0


def test_parameter_changed_after_open_is_refused_by_save_and_publish(root):
    notebook = {"save_model_name": "a", "pixel_scale": 128}
    run = runs.open("02_preprocess_data", notebook)
    run.save("02_preprocessed.npz", value("02_preprocessed.npz"))
    for changed in (1.0, None, np.ones(2)):
        notebook["pixel_scale"] = changed
        with pytest.raises(TutorialError, match=r"pixel_scale is .*but was 128\.0"):
            run.save("02_preprocessed.npz", value("02_preprocessed.npz"))
        with pytest.raises(TutorialError, match="with runs"):
            run.publish({})
    notebook["pixel_scale"] = 128.0
    run.publish({})


def test_notebook_with_a_wrong_parameter_is_refused_before_anything_is_made(root):
    with pytest.raises(TutorialError, match="pixel_scale"):
        runs.open("02_preprocess_data", {"save_model_name": "a", "pixel_scale": 0.5})
    assert not root.exists()


def test_port_and_photograph_are_no_part_of_what_is_recorded(root):
    step = "06_test_quantized_model"
    variables = {
        name: parameter.default
        for name, parameter in declared(runs.notebook_path(step)).items()
    }
    run = runs.open(step, {**variables, "serial_port": "COM3", "photo": "seven.jpg"})
    assert set(variables) - set(run.history()) == {"serial_port", "photo"}


def test_notebook_of_another_clone_is_refused_with_the_command_that_helps(
    tmp_path, root, monkeypatch
):
    clone = tmp_path / "the clone"
    (clone / "helpers").mkdir(parents=True)
    (clone / "helpers" / "runs.py").touch()
    monkeypatch.chdir(clone / "helpers")
    with pytest.raises(TutorialError, match=re.escape(f'pip install -e "{clone}"')):
        runs.open(*NOTEBOOK)
    assert not root.exists()


def test_helpers_installed_without_the_notebooks_say_so_in_one_sentence(tmp_path):
    shutil.copytree(runs.REPOSITORY / "helpers", tmp_path / "installed" / "helpers")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-m", "helpers.train_and_quantize"]
    options = {"env": environment, "capture_output": True, "text": True}
    done = subprocess.run(command, cwd=tmp_path, **options)
    assert done.returncode and "pip install -e ." in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """Return a copy of the folder with the six notebooks."""
    folder = tmp_path / "notebooks"
    shutil.copytree(runs.REPOSITORY / "notebooks", folder)
    monkeypatch.setattr(runs, "NOTEBOOKS", folder)
    return folder


def test_notebooks_are_the_six_and_copies_are_named_apart(notebooks):
    copies = [
        "04_train_model copy.ipynb",
        "04_train_model-Copy1.ipynb",
        "04_train_model.nbconvert.ipynb",
        "04_train_model_group7.ipynb",
    ]
    for name in copies:
        shutil.copy(notebooks / "04_train_model.ipynb", notebooks / name)
    stored = sorted((runs.REPOSITORY / "notebooks").glob("0*.ipynb"))
    assert [path.name for path in runs.notebooks()] == [path.name for path in stored]
    assert runs.other_notebooks() == copies


def test_notebooks_may_be_in_a_folder_that_the_environment_names(notebooks, tmp_path):
    told = "from helpers import runs; print(*runs.notebooks(), sep='\\n')"
    environment = os.environ | {"NOTEBOOKS_DIR": str(notebooks)}
    done = subprocess.run(
        [sys.executable, "-c", told], env=environment, capture_output=True, text=True
    )
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert len(paths) == 6 and {path.parent for path in paths} == {notebooks.resolve()}


def test_notebook_that_was_renamed_is_found_by_its_number(notebooks):
    path = notebooks / "02_preprocess_data.ipynb"
    path.rename(notebooks / "02_preprocess_data_group7.ipynb")
    for call in (runs.notebooks, lambda: runs.open(*NOTEBOOK)):
        with pytest.raises(TutorialError) as error:
            call()
        assert "there is 02_preprocess_data_group7.ipynb" in str(error.value)
        assert "restore the name 02_preprocess_data.ipynb" in str(error.value)


def small_model(seed):
    """Build a model as a notebook does."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


@pytest.fixture
def chain_with_a_model(root):
    """Return a run with a model, and results that were made from it."""
    run = runs.Run("a")
    run.save("03_model.keras", small_model(1))
    run.load("03_model.keras")
    run.save("04_results.json", {})
    return run


def test_model_that_is_made_again_alike_makes_nothing_stale(chain_with_a_model):
    before = (chain_with_a_model.folder / "03_model.keras").read_bytes()
    time.sleep(1.1)  # a file that is written now holds another date
    runs.Run("a").save("03_model.keras", small_model(1))
    assert (chain_with_a_model.folder / "03_model.keras").read_bytes() != before
    assert runs.Run("a").load("04_results.json") == {}


def test_model_with_other_weights_makes_what_follows_stale(chain_with_a_model):
    runs.Run("a").save("03_model.keras", small_model(2))
    assert "is stale" in refusal(runs.Run("a"), "04_results.json")


def test_model_with_another_layer_and_the_same_weights_makes_stale(chain_with_a_model):
    import keras

    model = small_model(1)
    model.layers[0].activation = keras.activations.relu
    runs.Run("a").save("03_model.keras", model)
    assert "is stale" in refusal(runs.Run("a"), "04_results.json")


def test_model_that_is_loaded_names_new_layers_as_in_a_new_process(chain_with_a_model):
    import keras

    assert [keras.layers.Flatten().name for _ in range(2)][1] == "flatten_1"
    runs.Run("a").load("03_model.keras")
    assert keras.layers.Flatten().name == "flatten"


def test_model_whose_file_is_damaged_is_noticed(chain_with_a_model):
    path = chain_with_a_model.folder / "03_model.keras"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "is damaged" in refusal(runs.Run("a"), "03_model.keras")


def test_open_undoes_what_keras_json_of_another_course_has_set(root):
    from keras import config

    config.set_floatx("float16")
    config.set_image_data_format("channels_first")
    runs.open(*NOTEBOOK)
    assert (config.floatx(), config.image_data_format()) == ("float32", "channels_last")
