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
LINE = "epochs: int = 5  # passes over the images [1 to 1000]"
EPOCHS = Parameter("epochs", int, 5, "passes over the images", "1 to 1000")
GOOD_CELLS = {  # what people do to a cell, which changes nothing
    "as it is": LINE,
    "blank lines": f"\n\n{LINE}\n\n   \n",
    "blank at the end": LINE + "  \t",
    "one space": LINE.replace("  #", " #"),
    "no space": LINE.replace("  # ", "#"),
    "wide": LINE.replace(" ", "   ").replace("int", "  int"),
    "hard space": LINE.replace("1 to", "1\u00a0to"),
    "comment above": f"# 10 is better\n{LINE}\n# to be tried",
    "Windows": f"{LINE}\r\n",
}
BAD_LINES = [
    "epochs = 5  # passes",
    "epochs: int = 5",
    "epochs: int  # passes",
    "epochs: list = []  # passes",
    "epochs: int = five  # passes",
    "epochs: int = 5.5  # passes [1 to 1000]",
    "epochs: int = 0  # passes [1 to 1000]",
    "epochs: int = 5  # passes [1 to 1000",
    "epochs: int = 5  # [1 to 1000]",
    "epochs: int = 5 passes",
    "print(epochs)  # passes",
    "import epochs  # passes",
    "self.epochs: int = 5  # passes",
    "epochs: int = 5; batch: int = 6  # passes",
    "%epochs 5",
    f"{LINE}\n{LINE}",
]
UNREADABLE = [  # type, default and what stands in the brackets
    ("int", "5", "1 up to 9"),
    ("int", "5", "1, 5 or 9"),
    ("int", "5", "9 to 1"),
    ("float", "5.0", "nan to nan"),
    ("float", "5.0", "0 to inf"),
    ("float", "5.0", "any number"),
    ("str", "'cosine'", "cosine"),
    ("str", "'cosine'", "cosine, constant and one-cycle"),
    ("str", "'cosine'", "cosine or one cycle"),
    ("str", "'cosine'", "cosine,constant"),
    ("str", "'a'", "letters, digits, _ and -"),
    ("bool", "True", "True or False"),
]


def write(tmp_path, *sources):
    """Write a notebook with these parameters cells, and return its path."""
    tags = {"tags": ["parameters"]}
    cells = [nbformat.v4.new_code_cell(source, metadata=tags) for source in sources]
    path = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.mark.parametrize("kind", GOOD_CELLS)
def test_declared_reads_what_people_do_to_a_cell(tmp_path, kind):
    assert declared(write(tmp_path, GOOD_CELLS[kind])) == {"epochs": EPOCHS}


def test_declared_reads_defaults_with_signs_that_mean_something_in_a_line(tmp_path):
    source = """a: str = "x # y = [z]"  # a text [any text]
b: float = -1e-3  # a number [-1.0 to 0.5]
c: bool = False  # 100 % = all, (or not)
d: str = 'one-cycle'  # a choice [cosine, constant or one-cycle]"""
    found = declared(write(tmp_path, source))
    assert [found[name].default for name in "abcd"] == [
        "x # y = [z]",
        -1e-3,
        False,
        "one-cycle",
    ]
    assert found["c"].help == "100 % = all, (or not)"


@pytest.mark.parametrize("line", BAD_LINES)
def test_declared_refuses_a_line_of_another_form(tmp_path, line):
    with pytest.raises(TutorialError, match="epochs"):
        declared(write(tmp_path, f"# first\n\n{line}"))


def test_declared_names_the_line_that_it_refuses(tmp_path):
    path = write(tmp_path, f"{LINE}\n\nbatch = 5")
    with pytest.raises(TutorialError, match="'batch = 5' as line 3"):
        declared(path)


@pytest.mark.parametrize("kind, default, accepts", UNREADABLE)
def test_declared_refuses_brackets_that_would_check_nothing(
    tmp_path, kind, default, accepts
):
    path = write(tmp_path, f"a: {kind} = {default}  # help [{accepts}]")
    with pytest.raises(TutorialError, match="cannot be read") as error:
        declared(path)
    assert f"[{accepts}]" in str(error.value)


def test_choice_with_a_hyphen_is_checked():
    schedule = Parameter("a", str, "cosine", "help", "cosine, constant or one-cycle")
    assert schedule.check("one-cycle") == "one-cycle"
    with pytest.raises(TutorialError, match="cosine, constant or one-cycle"):
        schedule.check("one")


@pytest.mark.parametrize("cells", [[], [LINE, LINE.replace("epochs", "others")]])
def test_declared_refuses_a_notebook_without_one_parameters_cell(tmp_path, cells):
    path = write(tmp_path, *cells)
    with pytest.raises(TutorialError, match=f"{len(cells)} cells tagged `parameters`"):
        declared(path)


@pytest.mark.parametrize(
    "content",
    ["", "<<<<<<< HEAD\n{", "[]", "{}", '{"cells": 5}', '{"cells": [5]}', "é"],
)
def test_declared_names_a_file_that_is_no_notebook_and_how_to_bring_it_back(
    tmp_path, content
):
    path = tmp_path / "a.ipynb"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(TutorialError, match=r"^a\.ipynb is no notebook") as error:
        declared(path)
    assert f'`git -C "{tmp_path}" checkout HEAD -- a.ipynb`' in str(error.value)


def test_all_parameters_know_the_notebooks_that_declare_them():
    found = all_parameters(runs.notebooks())
    assert found["save_model_name"].notebooks == (1, 2, 3, 4, 5, 6)
    assert found["seed"].notebooks == (3, 4) and found["head"].notebooks == (5,)


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
