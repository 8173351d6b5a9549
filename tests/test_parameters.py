"""Parameters: what a notebook declares, what it accepts, and that nothing is run."""

import json
import math

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.errors import TutorialError
from helpers.parameters import (
    LONGEST_TEXT,
    Parameter,
    check_parameters,
    notebook_parameters,
    notebook_path,
    notebook_paths,
)
from helpers.paths import REPOSITORY, artifacts_root, check_name, shorten

NOTEBOOKS = notebook_paths()
DECLARED = {
    name: parameter
    for notebook in NOTEBOOKS
    for name, parameter in notebook_parameters(notebook).items()
}
HOSTILE = [
    float("nan"),
    float("inf"),
    -float("inf"),
    -0.0,
    10**400,
    -(10**400),
    10**5000,
    [10**5000],
    [[[[]]]],
    [1] * 10**6,
    {"a": [1]},
    None,
    True,
    b"bytes",
    1 + 2j,
    "",
    "a" * 10**6,
    "__import__('os').system('touch hacked')",
    "\0",
    "\ud800",
    "'\"\\\n\r\t{}{name}%s$(x)`x`",
    object(),
    type,
]


def deep(levels=10**5):
    nested = []
    for _ in range(levels):
        nested = [nested]
    return nested


def refusal(call, *arguments):
    with pytest.raises(TutorialError) as error:
        call(*arguments)
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 1000
    return text


def accepted(parameter, value):
    try:
        return parameter.check(value), True
    except TutorialError:
        refusal(parameter.check, value)
        return None, False


# The cells of the notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_our_reading_of_a_notebook_equals_papermills_inspection(path):
    import papermill

    inspected = papermill.inspect_notebook(str(path))
    ours = notebook_parameters(path)
    assert list(ours) == list(inspected)
    for name, parameter in ours.items():
        theirs = inspected[name]
        assert theirs["inferred_type_name"] == parameter.type.__name__
        assert theirs["default"] == repr(parameter.default).replace("'", '"')
        assert theirs["help"].startswith(parameter.help)
        assert parameter.accepts in theirs["help"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_defaults_are_accepted_and_unchanged(path):
    for parameter in notebook_parameters(path).values():
        value = parameter.check(parameter.default)
        assert value == parameter.default and type(value) is parameter.type


def test_all_words_and_ranges_of_the_notebooks_are_understood():
    assert DECLARED["head"].choices == ["conv", "dense"]
    assert DECLARED["network"].choices == ["tutorial", "compact"]
    assert DECLARED["lr_schedule"].choices == ["cosine", "constant"]
    assert DECLARED["epochs"].bounds == (1, 1000)
    assert DECLARED["pixel_scale"].bounds == (1.0, 255.0)
    numbers = [p for p in DECLARED.values() if p.type in (int, float)]
    assert all(parameter.bounds for parameter in numbers)


def written(tmp_path, *lines):
    cell = nbformat.v4.new_code_cell(
        "\n".join(lines), metadata={"tags": ["parameters"]}
    )
    path = tmp_path / "07_other.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


@pytest.mark.parametrize(
    "line",
    [
        "epochs: int = 5",
        "epochs = 5  # without a type",
        "epochs: list = []  # of another type",
        "epochs: int = __import__('os').getpid()  # not a literal",
        "epochs: int = 5 if True else 6  # not a literal",
        "import os",
    ],
)
def test_line_that_declares_no_parameter_is_refused_and_not_run(tmp_path, line):
    assert "07_other.ipynb" in refusal(notebook_parameters, written(tmp_path, line))


def test_notebook_without_parameters_has_none(tmp_path):
    path = tmp_path / "08_none.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), path)
    assert notebook_parameters(path) == {}


def test_notebook_is_found_by_number_stem_and_path():
    for path in NOTEBOOKS:
        assert notebook_path(path.name[:2]) == notebook_path(path.stem) == path


def test_notebook_that_was_renamed_is_named():
    assert "no notebook 04_trained in notebooks" in refusal(notebook_path, "04_trained")


@pytest.mark.parametrize("copy", ["-Copy1", " copy", " - Copy", " (1)"])
def test_copy_of_a_notebook_is_not_one_of_the_series(tmp_path, monkeypatch, copy):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "04_train_model.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / f"04_train_model{copy}.ipynb")
    monkeypatch.setattr("helpers.parameters.NOTEBOOKS", tmp_path)
    assert [path.stem for path in notebook_paths()] == ["04_train_model"]


# Values


@pytest.mark.parametrize("name", DECLARED)
def test_hostile_value_is_refused_or_harmless(name):
    parameter = DECLARED[name]
    for value in [*HOSTILE, deep()]:
        found, fine = accepted(parameter, value)
        if fine:
            assert type(found) is parameter.type
            assert json.loads(json.dumps(found, allow_nan=False)) == found
            str(found).encode()  # a notebook file can hold it


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.integers(10**300, 10**400),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(DECLARED)), ANY)
def test_any_value_is_refused_in_one_sentence_or_has_the_declared_type(name, value):
    found, fine = accepted(DECLARED[name], value)
    if fine:
        assert type(found) is DECLARED[name].type


