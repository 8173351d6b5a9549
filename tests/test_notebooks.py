"""What every stored notebook keeps to, and that each rule notices who breaks it."""

import base64
import copy
import re
import statistics
import struct
from pathlib import Path

import nbformat
import pytest

from helpers import runs
from helpers.parameters import declared

PATHS = runs.notebooks()
API = "https://www.tensorflow.org/api_docs/python/tf/"
LINKED = """keras/datasets/mnist/load_data keras/Sequential keras/Sequential#add
keras/layers/Conv2D keras/layers/MaxPool2D keras/layers/Dense keras/Model#summary
keras/Model#compile keras/Model#fit keras/Model#evaluate lite/TFLiteConverter
lite/TFLiteConverter#convert lite/Interpreter lite/Interpreter#get_input_details
lite/Interpreter#get_output_details data/Dataset data/Dataset#from_tensor_slices
data/Dataset#shuffle data/Dataset#batch keras/metrics/SparseCategoricalAccuracy
lite/Interpreter#set_tensor cast lite/Interpreter#get_tensor
keras/metrics/SparseCategoricalAccuracy#update_state"""
FIRST_CELL = (
    "**Notebook",
    "**What you will make",
    "**What you will learn",
    "**What you need",
    "**Time:**",
)
CLOSING = (
    "## What you made",
    "## Check yourself",
    "**In practice.**",
    "**Further reading**",
    "**Next:**",
)
TAGS = {
    "parameters",  # what papermill replaces
    "nbval-ignore-output",  # depends on the dataset or on training
    "report-figure",  # is shown on the overview of a batch run
    "strip",  # on a phone it scrolls, where other figures shrink
}
HERE = Path(__file__)
OTHER_TESTS = [path for path in HERE.parent.glob("*.py") if path != HERE]
MACHINE = r"0x[0-9a-f]{9,}|/home/|/tmp/|/work|[A-Z]:\\"  # an address, or a path


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    return "\n\n".join(cell.source for cell in cells)


def text_of_output(output):
    """Return all that an output shows in letters, without pictures and HTML."""
    parts = [output.get("text", "")]
    for kind, data in output.get("data", {}).items():
        if kind not in ("image/png", "text/html"):
            parts.append(str(data))
    return "\n".join(parts)


def problems(notebook):
    """Return a sentence for each rule that a notebook breaks."""
    found = []
    for rule in RULES:
        found.extend(rule(notebook))
    return found


