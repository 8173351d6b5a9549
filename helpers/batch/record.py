"""What an executed notebook records about its run, and whether that still holds.

A notebook need not run again if it was executed to its end, from the same source, with
the same parameters, dataset file, helpers and libraries, and all that it made is still
there, undamaged and not stale.
"""

import json

from helpers.artifacts import PUBLISHED, Run
from helpers.errors import TutorialError
from helpers.files import sha256, sha256_of_file
from helpers.fingerprint import helpers_fingerprint
from helpers.sealed import SUMS, sealed_files
from helpers.versions import libraries

KEY = "tutorial"  # in the metadata of an executed notebook
_DATASET_FILE = "dataset_file"  # its SHA-256


def executed_path(folder, notebook):
    """Return where the executed copy of a notebook is kept."""
    return folder / "notebooks" / notebook.name


def depends_on(notebook, parameters):
    """Return what a notebook's results depend on, besides the artifacts that it loads.

    Parameters
    ----------
    notebook : Path
        Its source.
    parameters : dict
        All parameters that it declares.

    Returns
    -------
    dict
        Of what JSON can hold.
    """
    facts = {
        "source": _source(notebook),
        "parameters": parameters,
        "helpers": helpers_fingerprint(),
        "libraries": libraries(),
    }
    if "dataset" in parameters:
        facts[_DATASET_FILE] = _dataset_file(parameters["dataset"])
    return facts


def record(executed, notebook, facts, folder):
    """Write into an executed notebook what `holds` will ask for.

    Parameters
    ----------
    executed : NotebookNode
        Changed in place.
    notebook : Path
        Its source.
    facts : dict
        What `depends_on` returned before it ran.
    folder : Path
        The run's folder.
    """
    executed.metadata[KEY] = facts | {"made": made(folder, notebook)}


def made(folder, notebook):
    """Return the artifacts that a notebook has made: name and SHA-256.

    For a folder it is the SHA-256 of its list of checksums. What is published belongs
    to the last notebook.
    """
    number = notebook.name[:2]
    found = {}
    for path in sorted(folder.glob(f"{number}_*")):
        sums = path / SUMS
        if sums.exists():
            found[path.name] = sha256_of_file(sums)
        elif path.with_name(f"{path.name}.json").exists():
            found[path.name] = sha256_of_file(path)
    if number == "06" and (folder / PUBLISHED / SUMS).exists():
        found[PUBLISHED] = sha256_of_file(folder / PUBLISHED / SUMS)
    return found


def holds(folder, notebook, parameters, own_data=True):
    """Return whether a notebook's last execution is as good as a new one.

    Parameters
    ----------
    folder : Path
        The run's folder.
    notebook : Path
        The source of the notebook.
    parameters : dict
        All parameters that it declares, with the values wanted now.
    own_data : bool, optional
        False if the dataset file need not be the same here, nor be here at all.
    """
    try:
        executed = json.loads(executed_path(folder, notebook).read_bytes())
        recorded = executed["metadata"][KEY]
        wanted = depends_on(notebook, parameters) | {"made": made(folder, notebook)}
        if not own_data and _DATASET_FILE in wanted:
            wanted[_DATASET_FILE] = recorded[_DATASET_FILE]
        if recorded != wanted or _failed(executed):
            return False
        run = Run(folder.name)
        for artifact in recorded["made"]:
            if (folder / artifact).is_dir():
                sealed_files(folder / artifact)
            else:
                run.load_bytes(artifact)
    except (OSError, ValueError, KeyError, TypeError, TutorialError):
        return False
    return True


def first_to_run(folder, notebooks, parameters, own_data=True):
    """Return the place of the first notebook that has to run again.

    Parameters
    ----------
    folder : Path
    notebooks : list of Path
    parameters : dict of Path to dict
        Of each notebook.
    own_data : bool, optional
        See `holds`.

    Returns
    -------
    int
        ``len(notebooks)`` if none has to.
    """
    for place, notebook in enumerate(notebooks):
        if not holds(folder, notebook, parameters[notebook], own_data):
            return place
    return len(notebooks)


def _failed(executed):
    outputs = [o for cell in executed["cells"] for o in cell.get("outputs", [])]
    unfinished = any(
        cell["cell_type"] == "code"
        and "".join(cell["source"]).strip()
        and cell["execution_count"] is None
        for cell in executed["cells"]
    )
    return unfinished or any(o["output_type"] == "error" for o in outputs)


def _dataset_file(dataset):
    """Return the SHA-256 of the file that a dataset is; empty if it is none."""
    from helpers.learn.datasets import file_of

    try:
        path = file_of(dataset)
        return sha256_of_file(path) if path else ""
    except (OSError, TutorialError):
        return None  # the notebook itself will say what is wrong


def _source(notebook):
    """Return the SHA-256 of a notebook's cells without their outputs."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    return sha256(json.dumps(texts).encode())
