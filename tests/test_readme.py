"""README's numbers are those of the stored notebooks, and its links lead somewhere."""

import re

import nbformat
import pytest

from helpers import runs

README = (runs.REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "helpers/README.md"]
PAGES.append("tests/benchmarks/README.md")


@pytest.fixture(scope="module")
def printed():
    """Return what the stored notebook 6 prints and shows as text."""
    notebook = nbformat.read(runs.notebook_path(runs.STEPS[5]), as_version=4)
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts.append(output.get("text", ""))
            texts.append(output.get("data", {}).get("text/plain", ""))
    return "\n".join(texts)


def test_accuracy_is_that_of_the_stored_notebook(printed):
    found = re.search(r"Micro .*: ([\d,]+) of 10,000 correct \((\S+) %\)", printed)
    assert f"**{found[2]} %** of MNIST's 10,000 test images" in README


def test_size_of_the_model_is_that_of_the_stored_notebook(printed):
    [size] = re.findall(r"int8, ([\d,]+) bytes\.", printed)
    assert f"**{size} bytes** is the size of the model" in README


def test_ram_is_that_of_the_stored_notebook(printed):
    row = re.search(r"cortex-m3 \| [\d,]+ \| ([\d,]+)", printed)
    assert f"**{row[1]} bytes** of RAM are enough" in README


def test_command_of_ci_is_the_test_command_of_the_readme():
    script = (runs.REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert script.rstrip().endswith("\npytest")
    assert "pip install -r requirements.txt && pytest\n" in README


@pytest.mark.parametrize("page", PAGES)
def test_link_of_a_page_leads_to_a_file(page):
    path = runs.REPOSITORY / page
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    inside = [link for link in links if not link.startswith("https://")]
    assert [link for link in inside if not (path.parent / link).exists()] == []
