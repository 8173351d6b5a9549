"""The rules that keep the notebooks whole: each names what breaks it.

A rule takes a notebook (as ``nbformat`` reads it) and its path, and returns sentences,
none if the notebook is in order.
"""

import ast
import itertools
import re
from pathlib import Path

LONGEST_CELL, WIDEST_LINE = 25, 88  # lines, columns
NOISE = {
    "a memory address": re.compile(r"\b0x[0-9a-f]{6,}"),
    "a log line of TensorFlow": re.compile(r"^[WIEF]\d{4} |^WARNING: All log", re.M),
    "a warning": re.compile(r"\w*Warning: "),
    "a carriage return": re.compile(r"\r"),
    "an escape sequence of a progress bar": re.compile(r"\x1b\[[0-9;]*[AK]|it/s\]"),
}
ABSOLUTE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|Users|work|usr|var)/|[A-Z]:\\\\")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def executed_in_order(notebook, path):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1 to {len(counts)}"


def outputs_are_kept(notebook, path):
    for cell in code_cells(notebook):
        if _shows_something(cell.source) and not cell.outputs:
            yield f"cell {cell.id} shows something but its output was cleared"


def no_error_outputs(notebook, path):
    for cell in code_cells(notebook):
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"cell {cell.id} holds an error"


def one_parameters_cell(notebook, path):
    tagged = [c.id for c in code_cells(notebook) if "parameters" in tags(c)]
    if len(tagged) != 1:
        yield f"{len(tagged)} cells are tagged parameters, not 1"


def parameters_are_documented(notebook, path):
    for cell in code_cells(notebook):
        for line in cell.source.splitlines() if "parameters" in tags(cell) else []:
            if not re.fullmatch(r"\w+: (int|float|str|bool) = \S.*  # \S.*", line):
                yield f"parameter line {line!r} lacks type, value or help"


def links_resolve(notebook, path):
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for _, _, target in LINK.findall(cell.source):
            if "://" in target or target.startswith("#"):
                continue
            if not (Path(path).parent / target.split("#")[0]).exists():
                yield f"cell {cell.id} links to {target}, which does not exist"


def pictures_have_alt_text(notebook, path):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for bang, text, target in LINK.findall(cell.source):
                if bang and not text.strip():
                    yield f"cell {cell.id}: {target} has no alt text"
            continue
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                if len(alt) < 20:
                    yield f"cell {cell.id}: its picture has no alt text"


def figures_have_captions(notebook, path):
    number = Path(path).name[1]
    expected = 1
    for cell, following in itertools.pairwise(notebook.cells):
        if not any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])):
            continue
        start = f"*Figure {number}.{expected}. "
        if not following.source.startswith(start):
            yield f"cell {cell.id}: its picture is not followed by {start!r}"
        expected += 1


def cells_are_short(notebook, path):
    for cell in code_cells(notebook):
        lines = cell.source.splitlines()
        if len(lines) > LONGEST_CELL:
            yield f"cell {cell.id} has {len(lines)} lines, over {LONGEST_CELL}"
        if max(map(len, lines), default=0) > WIDEST_LINE:
            yield f"cell {cell.id} has a line over {WIDEST_LINE} columns"


def no_absolute_paths(notebook, path):
    for cell in notebook.cells:
        for text in [cell.source, *texts(cell)]:
            if found := ABSOLUTE.search(text):
                yield f"cell {cell.id} names a path of one machine: {found.group()}"


def outputs_are_clean(notebook, path):
    for cell in code_cells(notebook):
        for text in texts(cell):
            for what, pattern in NOISE.items():
                if pattern.search(text):
                    yield f"cell {cell.id} shows {what}"


def headings_are_in_order(notebook, path):
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    prose = re.sub(r"```.*?```", "", prose, flags=re.S)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", prose, re.M)]
    if levels.count(1) != 1 or levels[0] != 1:
        yield f"{levels.count(1)} headings of the first level, not 1 at the top"
    for before, after in itertools.pairwise(levels):
        if after > before + 1:
            yield f"a heading of level {after} follows one of level {before}"


def the_frame_is_there(notebook, path):
    number = int(Path(path).name[:2])
    first = notebook.cells[0].source
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    wanted = {
        f"**Notebook {number} of 6**": first,
        "**What you make:**": first,
        "**What you learn**": first,
        "**What you need:**": first,
        "**Time:**": first,
        "## What you made": prose,
        "## Check yourself": prose,
        "<details>": prose,
        "**In practice.**": prose,
        "**Next:**": prose,
    }
    if number > 1:
        wanted["previous: ["] = first
    if number < 6:
        wanted["next:"] = first
    for words, place in wanted.items():
        if words not in place:
            yield f"{words!r} is missing"
    if prose.count("**Predict") < 2:
        yield "fewer than two predictions before a measurement"


def metadata_is_minimal(notebook, path):
    if set(notebook.metadata) != {"kernelspec", "language_info"}:
        yield f"notebook metadata has {sorted(notebook.metadata)}"
    for cell in notebook.cells:
        if set(cell.metadata) - {"tags"}:
            yield f"cell {cell.id} has metadata {sorted(cell.metadata)}"


RULES = (
    executed_in_order,
    outputs_are_kept,
    no_error_outputs,
    one_parameters_cell,
    parameters_are_documented,
    links_resolve,
    pictures_have_alt_text,
    figures_have_captions,
    cells_are_short,
    no_absolute_paths,
    outputs_are_clean,
    headings_are_in_order,
    the_frame_is_there,
    metadata_is_minimal,
)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def texts(cell):
    """Return all texts among a cell's outputs; pictures left out."""
    for output in cell.get("outputs", []):
        yield output.get("text", "")
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield value
        yield "\n".join(output.get("traceback", []))


def _shows_something(source):
    last = ast.parse(source).body[-1:]
    calls = re.search(r"^(print|show|exercises\.\w+)\(", source, re.M)
    return bool(calls) or bool(last and isinstance(last[0], ast.Expr) and _valued(last))


def _valued(statements):
    # A bare expression shows its value, unless it is a call that returns nothing.
    source = ast.unparse(statements[0])
    return source.startswith("Table(") or source.startswith("draw_your_own(")
