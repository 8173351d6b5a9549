"""What is imported beforehand, read from a notebook's source."""

import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers.batch.imports import names_used, uses_tensorflow
from helpers.parameters import notebook_paths


@pytest.fixture
def notebook(tmp_path):
    """Return a function that writes a notebook with the given code cells."""

    def write(*sources):
        cells = [new_markdown_cell("import nothing"), *map(new_code_cell, sources)]
        path = tmp_path / "01_some.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return write


def test_names_used_follows_aliases_through_cells(notebook):
    path = notebook(
        "import tensorflow as tf\nimport os.path",
        "model = tf.keras.Sequential()\nos.path.join('a')",
        "from json import dumps, loads as l",
    )
    used = names_used(path)
    assert "keras.Sequential" in used["tensorflow"]
    assert used["json"] == {"dumps", "loads"}
    assert "os.path" in used


def test_names_used_finds_imports_inside_with(notebook):
    path = notebook("with quiet():\n    import tensorflow as tf\n    import keras")
    assert set(names_used(path)) == {"tensorflow", "keras"}
    assert uses_tensorflow(path)


@pytest.mark.parametrize(
    "source",
    [
        "if full:\n    import tensorflow",
        "def f():\n    import tensorflow",
        "text = 'import tensorflow'",
        "import tensorflow_probability_of_rain",
        "# import tensorflow",
    ],
)
def test_uses_tensorflow_without_a_certain_import_is_false(notebook, source):
    assert not uses_tensorflow(notebook(source))


def test_names_used_ignores_magics_and_unfinished_code(notebook):
    path = notebook("%matplotlib inline\nimport json", "!ls", "def broken(:")
    assert set(names_used(path)) == {"json"}


def test_import_for_loads_silently_and_survives_what_is_missing(notebook):
    path = notebook(
        "import colorsys\nimport no_such_module\nfrom json import no_such_name",
        "import antigravity_of_some_kind as a\na.b.c",
    )
    code = (
        "import sys\nfrom helpers.batch.imports import import_for\n"
        f"import_for({str(path)!r})\nassert 'colorsys' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_first_notebooks_of_the_series_start_without_tensorflow():
    uses = {path.name[:2]: uses_tensorflow(path) for path in notebook_paths()}
    assert not uses["01"] and not uses["02"]
    assert uses["04"]
