"""What comes in from outside stays text: never run, never out of the run's folder.

Parameters come in by three doors: the cells of a notebook, papermill and the command
line. Names and values of all kinds are pushed through each.
"""

import contextlib
import io
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import stand_ins
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.artifacts import open_run
from helpers.board.arena import Arena
from helpers.board.c_files import array_bytes
from helpers.board.golden import Golden
from helpers.board.publish import Result, files_to_publish
from helpers.errors import TutorialError
from helpers.parameters import notebook_parameters, notebook_paths
from helpers.train_and_quantize import main

NOTEBOOKS = {path.stem: path for path in notebook_paths()}
DECLARED = {
    name: parameter
    for path in NOTEBOOKS.values()
    for name, parameter in notebook_parameters(path).items()
}
HOSTILE_TEXTS = [
    "'; import os; os.system('touch hacked'); '",
    '"; __import__("pathlib").Path("hacked").touch(); "',
    "'''\"\"\"",
    "\\",
    "\\'",
    "a\\",
    "\\x41\\u0041\\N{BULLET}",
    "line\nbreak\r\nand\ttab",
    "\x0b\x0c\x1c\x85\u2028\u2029",
    "{save_model_name} {0} {} {{",
    "%s %(x)s %d",
    "$(touch hacked) `touch hacked` ${HOME}",
    "# comment",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH JOINER}\ufeff",
    "é ☃ 𝔘",
    "True",
    "None",
    "1e5",
    "x" * 4096,
]
IMAGE = np.zeros((1, 28, 28, 1), np.int8)


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """Return a check that nothing was run and nothing written elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path / "artifacts"))
    monkeypatch.delenv("MNIST_NPZ", raising=False)

    def untouched():
        found = {path.name for path in tmp_path.iterdir()} - {"artifacts"}
        assert found == set()
        for run in (tmp_path / "artifacts").glob("*"):
            assert run.name.isascii() and run.is_dir()

    return untouched


# Through the command line: text as it was typed, and checked before anything is done


def typed(arguments):
    """Return status, output and errors of the command, without running notebooks."""
    output, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("helpers.batch.runner.run_notebooks", _stop_here)
        try:
            status = main(arguments)
        except _Reached as reached:
            return reached.values, "", ""
        except SystemExit as stop:  # --help
            status = stop.code
    return status, output.getvalue(), errors.getvalue()


class _Reached(BaseException):
    def __init__(self, values):
        super().__init__()
        self.values = values


def _stop_here(values, *_, **__):
    raise _Reached(values)


def check_typed(arguments):
    values, output, errors = typed(arguments)
    if isinstance(values, dict):
        for name, value in values.items():
            assert type(value) is DECLARED[name].type
        return values
    if "--help" in arguments or "-h" in arguments:
        return None
    assert values == 2, (arguments, output, errors)
    assert output == "" and len(errors.splitlines()) == 1 and len(errors) < 1500
    return None


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
def test_typed_text_arrives_as_it_was_typed(outside, text):
    values = check_typed([f"--dataset={text}"])
    assert values["dataset"] == text
    for name in DECLARED:
        if name != "dataset":
            check_typed([f"--{name.replace('_', '-')}={text}"])
    outside()


OPTIONS = ["--recipe", "--resume", "--timeout", "--open", "--nothing", "-x", "--", "-"]
OPTIONS += [f"--{name}" for name in DECLARED]
OPTIONS += [f"--{name.replace('_', '-')}" for name in DECLARED]
OPTION = st.sampled_from(OPTIONS)
LITERALS = [
    "nan",
    "-inf",
    "-0",
    "1" + "0" * 400,
    "[[[]]]",
    "1_000",
    "٣",
    "0x10",
    "1e999",
]
VALUE = st.text() | st.sampled_from(LITERALS + HOSTILE_TEXTS) | st.integers().map(str)


@settings(deadline=None)
@given(st.lists(st.tuples(OPTION, VALUE, st.booleans()), max_size=4))
def test_any_command_line_is_refused_in_one_sentence_or_understood(pairs):
    arguments = []
    for option, value, joined in pairs:
        arguments += [f"{option}={value}"] if joined else [option, value]
    check_typed(arguments)


def random_text(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(HOSTILE_TEXTS + LITERALS)
    if kind == 1:
        return "".join(chr(rng.randrange(1, 0x3000)) for _ in range(rng.randrange(30)))
    if kind == 2:
        text = list(rng.choice(HOSTILE_TEXTS)[:60])
        for _ in range(3):
            text.insert(rng.randrange(len(text) + 1), rng.choice("'\"\\\n{}#;\r\0 "))
        return "".join(text)
    if kind == 3:
        return repr(rng.uniform(-2, 2) * 10 ** rng.randrange(-400, 300))
    if kind == 4:
        return str(rng.randrange(-(10 ** rng.randrange(1, 400)), 10**3))
    return rng.choice([str(p.default) for p in DECLARED.values()])


@pytest.mark.slow
def test_20000_command_lines_are_refused_in_one_sentence_or_understood(outside):
    rng = random.Random(0)
    names = [f"--{name.replace('_', '-')}" for name in DECLARED]
    understood = 0
    for _ in range(20_000):
        chosen = rng.sample(names, rng.choice([1, 1, 2]))
        found = check_typed([f"{name}={random_text(rng)}" for name in chosen])
        understood += found is not None
    assert 1000 < understood < 19_000
    outside()


# Through papermill: what it writes into the notebook is the value and nothing else


def injected(stem, parameters):
    """Return what the cell that papermill injects assigns."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    notebook = load_notebook_node(str(NOTEBOOKS[stem]))
    notebook = parameterize_notebook(
        notebook, parameters, kernel_name="python3", language="python"
    )
    [cell] = [
        c for c in notebook.cells if "injected-parameters" in c.metadata.get("tags", [])
    ]
    nbformat.writes(notebook).encode()
    names = {"__builtins__": {}}  # nothing to call: a literal needs nothing
    exec(cell.source, names)
    names.pop("__builtins__")
    return names


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
def test_text_injected_by_papermill_is_that_text(outside, text):
    assert injected("01_load_dataset", {"dataset": text}) == {"dataset": text}
    outside()


