"""A run: one folder in which each notebook finds what those before it made.

Beside each artifact stands a small JSON file: its SHA-256, the parameters and versions
that made it, and the fingerprints of what it was made from. Reading an artifact says if
it is missing, damaged, stale or made with other parameters, and which notebook makes it
anew.
"""

import contextlib
import hashlib
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

import filelock
import numpy as np

from helpers.files import (
    TutorialError,
    explained,
    quiet,
    replacing_file,
    replacing_folder,
    restore_folder,
)
from helpers.parameters import check_name, declared

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = Path(os.environ.get("NOTEBOOKS_DIR") or REPOSITORY / "notebooks").resolve()
STEPS = (  # the six notebooks; a copy beside them, by any other name, is none
    "01_load_dataset",
    "02_preprocess_data",
    "03_create_model",
    "04_train_model",
    "05_quantize_model",
    "06_test_quantized_model",
)
PUBLISHED = "published"  # the folder of a run for what others may use
NOT_RECORDED = ("serial_port", "photo")  # parameters that change no artifact
_OWNED_FOLDER = (
    "TUTORIAL_BATCH_RUN"  # environment variable: the folder that a batch run owns
)
_PATIENCE = 3  # seconds to wait for another notebook that saves
_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy")


def notebooks():
    """Return the paths of the six notebooks; TutorialError if one is missing."""
    return [notebook_path(step) for step in STEPS]


def notebook_path(step):
    """Return the path of the notebook of a step; TutorialError if it is missing."""
    path = NOTEBOOKS / f"{step}.ipynb"
    if path.is_file():
        return path
    if not NOTEBOOKS.is_dir():
        raise TutorialError(
            f"These helpers, in {REPOSITORY}, were installed without their notebooks; "
            "run `pip install -e .` in the folder of the tutorial."
        )
    renamed = [name for name in other_notebooks() if name[:2] == step[:2]]
    found = f", but there is {renamed[0]}" if renamed else ""
    raise TutorialError(
        f"{path} is missing{found}; restore the name {path.name}, or get the file back "
        f'by `git -C "{NOTEBOOKS}" checkout HEAD -- {path.name}`.'
    )


def other_notebooks():
    """Return the names of notebooks beside the six; they are no steps of a run."""
    names = [path.name for path in NOTEBOOKS.glob("*.ipynb")]
    return sorted(name for name in names if name.removesuffix(".ipynb") not in STEPS)


def open(notebook, variables):
    """Check a notebook's parameters and surroundings, and return its `Run`.

    `notebook` is its name without ending, such as ``04_train_model``, `variables` its
    ``globals()``. TutorialError if a parameter has a value that its line does not
    accept, if the notebook is of another clone than these helpers, or if a batch run
    writes to the run's folder.
    """
    _check_clone()
    _undo_keras_json()
    parameters = {}
    for name, parameter in declared(notebook_path(notebook)).items():
        value = parameter.check(variables.get(name))
        if name not in NOT_RECORDED:
            parameters[name] = value
    run = Run(parameters["save_model_name"], notebook, parameters, variables)
    with _owned(run.folder):  # for a moment: raises if another has it
        return run


