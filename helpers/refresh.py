"""Make the outputs and images of the repository anew: ``python -m helpers.refresh``.

For those who change a notebook. The notebooks run with their defaults, in a temporary
folder; only if all succeed, their outputs and the pictures in images/ are replaced.
Give numbers, as in ``python -m helpers.refresh 01 04``, to replace those only.
"""

import argparse
import base64
import os
import re
import sys
import tempfile

from helpers.batch.guard import Parser, UsageError, guarded
from helpers.files import make_folder, write_atomically
from helpers.parameters import notebook_paths
from helpers.paths import IMAGES, shorten

_IMAGE_TAG = re.compile(r"image:([\w-]+\.png)")
_LIVE = "application/vnd.jupyter.widget-view+json"
_METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}


def main(arguments=None):
    """Execute the notebooks and keep their outputs in the repository.

    Parameters
    ----------
    arguments : list of str, optional
        ``sys.argv[1:]`` unless given.

    Returns
    -------
    int
        Exit status, as of `helpers.train_and_quantize`.
    """
    advice = "nothing was changed unless listed above"
    return guarded(lambda stopping: _refresh(arguments, stopping), advice)


def clean(executed, source):
    """Return a notebook with fresh outputs and with nothing else that changes.

    Parameters
    ----------
    executed : NotebookNode
        An executed copy of `source`; its cells have the same ids.
    source : NotebookNode
        What the repository holds; its cells' ids, sources and metadata are kept.

    Returns
    -------
    NotebookNode
        Execution counts 1 to n; outputs without progress, carriage returns and live
        widgets; minimal metadata.
    """
    import nbformat

    by_id = {cell.id: cell for cell in executed.cells}
    cells, count = [], 0
    for cell in nbformat.from_dict(source).cells:
        cell.metadata.pop("execution", None)
        cell.metadata.pop("papermill", None)
        if cell.cell_type == "code":
            done = by_id[cell.id]
            cell.outputs = _clean_outputs(done.outputs)
            cell.execution_count = None
            if done.execution_count is not None:
                count += 1
                cell.execution_count = count
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=_METADATA)


def images(executed):
    """Return the pictures that belong into images/.

    Parameters
    ----------
    executed : NotebookNode

    Returns
    -------
    dict of str to bytes
        PNG by file name, from the cells tagged ``image:<file name>``.
    """
    found = {}
    for cell in executed.cells:
        for tag in cell.metadata.get("tags", []):
            match = _IMAGE_TAG.fullmatch(tag)
            pictures = [
                output.data["image/png"]
                for output in cell.get("outputs", [])
                if "image/png" in output.get("data", {})
            ]
            if match and pictures:
                found[match[1]] = base64.b64decode(pictures[0])
    return found


def _chosen(arguments, paths):
    """Return those of the notebooks that the command line names, or all."""
    parser = Parser(
        prog="python -m helpers.refresh",
        description=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="such as 04")
    numbers = parser.parse_args(arguments).numbers
    known = [path.name[:2] for path in paths]
    for number in numbers:
        if number not in known:
            raise UsageError(
                f"There is no notebook {shorten(number)}; there are {', '.join(known)}."
            )
    return [path for path in paths if not numbers or path.name[:2] in numbers]


def _refresh(arguments, stopping):
    import nbformat

    paths = notebook_paths()
    chosen = _chosen(arguments, paths)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARTIFACTS_DIR"] = folder
        outcome = _run(paths[: paths.index(chosen[-1]) + 1], stopping)
        if not outcome.complete:
            print(f"{outcome.problem} Nothing was changed.", file=sys.stderr)
            return 1
        executed = {
            path: nbformat.read(outcome.folder / "notebooks" / path.name, as_version=4)
            for path in chosen
        }
    make_folder(IMAGES)
    for path, notebook in executed.items():
        refreshed = clean(notebook, nbformat.read(path, as_version=4))
        write_atomically(path, (nbformat.writes(refreshed) + "\n").encode())
        print(f"notebooks/{path.name}")
        for name, picture in images(notebook).items():
            write_atomically(IMAGES / name, picture)
            print(f"images/{name}")
    return 0


def _run(paths, stopping):
    from helpers.batch.command_line import declared_parameters
    from helpers.batch.runner import run_notebooks

    values = {name: found.default for name, (found, _) in declared_parameters().items()}
    return run_notebooks(values, stopping, notebooks=paths, make_pages=False)


def _clean_outputs(outputs):
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            # What a terminal would show: a carriage return starts the line anew.
            output.text = re.sub(r"^.*\r(?!\n)", "", output.text, flags=re.MULTILINE)
            same = kept and kept[-1].get("name") == output.name
            if same:
                kept[-1].text += output.text
            elif output.text.strip():
                kept.append(output)
            continue
        if output.output_type in ("display_data", "execute_result"):
            output.data.pop(_LIVE, None)
            output.metadata.pop("progress", None)
            if not any(str(value).strip() for value in output.data.values()):
                continue
        kept.append(output)
    return kept


if __name__ == "__main__":
    sys.exit(main())
