"""What several runs need is done once: data here, training by the first that needs it.

Loading and pre-processing happen on the machine of the sweep, so a worker needs neither
the dataset nor a network, and all runs see the same images.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from helpers.files import explained, make_folder, sha256, sha256_of_file
from helpers.parameters import notebook_parameters, notebook_paths
from helpers.sweeps.bundles import pack
from helpers.sweeps.one_run import DATA, TRAINING, made_by
from helpers.sweeps.process import run_in_process


@dataclass
class Data:
    """What notebooks 01 and 02 make of a dataset.

    Attributes
    ----------
    key : str
        Hexadecimal digits that tell one from another.
    identity : str
        SHA-256 of the images and labels, before pre-processing.
    folder : Path
        Where the artifacts are.
    problem : str
        Why they could not be made; empty if they were.
    """

    key: str
    identity: str
    folder: Path
    problem: str = ""

    def bundle(self):
        """Return the artifacts as bytes."""
        return pack(self.folder, made_by(self.folder, DATA))


def key_of(values, numbers):
    """Return what two runs have in common if notebooks would make the same for both.

    Parameters
    ----------
    values : dict
        Value by name of every parameter.
    numbers : tuple of str
        First two digits of the notebooks.
    """
    facts = {name: values[name] for name in _declared(numbers)}
    return sha256(json.dumps(facts, sort_keys=True).encode())[:12]


@functools.cache
def _declared(numbers):
    return {
        name
        for notebook in notebook_paths()
        if notebook.name[:2] in numbers
        for name in notebook_parameters(notebook)
    }


def data_key(values):
    """Return what runs with the same data have in common."""
    return key_of(values, DATA)


def training_key(values):
    """Return what runs with the same training have in common."""
    return key_of(values, (*DATA, *TRAINING))


def prepare_data(values, folder, threads):
    """Run notebooks 01 and 02.

    Parameters
    ----------
    values : dict
        Value by name of every parameter.
    folder : Path
        For the artifacts, in a folder of their own.
    threads : int
        As each run has.

    Returns
    -------
    Data
    """
    key = data_key(values)
    root = folder / key
    make_folder(root)
    job = {"values": values, "count": len(DATA), "resume": False}
    job |= {"own_data": True, "timeout": None, "pages": False}
    outcome = run_in_process(job, root, threads)
    run = root / values["save_model_name"]
    if outcome["problem"]:
        return Data(key, f"none of {key}", run, outcome["problem"])
    path = run / "01_dataset.npz"  # equal images and labels, equal bytes
    with explained("read", path):
        return Data(key, sha256_of_file(path), run)
