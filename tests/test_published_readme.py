"""published/README.md names what lies beside it, and its C compiles."""

import re
import subprocess
from dataclasses import replace

import c_programs
import pytest

from conftest import need
from helpers import arduino, c_files, integer_arithmetic, report, tflite
from helpers.c_files import published_readme

NAME = "mnist-cnn"
ADDED_BY_PUBLISHING = {"SHA256SUMS"}


@pytest.fixture(scope="module")
def found(candidate):
    """Return the candidate's report."""
    return candidate.report()


@pytest.fixture(scope="module")
def files(candidate):
    """Return by path the files that the candidate publishes."""
    return candidate.published_files(NAME)


@pytest.fixture(scope="module")
def text(files):
    return files["README.md"].decode()


def _rows(text, heading):
    """Return the rows of the table below a heading, as lists of cells."""
    _, _, rest = text.partition(f"## {heading}\n")
    section, _, _ = rest.partition("\n## ")
    rows = re.findall(r"^\| (.*) \|$", section, re.M)
    return [row.split(" | ") for row in rows]


def test_table_of_files_names_each_file_that_is_published(files, text):
    named = set()
    for cell, _ in _rows(text, "The files")[1:]:
        first, *endings = re.findall(r"`([^`]+)`", cell)
        stem, _, _ = first.rpartition(".")
        named.add(first)
        named.update(stem + ending for ending in endings)
    folders = {path for path in named if path.endswith("/")}
    at_top = {path for path in files if "/" not in path}
    assert named - folders == (at_top - {"README.md"}) | ADDED_BY_PUBLISHING
    inside = [path for path in files if "/" in path]
    for folder in folders:
        assert any(path.startswith(folder) for path in inside)
    assert all(path.startswith(tuple(folders)) for path in inside)


def test_files_named_in_the_text_are_published(files, text):
    names = set(re.findall(rf"`((?:{NAME}|cnn_int8|arduino/)[\w./-]*)`", text))
    known = {*files, f"{arduino.sketch_folder(NAME)}/"}
    assert len(names) >= 8
    assert names <= known


def test_symptoms_are_one_table_of_three_cells_a_row(text):
    rows = _rows(text, "When something goes wrong")
    assert rows[0] == ["symptom", "likely cause", "remedy"]
    assert {len(row) for row in rows} == {3}
    for words in (
        "cast to `int8_t`",
        "TF_LITE_STATIC_MEMORY",
        "C++14",
        "`.cc`",
        "8266",
    ):
        assert any(words in " ".join(row) for row in rows[1:])


def test_names_of_functions_and_macros_exist(files, text):
    code = b"".join(content for path, content in files.items() if path[-2:] != "md")
    used = set(re.findall(r"\b(mnist_cnn_int8_\w+|kArenaBytes|\w+Operators)\b", text))
    for path in files:
        stem, _, _ = path.partition(".")
        used.discard(stem.replace("-", "_"))
    assert {"mnist_cnn_int8_classify", "mnist_cnn_int8_row", "kArenaBytes"} <= used
    for name in used:
        assert name.encode() in code


def test_c_example_compiles_and_links(files, text, tmp_path):
    need("gcc", "gcc")
    [example] = re.findall(r"```c\n(.*?)```", text, re.S)
    (tmp_path / "main.c").write_text(f"{example}\nint main(void) {{ return 0; }}\n")
    c_programs.write(files, tmp_path)
    names = [name for name in arduino.c_names(NAME) if name.endswith(".c")]
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "main.c", *names]
    subprocess.run([*command, "-o", "program"], cwd=tmp_path, check=True)


def test_memory_for_the_sketch_is_the_network_s_and_more(candidate, text):
    layers = integer_arithmetic.layers(tflite.read(candidate.model_bytes))
    network = c_files.static_bytes(layers)
    assert f"takes {network:,} bytes of memory" in text
    assert f"{network + arduino.SKETCH_BYTES:,} bytes of memory, the serial" in text


def test_numbers_of_the_model_are_those_of_the_report(found):
    accuracy = report.Accuracy(report.Score(981, 1000), report.Score(975, 1000))
    text = published_readme(NAME, replace(found, accuracy=accuracy), 1000)
    assert f"an int8 model of {found.model.bytes:,} bytes" in text
    assert f"SHA-256 of the model: `{found.model.sha256}`\n" in text
    assert "- 981 of 1,000 correct (98.1 %) in float, before quantization\n" in text
    assert f"- 975 of 1,000 correct (97.5 %) in int8, with {found.runtime.name}" in text


def test_model_with_logits_says_what_the_we1_example_needs(found):
    model = replace(found.model, operators=["CONV_2D", "FULLY_CONNECTED"])
    text = published_readme(NAME, replace(found, model=model), 1000)
    assert "This model gives logits, and the example calls an answer *unknown*" in text
    assert "No line of C++ changes" not in text


def test_stand_in_for_tflm_is_named(found):
    runtime = replace(found.runtime, name="LiteRT 2", is_tflm=False)
    text = published_readme(NAME, replace(found, runtime=runtime), 1000)
    assert "LiteRT 2 read every test image on a PC, in place of TensorFlow" in text
