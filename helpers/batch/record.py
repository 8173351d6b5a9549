"""What an executed notebook records about its run, and whether that still holds.

A notebook need not run again if it was executed to its end, from the same source, with
the same parameters, and all that it made is still there, undamaged and not stale.
"""

import json

from helpers.artifacts import PUBLISHED, Run
from helpers.errors import TutorialError
from helpers.files import sha256, sha256_of_file
from helpers.sealed import SUMS, sealed_files

KEY = "tutorial"  # in the metadata of an executed notebook


def executed_path(folder, notebook):
    """Return where the executed copy of a notebook is kept."""
    return folder / "notebooks" / notebook.name


def record(executed, notebook, parameters, folder):
    """Write into an executed notebook what `holds` will ask for.

    Parameters
    ----------
    executed : NotebookNode
        Changed in place.
    notebook : Path
        Its source.
    parameters : dict
        All parameters that it declares.
    folder : Path
        The run's folder.
    """
    executed.metadata[KEY] = {
        "source": _source(notebook),
        "parameters": parameters,
        "made": made(folder, notebook),
    }


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


def holds(folder, notebook, parameters):
    """Return whether a notebook's last execution is as good as a new one.

    Parameters
    ----------
    folder : Path
        The run's folder.
    notebook : Path
        The source of the notebook.
    parameters : dict
        All parameters that it declares, with the values wanted now.
    """
    try:
        executed = json.loads(executed_path(folder, notebook).read_bytes())
        recorded = executed["metadata"][KEY]
        if (
            recorded["source"] != _source(notebook)
            or recorded["parameters"] != parameters
            or recorded["made"] != made(folder, notebook)
            or _failed(executed)
        ):
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


def first_to_run(folder, notebooks, parameters):
    """Return the place of the first notebook that has to run again.

    Parameters
    ----------
    folder : Path
    notebooks : list of Path
    parameters : dict of Path to dict
        Of each notebook.

    Returns
    -------
    int
        ``len(notebooks)`` if none has to.
    """
    for place, notebook in enumerate(notebooks):
        if not holds(folder, notebook, parameters[notebook]):
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


def _source(notebook):
    """Return the SHA-256 of a notebook's cells without their outputs."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    return sha256(json.dumps(texts).encode())
