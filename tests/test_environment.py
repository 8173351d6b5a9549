"""A Python without the packages: one sentence, whichever command it was."""

import ast
import json
import os
import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from helpers import environment
from helpers.runs import REPOSITORY, notebooks


@pytest.mark.parametrize("command", ["helpers.train_and_quantize", "helpers.sweep"])
def test_command_in_a_python_without_packages_says_one_sentence(command):
    bare = [sys.executable, "-S", "-m", command, "--help"]  # no site-packages
    place = dict(os.environ)
    place.pop("PYTHONPATH", None)
    done = subprocess.run(
        bare, cwd=REPOSITORY, env=place, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stdout == ""
    [line] = done.stderr.splitlines()
    assert (
        "lacks tensorflow, ai_edge_litert, numpy and " in line
        and "-m pip install -r requirements" in line
    )


@pytest.mark.parametrize(
    "system, python", [("posix", ".venv/bin/python"), ("nt", r".venv\Scripts\python")]
)
def test_sentence_names_the_python_of_the_system(system, python, monkeypatch):
    monkeypatch.setattr(os, "name", system)
    said = environment.sentence(["tqdm"])
    assert f"lacks tqdm; use the tutorial's own, {python} instead" in said


def test_package_that_is_installed_is_not_called_missing(monkeypatch):
    assert environment.missing_packages() == []
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "nowhere_to_be_found"))
    assert environment.missing_packages() == ["nowhere_to_be_found"]


@pytest.mark.parametrize("name", ["__init__", "environment"])
def test_what_is_imported_first_can_be_read_by_an_old_python(name):
    source = (REPOSITORY / "helpers" / f"{name}.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebook_opened_alone_ends_with_one_sentence(path, monkeypatch):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    monkeypatch.setitem(sys.modules, "helpers", None)  # as if there were no such module
    error = InteractiveShell().run_cell(sources[0]).error_in_exec
    assert str(error).endswith(
        "; clone the whole repository, run `pip install -r requirements.txt` in its "
        "folder, and open this notebook there."
    )
    assert error.__suppress_context__  # no ModuleNotFoundError above it