@given(st.sampled_from(sorted(DECLARED)), st.text())
@example("epochs", "9" * 5000)
@example("epochs", "1e3")
@example("learning_rate", "nan")
@example("learning_rate", "1" * 400)
@example("augment", "false")
def test_any_text_typed_for_a_parameter_is_refused_or_has_its_type(name, text):
    parameter = DECLARED[name]
    try:
        value = parameter.parse(text)
    except TutorialError:
        refusal(parameter.parse, text)
        return
    assert type(value) is parameter.type
    if parameter.bounds:
        assert parameter.bounds[0] <= value <= parameter.bounds[1]
    if parameter.type is str:
        assert value == text  # never evaluated, never unescaped


@pytest.mark.parametrize(
    ("text", "value"),
    [("false", False), ("True", True), ("0", False), ("on", True), (" No ", False)],
)
def test_booleans_are_read_as_people_write_them(text, value):
    assert DECLARED["augment"].parse(text) is value


@pytest.mark.parametrize("text", ["", "maybe", "2", "None", "[]", "falsee"])
def test_other_words_are_no_booleans(text):
    assert "True or False" in refusal(DECLARED["augment"].parse, text)


def test_text_false_is_not_false_in_a_notebook():
    assert "augment got 'false'" in refusal(DECLARED["augment"].check, "false")


def test_whole_number_serves_as_a_float_and_nothing_else_is_converted():
    assert DECLARED["pixel_scale"].check(1) == 1.0
    assert type(DECLARED["pixel_scale"].check(1)) is float
    for name, value in [("epochs", 5.0), ("epochs", True), ("pixel_scale", "1.0")]:
        refusal(DECLARED[name].check, value)


@pytest.mark.parametrize("name", ["epochs", "learning_rate", "validation_share"])
def test_bounds_are_accepted_and_what_is_beyond_them_is_not(name):
    parameter = DECLARED[name]
    low, high = parameter.bounds
    step = (lambda v, to: v + to) if parameter.type is int else None
    beyond = (
        [step(low, -1), step(high, 1)]
        if step
        else [math.nextafter(low, -math.inf), math.nextafter(high, math.inf)]
    )
    assert parameter.check(low) == low and parameter.check(high) == high
    for value in beyond:
        text = refusal(parameter.check, value)
        assert name in text and repr(value) in text and parameter.accepts in text


def test_texts_longer_than_a_path_are_refused():
    parameter = Parameter("text", str, "", "any")
    assert parameter.check("a" * LONGEST_TEXT)
    assert "(4099 characters)" in refusal(parameter.check, "a" * (LONGEST_TEXT + 1))


def test_check_parameters_takes_what_is_declared_and_nothing_else():
    values = {name: p.default for name, p in notebook_parameters("04").items()}
    assert check_parameters("04", values | {"model": object()}) == values
    with pytest.raises(TutorialError, match="Parameter epochs got 0"):
        check_parameters("04", values | {"epochs": 0})


def test_parameters_cell_that_was_not_run_is_named():
    assert "`save_model_name: str = …`" in refusal(check_parameters, "04", {})


# Names


@pytest.mark.parametrize("name", ["a", "mnist_cnn", "A-1", "a" * 64, "int", "console"])
def test_plain_name_is_accepted(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *["", " a", "a ", "a b", "a\n", "\ta", "a\0"],
        *["../a", "a/b", "a\\b", "..", ".", "/", "~", "C:a", "a:b", "a.tflite"],
        *["a'", 'a"', "a;b", "$(a)", "{a}", "1a", "_a", "-a"],
        *["é", "аbc", "ａ", "a٣", "a" * 65, "a" * 300],
        *["CON", "nul", "com1", "Lpt9"],
        *[None, 1, ["a"], b"a"],
    ],
)
def test_name_that_is_not_plain_is_refused(name):
    assert refusal(check_name, name).startswith("save_model_name is ")


@given(st.text(max_size=70))
def test_accepted_names_stay_inside_their_folder(tmp_path_factory, name):
    from helpers.paths import run_folder

    try:
        folder = run_folder(name)
    except TutorialError:
        refusal(run_folder, name)
        return
    assert folder.resolve().parent == artifacts_root()
    assert name.isascii() and name[0].isalpha()


def test_relative_folder_of_artifacts_is_the_same_from_everywhere(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("ARTIFACTS_DIR", "some/where")
    monkeypatch.chdir(tmp_path)  # as JupyterLab starts in notebooks/
    assert artifacts_root() == REPOSITORY / "some" / "where"


@given(ANY)
def test_any_value_is_shown_in_one_short_line(value):
    assert len(shorten(value)) <= 100
    assert "\n" not in shorten(value)
