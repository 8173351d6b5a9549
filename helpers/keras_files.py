"""Keras models as bytes: the same model is the same file."""

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

from helpers.quiet import quiet


def keras_bytes(model, name):
    """Return a model as the bytes of a ``.keras`` file.

    Parameters
    ----------
    model : keras.Model
    name : str
        File name that ends in ``.keras``; Keras can write a file only.

    Returns
    -------
    bytes
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        model.save(path)
        return _timeless(path.read_bytes())


def keras_model(data, name):
    """Return the model of the bytes of a ``.keras`` file.

    Parameters
    ----------
    data : bytes
    name : str
        File name that ends in ``.keras``; Keras can read a file only.

    Returns
    -------
    keras.Model
    """
    with quiet():
        import keras
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        return keras.models.load_model(path)


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
