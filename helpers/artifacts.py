"""What a notebook hands to the next: files with a manifest each, checked on reading.

An artifact is written atomically, together with a manifest that holds its SHA-256, what
made it and what it was made from. Reading one checks that it is there, undamaged and
not stale. The manifest is written first and keeps the entry that it replaces, so a run
killed between the two writes leaves an artifact that is whole, the old or the new one.
It also carries the SHA-256 of itself: what a report says was made how must be true.
"""

import errno
import io
import json
import os
import platform
import re
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np

from helpers import locks
from helpers.errors import TutorialError
from helpers.files import (
    explained,
    make_folder,
    new_folder,
    restore_folder,
    sha256,
    sha256_of_file,
    write_atomically,
)
from helpers.parameters import check_parameters, notebook_path
from helpers.paths import run_folder, shown

PUBLISHED = "published"  # folder of a run that holds what its notebook 06 published
_SUMS = "SHA256SUMS"
LIBRARIES = ("tensorflow", "keras", "ai-edge-litert", "tflite-micro", "numpy")


def open_run(notebook, variables):
    """Check a notebook's parameters and open its run.

    Parameters
    ----------
    notebook : str
        Stem of the notebook, such as ``04_train_model``.
    variables : dict
        The notebook's variables, as ``globals()`` gives them.

    Returns
    -------
    Run

    Raises
    ------
    TutorialError
        If a parameter has a value that its line does not accept, if the run's folder
        cannot be written, or if a batch run is writing to it now.
    """
    parameters = check_parameters(notebook, variables)
    return Run(parameters["save_model_name"], notebook, parameters)


