"""README's numbers are those that were measured, and its links lead somewhere."""

import re

import pytest

from conftest import cells_of, stored_text
from helpers import datasets, runs

README = (runs.REPOSITORY / "README.md").read_text(encoding="utf-8")
MEASUREMENTS = "tests/benchmarks/README.md"
MEASURED = (runs.REPOSITORY / MEASUREMENTS).read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "helpers/README.md", MEASUREMENTS]


def test_accuracy_is_that_of_the_stored_notebook():
    text = stored_text(6)
    found = re.search(r"Micro .*: ([\d,]+) of 10,000 correct \((\S+) %\)", text)
    assert f"**{found[2]} %** of MNIST's 10,000 test images" in README


def test_size_of_the_model_is_that_of_the_stored_notebook():
    [size] = re.findall(r"int8, ([\d,]+) bytes\.", stored_text(6))
    assert f"**{size} bytes** is the size of the model" in README


def test_size_of_the_program_is_about_that_of_the_stored_notebook():
    row = re.search(r"cortex-m3 \| ([\d,]+) \|", stored_text(6))
    kilobytes = int(row[1].replace(",", "")) / 1000
    assert f"A program of about {10 * round(kilobytes / 10)} kilobytes reads" in README


def test_emulated_processors_read_as_many_images_as_notebook_6_says():
    source = "\n".join(cell.source for cell in cells_of(6))
    [count] = re.findall(r"permutation\(len\(test_images\)\)\[:(\d+)\]", source)
    assert f"for {count} of them on two emulated ARM processors" in README


def test_memory_and_milliseconds_on_an_uno_are_those_of_the_measurements():
    time = re.search(r"sketch .* takes (\d+) milliseconds an image", MEASURED)
    flash = re.search(r"an image and ([\d,]+) bytes of flash", MEASURED)
    ram = re.search(r"with ([\d,]+) bytes of RAM with serial port and stack", MEASURED)
    assert f"and an image {time[1]} milliseconds" in README
    assert f"**{ram[1]} of 2,048 bytes** of RAM are what the Arduino sketch" in README
    assert f"the sketch takes {flash[1]} of 32,256 bytes of flash" in README


def test_weights_are_those_that_the_stored_notebook_counts():
    [count] = re.findall(r"by hand [\d,]+, Keras ([\d,]+)", stored_text(3))
    assert f"one weight downhill, then {count} of them" in README


def test_images_without_a_network_are_those_of_the_sample():
    [count] = re.findall(r"\(([\d,]+) images\)", datasets.SAMPLE)
    assert f"the run uses {count} of its 70,000 images" in README


def test_images_for_a_board_are_those_that_notebook_6_sends():
    source = "\n".join(cell.source for cell in cells_of(6))
    [count] = re.findall(r"test_images\[chosen\[:(\d+)\]\]", source)
    assert f"Notebook 6 sends {count} test images through the cable" in README


def test_figures_of_the_compact_network_are_those_of_the_measurements():
    _, _, section = MEASURED.partition("## The compact network")
    mean = re.search(r"mean ± deviation \| ([\d.]+) ± ", section)[1]
    time = re.search(r"and (\d+) milliseconds an image", section)[1]
    assert f"takes {time} milliseconds an image on an emulated Uno" in README
    assert f"an int8 model it reads {float(mean):.1f} % of the test images" in README


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
