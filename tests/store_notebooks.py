"""Execute the notebooks and store them with clean outputs: what a commit holds.

``python tests/store_notebooks.py`` executes all six in order, or those whose numbers
are given (``04 05``), on the data that `dataset = "auto"` finds; set ``MNIST_NPZ`` so
that it is full MNIST. Pictures of cells tagged ``image:<name>`` are kept in images/.
"""

import base64
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

REPOSITORY = Path(__file__).resolve().parents[1]


def store(path):
    """Execute the notebook at `path` and write it back."""
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    NotebookClient(
        notebook,
        kernel_name="python3",
        resources=folder,
        record_timing=False,
        coalesce_streams=True,
    ).execute()
    notebook.metadata = {
        "kernelspec": notebook.metadata.kernelspec,
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        names = [tag.removeprefix("image:") for tag in tags if tag.startswith("image:")]
        for output in cell.get("outputs", []):
            if names and "image/png" in output.get("data", {}):
                picture = base64.b64decode(output.data["image/png"])
                (REPOSITORY / "images" / names[0]).write_bytes(picture)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    paths = sorted((REPOSITORY / "notebooks").glob("0*.ipynb"))
    numbers = sys.argv[1:]
    chosen = [path for path in paths if not numbers or path.name[:2] in numbers]
    for path in tqdm(chosen, unit="notebook"):
        store(path)