class Run:
    """The artifacts of one run, as one notebook reads and writes them.

    What the notebook loads counts as what its artifacts are made from.
    """

    def __init__(self, name, notebook="", parameters=None, variables=None):
        self.name = check_name(name)
        self.folder = artifacts_root() / name
        self.notebook = notebook
        self.parameters = dict(parameters or {})
        self._variables = variables  # of the notebook; they change while it runs
        self._made_from = {}  # artifact: its fingerprint
        self._inherited = {}  # parameters that made what was loaded

    def save(self, artifact, value):
        """Save an artifact, with its JSON file beside it.

        Its ending decides what `value` is: for ``.npz`` a dict of arrays, for ``.json``
        a dict, for ``.keras`` a model and for ``.tflite`` bytes. A model for a name
        without an ending becomes a SavedModel folder, without JSON. TutorialError if
        the notebook's parameters are no longer those that `open` checked, if a batch
        run owns the folder, or if the system refuses to write.
        """
        self._check_variables()
        path = self.folder / artifact
        with _owned(self.folder):
            if not path.suffix:
                with replacing_folder(path) as new, quiet():
                    value.export(new, verbose=False)
                return
            made_from = dict(self._made_from)
            made_from.pop(
                artifact, None
            )  # nothing is made from itself, even if it was read
            with replacing_file(path) as new:
                _write(new, value)
                sha256 = _sha256(new)
            is_model = path.suffix == ".keras"
            about = {
                "notebook": self.notebook,
                "parameters": self.history(),
                "versions": {package: version(package) for package in _PACKAGES},
                "made_from": made_from,
                "sha256": sha256,
                "fingerprint": _model_fingerprint(value) if is_model else sha256,
            }
            with replacing_file(_beside(path)) as new:
                _write(new, about)

    def load(self, artifact):
        """Return what `save` was given.

        TutorialError if the artifact is missing, damaged, stale or made with another
        value of a parameter that this notebook has, too; it says which notebook makes
        it anew.
        """
        path = self.folder / artifact
        about = self._about(artifact)
        self._check_fresh(artifact, about)
        if _sha256(path) != about["sha256"]:
            raise self._refusal(artifact, "is damaged: its SHA-256 has changed")
        for name, value in about["parameters"].items():
            if name != "save_model_name" and self.parameters.get(name, value) != value:
                raise self._refusal(artifact, f"was made with another {name}, {value}")
        self._made_from[artifact] = about["fingerprint"]
        self._inherited.update(about["parameters"])
        return _read(path)

    def history(self):
        """Return all parameters that made what was loaded, and this notebook's own."""
        return self._inherited | self.parameters

    def publish(self, files):
        """Replace the published folder as a whole by `files`, bytes by path in it.

        TutorialError as for `save`, or if what was loaded has become stale.
        """
        self._check_variables()
        for artifact in self._made_from:
            self._check_fresh(artifact, self._about(artifact))
        with _owned(self.folder), replacing_folder(self.folder / PUBLISHED) as new:
            sums = []
            for path, content in files.items():
                (new / path).parent.mkdir(parents=True, exist_ok=True)
                (new / path).write_bytes(content)
                sums.append(f"{hashlib.sha256(content).hexdigest()}  {path}\n")
            (new / "SHA256SUMS").write_bytes("".join(sums).encode())

    def published_dataset(self):
        """Return the name of the dataset of the published model, or '' without one."""
        path = self.folder / PUBLISHED / "report.json"
        if not path.exists():
            return ""
        try:
            return str(json.loads(path.read_bytes())["dataset"]["name"])
        except (OSError, ValueError, KeyError, TypeError):
            raise TutorialError(
                f"{path} is damaged; delete {path.parent}, which this run makes anew, "
                "or use another save_model_name."
            ) from None

    def _check_variables(self):
        """Raise TutorialError if the notebook has changed a parameter since `open`.

        What is recorded would not be what ran.
        """
        if self._variables is None:
            return
        for name, value in self.parameters.items():
            found = self._variables.get(name)
            if not isinstance(found, (int, float, str)) or found != value:
                raise TutorialError(
                    f"Parameter {name} is {found!r:.80}, but was {value!r} when this "
                    "notebook opened its run; run all its cells again, from the one "
                    "with runs.open."
                )

    def _about(self, artifact):
        """Return what stands in the JSON file beside an artifact."""
        path = self.folder / artifact
        if not path.exists():
            raise self._refusal(artifact, "is missing")
        try:
            about = json.loads(_beside(path).read_bytes())
            return {
                "sha256": about["sha256"],
                "fingerprint": about["fingerprint"],
                "parameters": dict(about["parameters"]),
                "made_from": dict(about["made_from"]),
            }
        except (OSError, ValueError, KeyError, TypeError):
            raise self._refusal(artifact, "has lost its JSON file") from None

    def _check_fresh(self, artifact, about):
        for source, fingerprint in about["made_from"].items():
            newer = self._about(source)
            if newer["fingerprint"] != fingerprint:
                raise self._refusal(artifact, f"is stale: {source} was made anew since")
            self._check_fresh(source, newer)

    def _refusal(self, artifact, problem):
        makers = {step[:2]: step for step in STEPS}
        maker = makers.get(artifact[:2], STEPS[-1])
        return TutorialError(
            f"{self.folder / artifact} {problem}; run notebook {maker} to make "
            "it anew, then those between it and this one."
        )


@contextlib.contextmanager
def lock(name):
    """Own a run's folder while a batch run writes to it; its kernels may write, too.

    An environment variable, which the kernels inherit, tells them so.
    """
    folder = artifacts_root() / check_name(name)
    with _owned(folder):
        restore_folder(folder / PUBLISHED)
        os.environ[_OWNED_FOLDER] = str(folder)
        try:
            yield folder
        finally:
            del os.environ[_OWNED_FOLDER]


@contextlib.contextmanager
def _owned(folder):
    """Hold the lock of a run's folder, unless this batch run holds it already.

    TutorialError if another one does, after some seconds of waiting.
    """
    if os.environ.get(_OWNED_FOLDER) == str(folder):
        yield
        return
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            held = filelock.FileLock(folder / ".lock", timeout=_PATIENCE).acquire()
        except filelock.Timeout:
            raise TutorialError(
                f"{folder} belongs to a batch run, or a notebook's save, that is still "
                "going; wait for it, or use another save_model_name."
            ) from None
    with held:
        yield


def artifacts_root():
    """Return the folder of all runs, ``artifacts/`` or what ``ARTIFACTS_DIR`` names."""
    return (REPOSITORY / (os.environ.get("ARTIFACTS_DIR") or "artifacts")).resolve()


def _check_clone():
    """Raise TutorialError if the notebook lies in another clone than these helpers."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "helpers" / "runs.py").is_file():
            if not folder.samefile(REPOSITORY):
                raise TutorialError(
                    f"This notebook is in {folder}, but the helpers installed are "
                    f'those of {REPOSITORY}; run `pip install -e "{folder}"` in this '
                    "environment, then restart the kernel."
                )
            return


def _undo_keras_json():
    """Undo what a file ``keras.json`` of another course may have set.

    There are no environment variables for these two. A notebook without TensorFlow
    needs neither.
    """
    if "tensorflow" in sys.modules:
        from keras import config

        config.set_floatx("float32")
        config.set_image_data_format("channels_last")


def _write(path, value):
    if path.suffix == ".npz":
        np.savez(path, **value)
    elif path.suffix == ".json":
        path.write_text(json.dumps(value, indent=1, allow_nan=False), encoding="utf-8")
    elif path.suffix == ".keras":
        value.save(path)
    else:
        path.write_bytes(value)


def _read(path):
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    if path.suffix == ".json":
        return json.loads(path.read_bytes())
    if path.suffix == ".keras":
        import keras

        keras.backend.clear_session()  # so that layers are named as in a new process
        return keras.models.load_model(path)
    return path.read_bytes()


def _beside(path):
    return path.with_name(f"{path.name}.json")


def _model_fingerprint(model):
    """Return the SHA-256 of a model's layers and weights.

    That of a ``.keras`` file changes with every save, because it holds the date.
    """
    found = hashlib.sha256(model.to_json().encode())
    for weights in model.get_weights():
        found.update(weights.tobytes())
    return found.hexdigest()


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