class Run:
    """The artifacts of one run, as one notebook reads and writes them.

    What the notebook has loaded through it counts as what its results are made from.

    Parameters
    ----------
    name : str
        Name of the run; its folder is ``artifacts/<name>/``.
    notebook : str, optional
        Stem of the notebook that writes; only reading needs none.
    parameters : dict, optional
        The notebook's parameters, kept in the manifests.
    """

    def __init__(self, name, notebook=None, parameters=None):
        self.name = name
        self.folder = run_folder(name)
        self.notebook = notebook
        self.parameters = dict(parameters or {})
        self._loaded = {}  # artifact → its SHA-256, by this notebook in this session
        self._saved = {}  # likewise, in the order of saving
        if notebook:
            make_folder(self.folder)
            locks.check_free(self.folder)

    def path(self, artifact):
        """Return where `artifact` is."""
        return self.folder / artifact

    # Writing

    def save_arrays(self, artifact, **arrays):
        """Save named arrays as an ``.npz`` file without pickled objects."""
        data = io.BytesIO()
        np.savez(data, allow_pickle=False, **arrays)
        contents = {
            key: {"shape": list(np.shape(a)), "dtype": str(np.asarray(a).dtype)}
            for key, a in arrays.items()
        }
        self.save_bytes(artifact, data.getvalue(), contents=contents)

    def save_json(self, artifact, value):
        """Save a value made of dicts, lists, texts and finite numbers."""
        text = json.dumps(value, indent=1, allow_nan=False)
        self.save_bytes(artifact, text.encode())

    def save_model(self, artifact, model):
        """Save a Keras model in Keras' own format."""
        with (
            explained("write", self.path(artifact)),
            tempfile.TemporaryDirectory() as folder,
        ):
            path = Path(folder, artifact)
            model.save(path)
            data = _timeless(path.read_bytes())
        self.save_bytes(artifact, data)

    def save_saved_model(self, artifact, model):
        """Export a Keras model as a SavedModel folder, listed in its ``SHA256SUMS``."""
        from helpers.quiet import quiet

        with quiet():
            import tensorflow as tf
        with locks.writing(self.folder), new_folder(self.path(artifact)) as folder:
            try:
                with quiet():
                    model.export(folder, verbose=False)
            except tf.errors.OpError as error:  # TensorFlow's kind of OSError
                full = isinstance(error, tf.errors.ResourceExhaustedError)
                number = errno.ENOSPC if full else errno.EIO
                raise OSError(number, os.strerror(number)) from error
            _seal(folder)

    def save_bytes(self, artifact, data, *, contents=None):
        """Save bytes.

        Parameters
        ----------
        artifact : str
            File name; its first two digits are those of the notebook that makes it.
        data : bytes
        contents : dict, optional
            Description of what is inside, for the manifest.
        """
        # What this session saved before it belongs to it as much as what was loaded: a
        # model and its test results must not get parted by a run that ends in between.
        # What was saved after it is of an earlier execution of these cells.
        order = [*self._saved, artifact]
        self._saved = {a: self._saved[a] for a in order[: order.index(artifact)]}
        made_from = self._loaded | self._saved
        made_from.pop(artifact, None)
        entry = {
            "file": artifact,
            "run": self.name,
            "sha256": sha256(data),
            "bytes": len(data),
            "contents": contents or {},
            "made_by": self.notebook,
            "parameters": self.parameters,
            "made_from": made_from,
            "versions": versions(),
        }
        with locks.writing(self.folder):
            try:
                before = self._entry_of_file(artifact)
            except TutorialError:
                before = None
            write_atomically(
                self._manifest_path(artifact), _manifest_bytes(entry, before)
            )
            write_atomically(self.path(artifact), data)
        self._loaded.pop(artifact, None)
        self._saved[artifact] = entry["sha256"]

    # Reading

    def load_arrays(self, artifact):
        """Return the arrays of an ``.npz`` artifact as a dict of NumPy arrays."""
        with np.load(io.BytesIO(self.load_bytes(artifact)), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    def load_json(self, artifact):
        """Return the value of a JSON artifact."""
        return json.loads(self.load_bytes(artifact))

    def load_model(self, artifact):
        """Return the Keras model of a ``.keras`` artifact."""
        from helpers.quiet import quiet

        with quiet():
            import keras
        data = self.load_bytes(artifact)
        # Keras reads a file only; this one cannot change between check and reading.
        with (
            explained("read", self.path(artifact)),
            tempfile.TemporaryDirectory() as folder,
        ):
            path = Path(folder, artifact)
            path.write_bytes(data)
            return keras.models.load_model(path)

    def load_bytes(self, artifact):
        """Return the bytes of an artifact after checking that they may be used.

        Raises
        ------
        TutorialError
            If it is missing, damaged, or stale: made from something that has been made
            anew since. The sentence says which notebook makes it and how to run that.
        """
        entry = self._entry_of_file(artifact)
        self._check_fresh(entry)
        with explained("read", self.path(artifact)):
            data = self.path(artifact).read_bytes()
        if sha256(data) != entry["sha256"]:
            raise self._refusal(artifact, "changed while it was read")
        self._loaded[artifact] = entry["sha256"]
        return data

    def lineage(self, artifact):
        """Return the manifest entries of `artifact` and of all it was made from.

        Returns
        -------
        dict of str to dict
            By artifact; what was made first comes first.
        """
        entry = self._entry_of_file(artifact)
        found = {}
        for source in entry["made_from"]:
            found |= self.lineage(source)
        return found | {artifact: entry}

    def all_parameters(self, lineage):
        """Return the parameters of all notebooks of a lineage and of this one."""
        made_with = [entry["parameters"] for entry in lineage.values()]
        return {
            name: value
            for parameters in [*made_with, self.parameters]
            for name, value in sorted(parameters.items())
        }

    # Publishing

    @property
    def published(self):
        """Folder of the published files; `publish` replaces it as a whole."""
        return self.folder / PUBLISHED

    def publish(self, files):
        """Replace the published files, all in one step.

        Parameters
        ----------
        files : dict of str to bytes
            By path inside the published folder. ``SHA256SUMS`` is added to them.

        Raises
        ------
        TutorialError
            If something that was loaded for it has been made anew meanwhile; the files
            published before then stay as they were.
        """
        with locks.writing(self.folder):
            restore_folder(self.published)
            for artifact, digest in self._loaded.items():
                entry = self._entry_of_file(artifact)
                if entry["sha256"] != digest:
                    raise self._refusal(artifact, "was made anew while this ran")
                self._check_fresh(entry)
            with new_folder(self.published) as folder:
                for name, data in files.items():
                    (folder / name).parent.mkdir(exist_ok=True)
                    (folder / name).write_bytes(data)
                _seal(folder)

    def load_published(self, name):
        """Return the bytes of a published file after checking them by SHA256SUMS."""
        listed = published_files(self.published)
        with explained("read", self.published / name):
            data = (self.published / name).read_bytes()
        if sha256(data) != listed.get(name):
            raise _damaged_folder(self.published, name)
        return data

    # Manifests

    def _manifest_path(self, artifact):
        return self.folder / f"{artifact}.json"

    def _entry_of_file(self, artifact):
        """Return the manifest entry that fits the file as it is now."""
        if not self.path(artifact).exists():
            raise self._refusal(artifact, "is missing")
        try:
            entries = _entries(self._manifest_path(artifact).read_bytes())
            digest = sha256_of_file(self.path(artifact))
        except FileNotFoundError:
            raise self._refusal(artifact, "has lost its manifest") from None
        except OSError as error:
            raise self._refusal(
                artifact, f"cannot be read ({error.strerror})"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._refusal(artifact, "has a damaged manifest") from None
        for entry in entries:
            if (entry["file"], entry["run"]) != (artifact, self.name):
                raise self._refusal(
                    artifact, f"has the manifest of {entry['file']} of {entry['run']}"
                )
            if entry["sha256"] == digest:
                return entry
        raise self._refusal(artifact, "is damaged: its SHA-256 is not the recorded one")

    def _check_fresh(self, entry, known=None):
        """Refuse what is stale, beginning with what was made first."""
        known = {} if known is None else known
        for source, digest in entry["made_from"].items():
            if not self.path(source).exists():
                continue  # removed to save space; what was made from it is whole
            if source not in known:
                known[source] = self._entry_of_file(source)
                self._check_fresh(known[source], known)
            if known[source]["sha256"] != digest:
                raise self._refusal(
                    entry["file"],
                    f"is stale: it was made from an older {source} than the one there "
                    "now",
                )

    def _refusal(self, artifact, problem):
        notebook = notebook_path(artifact[:2]).stem
        return TutorialError(
            f"{shown(self.path(artifact))} {problem}; notebook {notebook} makes it: "
            "run all its cells in JupyterLab, or run "
            f"`papermill notebooks/{notebook}.ipynb out.ipynb "
            f"-p save_model_name {self.name}`."
        )


def published_files(folder):
    """Return the files of a published folder after checking all of them.

    Parameters
    ----------
    folder : Path
        Or another folder with a ``SHA256SUMS``, such as ``04_saved_model``.

    Returns
    -------
    dict of str to str
        SHA-256 by path.

    Raises
    ------
    TutorialError
        If the folder is missing, or a file is missing, damaged or not listed.
    """
    restore_folder(folder)
    try:
        listed = _sealed(folder)
        found = _files(folder)
    except (OSError, ValueError):
        listed = found = {}
    wrong = sorted(n for n in found | listed if found.get(n) != listed.get(n))
    if wrong or not listed:
        raise _damaged_folder(folder, (wrong or [_SUMS])[0])
    return listed


def _damaged_folder(folder, name):
    number = folder.name[:2] if folder.name[:2].isdigit() else "06"
    return TutorialError(
        f"{shown(folder / name)} is missing, damaged or of another run: {_SUMS} in "
        f"{shown(folder)} lists something else; run notebook "
        f"{notebook_path(number).stem} again to make all of it anew."
    )


def _timeless(keras_file):
    """Return a ``.keras`` file without the time and the addresses of its writing.

    Without them the same model is the same file, and its SHA-256 tells models apart.
    """
    result, numbers = io.BytesIO(), {}

    def number(match):  # Keras takes the address of an object in memory for its name
        return match[1] + numbers.setdefault(match[2], b"%d" % len(numbers))

    with (
        zipfile.ZipFile(io.BytesIO(keras_file)) as old,
        zipfile.ZipFile(result, "w") as new,
    ):
        for name in old.namelist():
            data = old.read(name)
            if name == "metadata.json":
                data = json.dumps(json.loads(data) | {"date_saved": ""}).encode()
            if name == "config.json":
                data = re.sub(rb'("shared_object_id": )(\d+)', number, data)
            new.writestr(zipfile.ZipInfo(name), data)  # which dates it 1980
    return result.getvalue()


def _manifest_bytes(entry, previous):
    """Return a manifest: an entry, the one before it, and the SHA-256 of both."""
    content = entry | {"previous": previous}
    seal = {"sha256_of_the_above": sha256(json.dumps(content).encode())}
    return json.dumps(content | seal, indent=1).encode()


def _entries(manifest):
    """Return the one or two entries of a manifest, or raise if a byte is wrong."""
    entry = json.loads(manifest)
    entry.popitem()
    previous = entry.pop("previous")
    if _manifest_bytes(entry, previous) != manifest:
        raise ValueError("its SHA-256 is another")
    return [entry, previous] if previous else [entry]


def _seal(folder):
    """List a folder's files in the format of the program sha256sum."""
    lines = [f"{digest}  {name}\n" for name, digest in _files(folder).items()]
    (folder / _SUMS).write_text("".join(lines), encoding="ascii", newline="\n")


def _sealed(folder):
    lines = (folder / _SUMS).read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def _files(folder):
    return {
        path.relative_to(folder).as_posix(): sha256_of_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _SUMS
    }


def versions():
    """Return what results depend on besides data and parameters.

    Returns
    -------
    dict
        Versions of Python and the libraries, the processor's kind and the number of
        threads that TensorFlow computes with: other numbers of threads add up floats in
        another order.
    """
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS") or _cores()
    found = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": int(threads),
    }
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
