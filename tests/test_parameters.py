"""Parameters: what a line declares, which values are accepted, which names are safe."""

import re

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from helpers import runs
from helpers.files import TutorialError
from helpers.parameters import (
    RECIPES,
    Parameter,
    all_parameters,
    check_name,
    declared,
)

KINDS = [
    Parameter("epochs", int, 5, "passes", "1 to 1000"),
    Parameter("free", int, 5, "any whole number"),
    Parameter("rate", float, 0.005, "size of a step", "0.000001 to 1.0"),
    Parameter("free", float, 0.5, "any number"),
    Parameter("augment", bool, True, "vary the images"),
    Parameter("head", str, "conv", "last layer", "conv or dense"),
    Parameter("dataset", str, "auto", "source", "auto, mnist or any path"),
    Parameter("save_model_name", str, "a", "name of the run", "any letters, digits"),
]
WORDS = st.sampled_from(["true", "No", "conv", "1", "1e400", "nan", "-1", "9" * 400])
TYPED = st.one_of(st.text(), WORDS, st.integers().map(str), st.floats().map(str))
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
BAD_LINES = """epochs = 5  # passes
epochs: int = 5
epochs: list = []  # passes
epochs: int = five  # passes
epochs: int = 5.5  # passes [1 to 1000]
epochs: int = 0  # passes [1 to 1000]"""


def read(tmp_path, source):
    tags = {"tags": ["parameters"]}
    cell = nbformat.v4.new_code_cell(source, metadata=tags)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    return declared(tmp_path / "a.ipynb")


@pytest.mark.parametrize("line", BAD_LINES.splitlines())
def test_declared_refuses_a_line_of_another_form(tmp_path, line):
    with pytest.raises(TutorialError, match="epochs"):
        read(tmp_path, line)


@pytest.mark.parametrize("parameter", KINDS, ids=lambda p: f"{p.name}-{p.accepts}")
@settings(deadline=None)
@given(text=TYPED, value=VALUES)
def test_any_text_or_value_is_in_range_or_refused_in_a_line(parameter, text, value):
    for read_it, got in ((parameter.parse, text), (parameter.check, value)):
        try:
            found = read_it(got)
        except TutorialError as error:
            assert parameter.name in str(error) and "\n" not in str(error)
            continue
        assert type(found) is parameter.type
        if bounds := re.fullmatch(r"(\S+) to (\S+)", parameter.accepts):
            assert float(bounds[1]) <= found <= float(bounds[2])
        assert parameter.type is not float or abs(found) < float("inf")
        assert parameter.name != "head" or found in ("conv", "dense")
        assert read_it == parameter.parse or found == value


def test_typed_words_for_true_and_false_are_understood():
    found = [KINDS[4].parse(word) for word in ("False", "no", "TRUE", "yes")]
    assert found == [False, False, True, True]


@settings(deadline=None)
@given(name=st.one_of(st.text(), st.from_regex(r"(\.\./|[a-zA-Z0-9_.-]|\n)*")))
def test_name_of_any_text_stays_among_the_artifacts_or_is_refused(name):
    try:
        run = runs.Run(check_name(name))
    except TutorialError:
        return
    assert run.folder.resolve().parent == runs.artifacts_root()
    assert name.replace("-", "_").isidentifier() and name.isascii()


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\n", "con", "LPT1", "é", "a" * 65])
def test_name_that_is_no_folder_everywhere_is_refused(name):
    with pytest.raises(TutorialError, match="save_model_name"):
        check_name(name)


def test_error_is_shown_in_a_notebook_as_its_sentence_alone(monkeypatch):
    shell, shown = InteractiveShell(), []
    monkeypatch.setattr(shell, "_showtraceback", lambda *found: shown.extend(found[2]))
    shell.run_cell("from helpers.files import TutorialError as E\nraise E('Why.')")
    assert shown == ["TutorialError: Why."]


def test_recipe_has_values_that_are_accepted_and_no_defaults():
    for name, value in RECIPES["original"].items():
        parameter = all_parameters(runs.notebooks())[name]
        assert parameter.check(value) == value != parameter.default