def executed_in_order(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"cells were executed as {counts}, expected 1 to {len(counts)}"
    if not any(cell.outputs for cell in code_cells(notebook)):
        yield "its outputs were cleared: a comparison with nothing cannot fail"


def outputs_are_clean(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error" or output.get("name") == "stderr":
                yield f"cell {cell.id} has an error or a warning in its output"
            if re.search(MACHINE, text_of_output(output)):
                yield f"cell {cell.id} has an address or a path of a machine"


def cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    median = statistics.median(lengths)
    if max(lengths) > 20:
        yield f"a code cell has {max(lengths)} lines, 20 are the most"
    if median > 5:
        yield f"the median code cell has {median} lines, 5 are the most"


def metadata_is_minimal(notebook):
    extra = set(notebook.metadata) - {"kernelspec", "language_info"}
    for cell in notebook.cells:
        extra.update(set(cell.metadata) - {"tags"})
    if extra:
        yield f"its metadata holds {sorted(extra)}"


def tags_are_read(notebook):
    tests = "".join(path.read_text(encoding="utf-8") for path in OTHER_TESTS)
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", []):
            is_taken_by_a_test = f'"{tag}"' in tests
            is_kept_as_picture = tag.startswith("image:")
            if tag not in TAGS and not is_taken_by_a_test and not is_kept_as_picture:
                yield f"cell {cell.id} has the tag {tag}, which nothing reads"


def frame_is_complete(notebook):
    text = text_of(notebook)
    first = notebook.cells[0].source
    if not first.startswith("# ") or len(re.findall(r"^# ", text, re.M)) != 1:
        yield "it does not begin with its only heading of the first level"
    for part in FIRST_CELL:
        if part not in first:
            yield f"there is no {part} in the first cell"
    for part in CLOSING:
        if part not in text:
            yield f"there is no {part}"


def further_reading_is_short(notebook):
    _, _, closing = text_of(notebook).partition("**Further reading**")
    links, _, _ = closing.partition("**Next:**")
    if links.count("](") > 5:
        yield f"{links.count('](')} links for further reading, 5 are the most"


def figures_have_captions(notebook):
    number = re.search(r"\*\*Notebook (\d)", notebook.cells[0].source)[1]
    wanted = 1
    below = [*notebook.cells[1:], None]
    for cell, next_cell in zip(notebook.cells, below, strict=True):
        if pictures_of(cell) or "draw_digit.pad" in cell.source:
            caption = f"*Figure {number}.{wanted}. "
            if next_cell is None or not next_cell.source.startswith(caption):
                yield f"the figure of cell {cell.id} is not followed by {caption}"
            wanted += 1


def figures_are_sharp(notebook):
    for cell in code_cells(notebook):
        for output in pictures_of(cell):
            header = base64.b64decode(output.data["image/png"])[:24]
            [pixels] = struct.unpack(">I", header[16:20])
            shown = output.metadata.get("image/png", {}).get("width", pixels)
            if abs(pixels - 2 * shown) > 1:
                yield f"the figure of cell {cell.id} has {pixels} pixels for {shown}"


def pictures_of(cell):
    """Return the outputs of a cell that hold a picture."""
    outputs = cell.get("outputs", [])
    return [output for output in outputs if "image/png" in output.get("data", {})]


def modules_are_imported_by_name(notebook):
    for cell in code_cells(notebook):
        if re.search(r"import helpers\b|from helpers\.", cell.source):
            yield "expected is `from helpers import <file>`: Tab completes its names"


def links_lead_somewhere(notebook):
    pattern = r"\]\(([^)#]+\.(?:ipynb|png|gif))[)#]"
    for target in re.findall(pattern, text_of(notebook)):
        if "://" not in target and not (runs.NOTEBOOKS / target).exists():
            yield f"{target} does not exist"


def pictures_have_alternative_texts(notebook):
    for text in re.findall(r"!\[(.*?)\]\(", text_of(notebook)):
        if len(text) < 20:
            yield f"a picture's alternative text is {text!r}"


RULES = [
    executed_in_order,
    outputs_are_clean,
    cells_are_short,
    metadata_is_minimal,
    tags_are_read,
    frame_is_complete,
    further_reading_is_short,
    figures_have_captions,
    figures_are_sharp,
    modules_are_imported_by_name,
    links_lead_somewhere,
    pictures_have_alternative_texts,
]


# Each function below breaks one rule of notebook 1.


def with_cleared_outputs(notebook):
    for cell in code_cells(notebook):
        cell.outputs.clear()


def with_wrong_counts(notebook):
    code_cells(notebook)[0].execution_count = 2


def with_a_warning(notebook):
    output = nbformat.v4.new_output("stream", name="stderr", text="Warning: …")
    code_cells(notebook)[1].outputs.append(output)


def with_a_path(notebook):
    output = nbformat.v4.new_output("stream", text="saved /home/someone/file")
    code_cells(notebook)[1].outputs.append(output)


def with_a_path_in_a_table(notebook):
    output = nbformat.v4.new_output("display_data", {"text/markdown": "| /tmp/x |"})
    code_cells(notebook)[1].outputs.append(output)


def with_a_long_cell(notebook):
    code_cells(notebook)[0].source += "\n" * 21 + "x = 1"


def with_longer_cells(notebook):
    for cell in code_cells(notebook):
        cell.source += "\nx = 1\nx = 2\nx = 3"


def with_more_metadata(notebook):
    notebook.cells[1].metadata["collapsed"] = True


def with_an_unknown_tag(notebook):
    notebook.cells[1].metadata["tags"] = ["nbval-ignore-outputs"]


def with_a_second_title(notebook):
    notebook.cells[1].source = "# Set up"


def without_a_time(notebook):
    edit(notebook, "**Time:**", "Time:")


def without_a_closing(notebook):
    edit(notebook, "**In practice.**", "In practice:")


def with_more_to_read(notebook):
    link = "- [more](https://example.org)\n"
    edit(notebook, "**Next:**", 6 * link + "\n**Next:**")


def with_a_wrong_caption(notebook):
    edit(notebook, "*Figure 1.2.", "*Figure 1.3.")


def without_a_caption(notebook):
    edit(notebook, "*Figure 1.2.", "The same 7:")


def with_a_blurred_figure(notebook):
    for cell in code_cells(notebook):
        for output in pictures_of(cell):
            output.metadata["image/png"]["width"] *= 2


def with_a_package_imported(notebook):
    edit(notebook, "from helpers import datasets,", "import helpers,")


def with_a_function_imported(notebook):
    edit(notebook, "from helpers import", "from helpers.figures import")


def with_a_broken_link(notebook):
    edit(notebook, "02_preprocess_data", "02_nowhere")


def with_a_missing_picture(notebook):
    edit(notebook, "draw_digit.gif", "nothing.gif")


def with_a_picture_without_words(notebook):
    notebook.cells[1].source = "![](../images/show_data_image.png)"


BROKEN = [
    (executed_in_order, with_cleared_outputs),
    (executed_in_order, with_wrong_counts),
    (outputs_are_clean, with_a_warning),
    (outputs_are_clean, with_a_path),
    (outputs_are_clean, with_a_path_in_a_table),
    (cells_are_short, with_a_long_cell),
    (cells_are_short, with_longer_cells),
    (metadata_is_minimal, with_more_metadata),
    (tags_are_read, with_an_unknown_tag),
    (frame_is_complete, with_a_second_title),
    (frame_is_complete, without_a_time),
    (frame_is_complete, without_a_closing),
    (further_reading_is_short, with_more_to_read),
    (figures_have_captions, with_a_wrong_caption),
    (figures_have_captions, without_a_caption),
    (figures_are_sharp, with_a_blurred_figure),
    (modules_are_imported_by_name, with_a_package_imported),
    (modules_are_imported_by_name, with_a_function_imported),
    (links_lead_somewhere, with_a_broken_link),
    (links_lead_somewhere, with_a_missing_picture),
    (pictures_have_alternative_texts, with_a_picture_without_words),
]


def edit(notebook, old, new):
    """Replace `old` by `new` in all cells; at least one must have it."""
    found = False
    for cell in notebook.cells:
        found = found or old in cell.source
        cell.source = cell.source.replace(old, new)
    assert found, f"no cell has {old!r}"


def name_of(value):
    return getattr(value, "__name__", None) or value.stem


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_notebook_keeps_every_rule(path):
    assert problems(read(path)) == []


@pytest.mark.parametrize(("rule", "damage"), BROKEN, ids=name_of)
def test_rule_notices_a_notebook_that_breaks_it(rule, damage):
    notebook = copy.deepcopy(read(PATHS[0]))
    damage(notebook)
    assert list(rule(notebook))


def test_every_rule_has_a_broken_notebook():
    assert {rule for rule, _ in BROKEN} == set(RULES)


def test_every_call_of_the_original_is_linked():
    everything = "".join(text_of(read(path)) for path in PATHS)
    missing = [page for page in LINKED.split() if f"{API}{page})" not in everything]
    assert missing == []


def test_parameter_of_two_notebooks_is_declared_alike():
    seen = {}
    for path in PATHS:
        for name, parameter in declared(path).items():
            assert seen.get(name, parameter) == parameter
            seen[name] = parameter
    assert {"save_model_name", "epochs", "batch_size", "head"} <= set(seen)
