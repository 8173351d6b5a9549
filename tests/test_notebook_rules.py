"""The six notebooks keep the rules, and each rule rejects a notebook that breaks it."""

import copy

import nbformat
import notebook_rules as rules
import pytest

from helpers.parameters import notebook_parameters, notebook_paths

PATHS = notebook_paths()


def test_series_has_six_notebooks_in_order():
    assert [path.name[:2] for path in PATHS] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_keeps_rule(path, rule):
    assert list(rule(nbformat.read(path, 4), path)) == []


def test_shared_parameters_have_equal_lines():
    seen = {}
    for path in PATHS:
        for name, parameter in notebook_parameters(path).items():
            assert seen.setdefault(name, parameter) == parameter


def _cell_with(notebook, condition):
    return next(cell for cell in notebook.cells if condition(cell))


def _printing(notebook):
    return _cell_with(notebook, lambda c: c.get("outputs") and "print(" in c.source)


def _with_picture(notebook):
    return _cell_with(notebook, lambda c: c.source.endswith(")") and _picture(c))


def _picture(cell):
    return any("image/png" in o.get("data", {}) for o in cell.get("outputs", []))


def _add_output(notebook, text):
    cell = _printing(notebook)
    cell.outputs.append(nbformat.v4.new_output("stream", name="stderr", text=text))


def _parameters(notebook):
    return _cell_with(notebook, lambda c: "parameters" in rules.tags(c))


def _append(notebook, source):
    notebook.cells.append(nbformat.v4.new_markdown_cell(source))


def _run_twice(notebook):
    _printing(notebook).execution_count = 99


def _clear(notebook):
    _printing(notebook).outputs = []


def _fail(notebook):
    error = nbformat.v4.new_output("error", ename="E", evalue="", traceback=["E"])
    _printing(notebook).outputs.append(error)


def _second_parameters(notebook):
    _printing(notebook).metadata["tags"] = ["parameters"]


def _undocumented(notebook):
    _parameters(notebook).source += "\nepochs = 5"


def _drop_alt(notebook):
    for output in _with_picture(notebook).outputs:
        output.metadata = {}


def _drop_caption(notebook):
    place = notebook.cells.index(_with_picture(notebook))
    notebook.cells[place + 1].source = "A picture."


def _lengthen(notebook):
    _printing(notebook).source += "\nx = 1" * 30


def _widen(notebook):
    _printing(notebook).source += "\nx = '" + "x" * 90 + "'"


def _drop_prediction(notebook):
    for cell in notebook.cells:
        cell.source = cell.source.replace("**Predict", "**Guess")


def _add_metadata(notebook):
    _printing(notebook).metadata["papermill"] = {"duration": 1.0}


BROKEN = {
    "executed_in_order": [_run_twice],
    "outputs_are_kept": [_clear],
    "no_error_outputs": [_fail],
    "one_parameters_cell": [_second_parameters],
    "parameters_are_documented": [_undocumented],
    "links_resolve": [lambda nb: _append(nb, "[next](07_fly_to_the_moon.ipynb)")],
    "pictures_have_alt_text": [
        _drop_alt,
        lambda nb: _append(nb, "![](../images/model_accuracy.png)"),
    ],
    "figures_have_captions": [_drop_caption],
    "cells_are_short": [_lengthen, _widen],
    "no_absolute_paths": [
        lambda nb: _add_output(nb, "see /home/me/model.keras"),
        lambda nb: _append(nb, "Open `/tmp/model.tflite`."),
    ],
    "outputs_are_clean": [
        lambda nb: _add_output(nb, "<Model object at 0x7f3a12bc90d0>"),
        lambda nb: _add_output(nb, "W0000 00:00:1 cuda not found"),
        lambda nb: _add_output(nb, "x.py:1: DeprecationWarning: old"),
        lambda nb: _add_output(nb, "10%\r20%"),
        lambda nb: _add_output(nb, "100 [00:01, 12.3it/s]"),
    ],
    "headings_are_in_order": [
        lambda nb: _append(nb, "# Another title"),
        lambda nb: _append(nb, "#### Deep"),
    ],
    "the_frame_is_there": [_drop_prediction],
    "metadata_is_minimal": [_add_metadata],
}
CASES = [(rule, case) for rule in rules.RULES for case in BROKEN[rule.__name__]]


@pytest.mark.parametrize(("rule", "break_it"), CASES)
def test_rule_rejects_broken_notebook(rule, break_it):
    path = PATHS[0]
    notebook = nbformat.read(path, 4)
    broken = copy.deepcopy(notebook)
    break_it(broken)
    assert list(rule(broken, path))
