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
from helpers.keras_files import keras_bytes, keras_model
from helpers.manifests import manifest_bytes, manifest_entries
from helpers.parameters import check_parameters, notebook_path
from helpers.paths import run_folder, shown
from helpers.quiet import quiet
from helpers.sealed import seal, sealed_bytes
from helpers.versions import versions

PUBLISHED = "published"  # folder of a run that holds what its notebook 06 published


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
        with explained("write", self.path(artifact)):
            data = keras_bytes(model, artifact)
        self.save_bytes(artifact, data)

    def save_saved_model(self, artifact, model):
        """Export a Keras model as a SavedModel folder, listed in its ``SHA256SUMS``."""
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
            seal(folder)

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
                self._manifest_path(artifact), manifest_bytes(entry, before)
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
        data = self.load_bytes(artifact)
        # From the checked bytes, which cannot change between check and reading.
        with explained("read", self.path(artifact)):
            return keras_model(data, artifact)

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
                seal(folder)

    def load_published(self, name):
        """Return the bytes of a published file after checking them by SHA256SUMS."""
        return sealed_bytes(self.published, name)

    # Manifests

    def _manifest_path(self, artifact):
        return self.folder / f"{artifact}.json"

    def _entry_of_file(self, artifact):
        """Return the manifest entry that fits the file as it is now."""
        if not self.path(artifact).exists():
            raise self._refusal(artifact, "is missing")
        try:
            entries = manifest_entries(self._manifest_path(artifact).read_bytes())
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
