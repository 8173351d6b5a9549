"""Execute the notebooks and store them with clean outputs: what a commit holds.

``python tests/store_notebooks.py`` executes all six in order, or those whose numbers
are given (``04 05``), on the data that `dataset = "auto"` finds; set ``MNIST_NPZ`` so
that it is full MNIST. Pictures of cells tagged ``image:<name>`` are kept in images/.
"""

import base64
import sys

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

from helpers import runs

IMAGES = runs.REPOSITORY / "images"


def store(path):
    """Execute the notebook at `path` and write it back."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": notebook.metadata.kernelspec,
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        for tag in tags:
            if tag.startswith("image:"):
                keep_picture(cell, tag.removeprefix("image:"))
    nbformat.write(notebook, path)


def keep_picture(cell, name):
    """Write the picture among a cell's outputs into the folder images/."""
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            picture = base64.b64decode(output.data["image/png"])
            (IMAGES / name).write_bytes(picture)


if __name__ == "__main__":
    numbers = sys.argv[1:]
    chosen = [step for step in runs.STEPS if not numbers or step[:2] in numbers]
    for step in tqdm(chosen, unit="notebook"):
        store(runs.notebook_path(step))