@settings(deadline=None)
@given(st.text())
def test_any_accepted_text_survives_papermill(text):
    try:
        value = DECLARED["dataset"].check(text)
    except TutorialError:
        return
    assert injected("01_load_dataset", {"dataset": value}) == {"dataset": text}


@settings(deadline=None)
@given(st.sampled_from(sorted(DECLARED)), st.integers() | st.floats() | st.booleans())
def test_any_accepted_number_survives_papermill(name, number):
    try:
        value = DECLARED[name].check(number)
    except TutorialError:
        return
    found = injected("04_train_model", {name: value})[name]
    assert found == value and type(found) is type(value)


def papermill(path, out, *parameters):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            "--no-progress-bar",
            path,
            out,
            *parameters,
        ],
        capture_output=True,
        text=True,
        cwd=out.parent,
        env=os.environ | {"ARTIFACTS_DIR": str(out.parent / "artifacts")},
    )


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        (["-r", "augment", "false"], "Parameter augment got 'false'"),
        (["-y", "epochs: [[1, [2]]]"], "Parameter epochs got [[1, [2]]]"),
        (["-r", "save_model_name", "a\n'\"\\{}"], "save_model_name is "),
        slow(["-p", "augment", "false_"], "Parameter augment got 'false_'"),
        slow(["-p", "epochs", "3.5"], "Parameter epochs got 3.5"),
        slow(["-y", "learning_rate: .nan"], "Parameter learning_rate got nan"),
        slow(["-y", "learning_rate: .inf"], "Parameter learning_rate got inf"),
        slow(["-p", "seed", "1" + 400 * "0"], "Parameter seed got 1000"),
        slow(["-p", "save_model_name", "../up"], "save_model_name is '../up'"),
    ],
)
def test_wrong_value_by_papermill_ends_with_its_sentence(tmp_path, parameters, says):
    """The real notebook up to the cell that opens the run; the rest is not reached."""
    notebook = nbformat.read(NOTEBOOKS["04_train_model"], as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    [declared] = [c for c in code if "parameters" in c.metadata.get("tags", [])]
    [opening] = [c for c in code if c.source.startswith("run = open_run(")]
    opening.source = opening.source.splitlines()[0]
    imports = nbformat.v4.new_code_cell("from helpers.artifacts import open_run")
    imports.id = "imports"
    notebook.cells = [imports, declared, opening]
    nbformat.write(notebook, tmp_path / "in.ipynb")
    done = papermill(tmp_path / "in.ipynb", tmp_path / "out.ipynb", *parameters)
    assert done.returncode == 1
    assert f"TutorialError: {says}" in done.stderr
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    [error] = [
        output
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    assert len(error.traceback) == 1 and "\n" not in error.traceback[0]
    assert not (tmp_path / "artifacts").exists()


# Through the cells of a notebook


NAMES = (
    st.text(max_size=80) | st.sampled_from(HOSTILE_TEXTS) | st.none() | st.integers()
)


@settings(deadline=None)
@given(st.sampled_from(sorted(NOTEBOOKS)), NAMES, st.data())
def test_run_opened_with_any_values_stays_in_its_folder(
    tmp_path_factory, stem, name, data
):
    declared = notebook_parameters(stem)
    values = {n: p.default for n, p in declared.items()} | {"save_model_name": name}
    changed = data.draw(st.sampled_from(sorted(declared)))
    if changed != "save_model_name":
        values[changed] = data.draw(st.text() | st.floats() | st.integers() | st.none())
    place = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTIFACTS_DIR", str(place / "artifacts"))
        try:
            run = open_run(stem, values)
        except TutorialError as error:
            assert "\n" not in str(error)
            assert not list(place.iterdir())
        else:
            assert list(place.rglob("*")) == [place / "artifacts", run.folder]
    shutil.rmtree(place)


# What is generated from names and texts compiles, whatever they are


def files(candidate, name, dataset):
    result = Result(dataset, 1, 1, 1, dataset, False)
    golden = Golden((0,), IMAGE, np.zeros((1, 10), np.int8))
    arena = Arena(None, None, 1024, "none")
    return files_to_publish(name, candidate, result, golden, arena, {"name": dataset})


def compiles(folder, content, name):
    for path, data in content.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    sources = [f"{name}_int8.cc", "himax_we1_evb/model_data.cc"]
    headers = [path for path in content if path.endswith(".h") and "/" not in path]
    for source in sources:
        includes = [f"-include{path}" for path in headers]
        done = subprocess.run(
            ["g++", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *includes, source],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


needs_compiler = pytest.mark.skipif(
    not shutil.which("g++"), reason="needs the program g++: install a C++ compiler"
)


@needs_compiler
def test_c_files_of_a_hostile_dataset_name_compile(candidate, tmp_path):
    text = " ".join(HOSTILE_TEXTS[:-1]) + "*/ /* ??/ \\"
    content = files(candidate(), "int", text)
    compiles(tmp_path, content, "int")
    assert array_bytes(content["int_int8.cc"].decode()) == candidate()


@needs_compiler
@pytest.mark.slow
def test_c_files_of_many_names_and_texts_compile(candidate, tmp_path):
    rng = random.Random(0)
    letters = "abzAZ019__--"
    names = ["int", "class", "main", "a-", "a_", "a--__b", "NULL", "x" * 64, "EOF"]
    names += [
        "a" + "".join(rng.choices(letters, k=rng.randrange(12))) for _ in range(60)
    ]
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        folder.mkdir()
        compiles(folder, files(candidate(), name, random_text(rng)), name)


# All doors at once, in real runs of stand-in notebooks


def test_folder_with_braces_quotes_and_spaces_works_and_text_stays_text(tmp_path):
    folder = tmp_path / "a {house} {0} 'of' %s $HOME #é"
    folder.mkdir()
    house = stand_ins.house(folder)
    text = "\n".join(HOSTILE_TEXTS[:-1])
    done = house.command(f"--text={text}", "--pixel-scale=2")
    assert done.returncode == 0, done.stderr
    notebook = house.executed("01_load")
    said = "".join(o.text for c in notebook.cells for o in c.get("outputs", []))
    assert said.rstrip("\n").splitlines() == text.splitlines()
    assert {path.name for path in folder.iterdir()} == {"artifacts", "notebooks"}
    assert not list(tmp_path.rglob("hacked"))
    assert not Path("hacked").exists()
