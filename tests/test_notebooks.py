"""What every stored notebook keeps to, and that each rule notices who breaks it."""

import copy
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from helpers.parameters import declared

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
API = "https://www.tensorflow.org/api_docs/python/tf/"
LINKED = """keras/datasets/mnist/load_data keras/Sequential keras/Sequential#add
keras/layers/Conv2D keras/layers/MaxPool2D keras/layers/Dense keras/Model#summary
keras/Model#compile keras/Model#fit keras/Model#evaluate lite/TFLiteConverter
lite/TFLiteConverter#convert lite/Interpreter lite/Interpreter#get_input_details
lite/Interpreter#get_output_details data/Dataset data/Dataset#from_tensor_slices
data/Dataset#shuffle data/Dataset#batch keras/metrics/SparseCategoricalAccuracy
lite/Interpreter#set_tensor cast lite/Interpreter#get_tensor
keras/metrics/SparseCategoricalAccuracy#update_state"""


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    return "\n\n".join(cell.source for cell in cells)


def problems(notebook):
    """Return a sentence for each rule that a notebook breaks."""
    return [sentence for rule in RULES for sentence in rule(notebook)]


def executed_in_order(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"cells were executed as {counts}, expected 1 to {len(counts)}"
    if not any(cell.outputs for cell in code_cells(notebook)):
        yield "its outputs were cleared: a comparison with nothing cannot fail"


def outputs_are_clean(notebook):
    for number, cell in enumerate(code_cells(notebook), start=1):
        for output in cell.outputs:
            text = str({**output.get("data", {}), "image/png": "", "text/html": ""})
            text += output.get("text", "")
            if output.output_type == "error" or output.get("name") == "stderr":
                yield f"cell {number} has an error or a warning in its output"
            if re.search(r"0x[0-9a-f]{9,}|/home/|/tmp/|/work|[A-Z]:\\", text):
                yield f"cell {number} has an address or a path of a machine"


def cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    if max(lengths) > 20:
        yield f"a code cell has {max(lengths)} lines, 20 are the most"
    if statistics.median(lengths) > 5:
        yield f"the median code cell has {statistics.median(lengths)} lines"


def metadata_is_minimal(notebook):
    extra = {key for cell in notebook.cells for key in cell.metadata} - {"tags"}
    extra |= set(notebook.metadata) - {"kernelspec", "language_info"}
    if extra:
        yield f"its metadata holds {sorted(extra)}"


def frame_is_complete(notebook):
    text = text_of(notebook)
    first = notebook.cells[0].source
    if not first.startswith("# ") or len(re.findall(r"^# ", text, re.M)) != 1:
        yield "it does not begin with its only heading of the first level"
    wanted = "**Notebook", "**What you will make", "**What you need", "**Time:**"
    ending = "## What you made", "**In practice.**", "**Further reading**", "**Next:**"
    for part in wanted + ending:
        if part not in (first if part in wanted else text):
            yield f"there is no {part}"
    links = text.partition("**Further reading**")[2].partition("**Next:**")[0]
    if links.count("](") > 7:
        yield "more than a handful of links for further reading"


def figures_have_captions(notebook):
    number, wanted = notebook.cells[0].source.split("**Notebook ")[1][0], 1
    for cell, below in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        outputs = cell.get("outputs", [])
        is_figure = any("image/png" in o.get("data", {}) for o in outputs)
        if is_figure or "draw_digit.pad" in cell.source:
            caption = f"*Figure {number}.{wanted}. "
            if below is None or not below.source.startswith(caption):
                yield f"a figure is not followed by {caption}"
            wanted += 1


def modules_are_imported_by_name(notebook):
    for cell in code_cells(notebook):
        if re.search(r"import helpers\b|from helpers\.", cell.source):
            yield "expected is `from helpers import <file>`: Tab completes its names"


def links_lead_somewhere(notebook):
    for target in re.findall(r"\]\(([^)#]+\.(?:ipynb|png))", text_of(notebook)):
        if not (FOLDER / target).exists():
            yield f"{target} does not exist"


RULES = [
    executed_in_order,
    outputs_are_clean,
    cells_are_short,
    metadata_is_minimal,
    frame_is_complete,
    figures_have_captions,
    modules_are_imported_by_name,
    links_lead_somewhere,
]


def say(text, **kind):
    """Return what makes the second code cell print `text`."""
    return lambda notebook: code_cells(notebook)[1].outputs.append(
        nbformat.v4.new_output("stream", text=text, **kind)
    )


def edit(place, old, new):
    """Return what replaces `old` by `new` in the cell at `place`."""

    def change(notebook):
        cell = notebook.cells[place]
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return change


BROKEN = {
    "cleared": lambda nb: [cell.outputs.clear() for cell in code_cells(nb)],
    "counts": lambda nb: code_cells(nb)[0].update(execution_count=2),
    "warning": say("Warning: …", name="stderr"),
    "path": say("saved /home/someone/file"),
    "long": edit(2, "import", "\n" * 21 + "import"),
    "metadata": lambda nb: nb.cells[1].metadata.update(collapsed=True),
    "no time": edit(0, "**Time:**", "Time:"),
    "bare name": edit(2, "from helpers import datasets,", "import helpers,"),
    "link": edit(0, "02_preprocess_data", "02_nowhere"),
    "caption": lambda nb: [
        cell.update(source=cell.source.replace("*Figure 1.2.", "*Figure 1.3."))
        for cell in nb.cells
    ],
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_keeps_every_rule(path):
    assert problems(read(path)) == []


@pytest.mark.parametrize("broken", BROKEN)
def test_rule_notices_who_breaks_it(broken):
    notebook = copy.deepcopy(read(PATHS[0]))
    BROKEN[broken](notebook)
    assert problems(notebook)


def test_every_call_of_the_original_is_linked():
    everything = "".join(text_of(read(path)) for path in PATHS)
    assert [page for page in LINKED.split() if f"{API}{page})" not in everything] == []


def test_parameter_of_two_notebooks_is_declared_alike():
    seen = {}
    for path in PATHS:
        for name, parameter in declared(path).items():
            assert seen.setdefault(name, parameter) == parameter
    assert {"save_model_name", "epochs", "batch_size", "head"} <= set(seen)
