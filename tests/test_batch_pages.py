"""Pages of a run: self-contained, faithful, readable."""

import base64
import itertools
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pygments.styles import get_style_by_name

from helpers.batch import pages
from helpers.batch.formulas import to_mathml
from helpers.batch.overview import figures, write_overview
from helpers.parameters import notebook_paths

STEMS = ["01_load", "02_scale", "03_create"]
PIXEL = base64.b64encode(b"not really a picture").decode()


def page(*cells, stem="02_scale"):
    notebook = new_notebook(cells=[new_markdown_cell("# Title"), *cells])
    return BeautifulSoup(pages.render(notebook, stem, STEMS), "html.parser")


def executed(source="1", *outputs, **metadata):
    return new_code_cell(
        source, outputs=list(outputs), execution_count=1, metadata=metadata
    )


def display(data, metadata=None):
    return new_output("display_data", data=data, metadata=metadata or {})


# Formulas


@pytest.mark.parametrize(
    "tex",
    [
        r"O = \frac{I - F + 2P}{S} + 1",
        r"q = \mathrm{round}\left(\frac{r}{s}\right) + z",
        r"\sum_{i=1}^{n} w_i x_i \ge 0",
        r"\text{output}_\text{real} = (\text{output}_\text{int8} - z) \cdot s",
        r"\ln 10 \approx 2.30",
    ],
)
def test_formula_becomes_mathml_without_tex(tex):
    mathml = to_mathml(tex)
    assert mathml.startswith("<math ")
    visible = BeautifulSoup(mathml, "html.parser").get_text()
    assert "\\" not in visible and "{" not in visible


def test_formula_that_cannot_be_converted_is_shown_as_code():
    assert to_mathml(r"\frac{1}{") == r"<code>\frac{1}{</code>"


def test_all_formulas_of_the_series_are_converted():
    for path in notebook_paths():
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                text = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
                for block, inline in re.findall(
                    r"\$\$(.+?)\$\$|\$(.+?)\$", text, re.DOTALL
                ):
                    assert to_mathml(block or inline).startswith("<math "), cell.source


def test_dollars_in_code_stay_dollars():
    found = page(new_markdown_cell("Cost: `$5`.\n\n```\n$x$\n```"))
    assert found.find("math") is None
    assert "$5" in found.get_text() and "$x$" in found.get_text()


# Links and pictures


def test_link_to_a_notebook_leads_to_its_page():
    found = page(
        new_markdown_cell("[next](03_create.ipynb#Set-up) [see](./01_load.ipynb)")
    )
    links = [a["href"] for a in found.main.find_all("a")]
    assert links == ["03_create.html#Set-up", "01_load.html"]


def test_link_to_a_file_of_the_repository_becomes_text():
    found = page(
        new_markdown_cell("[readme](../README.md), [code](../helpers/quiet.py)")
    )
    assert found.main.find("a") is None
    assert "readme, code" in found.main.get_text()


def test_link_to_the_web_stays():
    found = page(new_markdown_cell("[site](https://example.org/a.html) [up](#Title)"))
    links = [a["href"] for a in found.main.find_all("a")]
    assert links == ["https://example.org/a.html", "#Title"]


def test_picture_of_the_repository_is_embedded_with_its_alt(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a b.png").write_bytes(b"picture")
    found = page(
        new_markdown_cell('![A "7"](../images/a%20b.png) ![gone](../images/x.png)')
    )
    (image,) = found.main.find_all("img")
    assert (
        image["src"] == "data:image/png;base64," + base64.b64encode(b"picture").decode()
    )
    assert image["alt"] == 'A "7"'
    assert "[gone: no such picture]" in found.get_text()


def test_figure_keeps_its_alt_text():
    alt = {"image/png": {"alt": 'A curve that "falls"'}}
    found = page(executed("plot()", display({"image/png": PIXEL}, alt)))
    assert found.find("img")["alt"] == 'A curve that "falls"'


# Outputs


def test_outputs_are_shown_as_text_and_never_as_markup():
    found = page(
        executed(
            "print('<b>')",
            new_output("stream", name="stdout", text="<b>bold?</b>\n"),
            new_output("execute_result", data={"text/plain": "'<i>'"}),
        )
    )
    assert found.find("b") is None and found.find("i") is None
    assert "<b>bold?</b>" in found.get_text()


def test_error_is_shown_in_full():
    error = new_output(
        "error",
        ename="ValueError",
        evalue="bad",
        traceback=["Traceback", "\x1b[31mValueError\x1b[39m: bad"],
    )
    found = page(executed("fail()", error))
    assert "ValueError: bad" in found.find("pre", class_="error").get_text()


def test_live_widget_is_replaced_by_its_still_picture():
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}}
    found = page(
        executed("pad", display(widget | {"image/png": PIXEL, "text/plain": "p"}))
    )
    assert found.find("img") and not found.find("script")


def test_emptied_progress_leaves_no_output():
    found = page(executed("train()", display({"text/plain": ""})))
    assert found.find(class_="output") is None


def test_page_needs_nothing_from_elsewhere():
    found = page(
        new_markdown_cell("$x$ | ![](../images/none.png)\n\n|a|b|\n|-|-|\n|1|2|"),
        executed("1", display({"text/html": "<table><tr><td>1</td></tr></table>"})),
    )
    assert not found.find_all(["script", "link", "iframe"])
    for image in found.find_all("img"):
        assert image["src"].startswith("data:")
    assert "url(" not in found.style.string and "@import" not in found.style.string


def test_page_has_neighbours_and_one_main():
    found = page()
    assert found.find("a", rel="prev")["href"] == "01_load.html"
    assert found.find("a", rel="next")["href"] == "03_create.html"
    assert len(found.find_all("main")) == 1
    assert found.html["lang"] == "en"
    assert page(stem="01_load").find("a", rel="prev") is None


def test_pages_of_the_series_have_headings_in_order_and_are_light():
    stems = [path.stem for path in notebook_paths()]
    for path in notebook_paths():
        text = pages.render(nbformat.read(path, as_version=4), path.stem, stems)
        assert len(text) < 2_000_000
        found = BeautifulSoup(text, "html.parser")
        levels = [int(h.name[1]) for h in found.find_all(re.compile("^h[1-6]$"))]
        assert levels[0] == 1 and levels.count(1) == 1
        steps = itertools.pairwise(levels)
        assert all(after <= before + 1 for before, after in steps), path.stem
        assert all(image.get("alt") for image in found.find_all("img")), path.stem
        assert "$" not in "".join(p.get_text() for p in found.find_all("p"))


# Colours


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Return the contrast ratio of WCAG 2.2, from 1 to 21."""
    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_known_pairs_is_right():
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.48, abs=0.01)  # just too low


def test_code_and_text_have_enough_contrast():
    style = get_style_by_name(pages._CODE_STYLE)
    colours = {about["color"] for _, about in style if about["color"]}
    assert min(contrast(colour, "f6f8fa") for colour in colours) >= 4.5
    sheet = (pages.TEMPLATES / "tutorial" / "style.css").read_text(encoding="utf-8")
    for colour in re.findall(r"[ {]color: #([0-9a-f]{6})", sheet):
        assert contrast(colour, "f6f8fa") >= 4.5, colour


# The overview


@pytest.fixture
def run(tmp_path):
    """Return a run's folder with two executed notebooks of three."""
    folder = tmp_path / "mnist_cnn"
    (folder / "notebooks").mkdir(parents=True)
    alt = {"image/png": {"alt": "A curve"}}
    cells = {
        "01_load": [
            new_markdown_cell("# Load & see"),
            executed("1", display({"image/png": PIXEL}, alt), tags=["report-figure"]),
            new_markdown_cell("*Figure 1.1. With $x^2$.*\n\nMore text."),
            executed("2", display({"image/png": PIXEL}, alt)),
        ],
        "02_scale": [new_markdown_cell("# Scale")],
    }
    for stem, content in cells.items():
        nbformat.write(
            new_notebook(cells=content), folder / "notebooks" / f"{stem}.ipynb"
        )
    return folder


def overview(folder, statuses, problem=""):
    results = [
        {"notebook": stem, "status": status, "seconds": 1.25}
        for stem, status in zip(STEMS, statuses, strict=True)
    ]
    report = folder / "report"
    job = {"overview": str(folder), "report": str(report), "results": results}
    write_overview(job | {"problem": problem})
    return BeautifulSoup((report / "index.html").read_text("utf-8"), "html.parser")


def test_overview_shows_tagged_figures_with_alt_and_caption(run):
    found = overview(run, ["done", "done", "not run"])
    (figure,) = found.find_all("figure")
    assert figure.img["alt"] == "A curve"
    assert figure.figcaption.find("math") and "More text" not in figure.get_text()


def test_figures_ignores_untagged_cells(run):
    notebook = nbformat.read(run / "notebooks" / "01_load.ipynb", as_version=4)
    assert len(list(figures(notebook))) == 1


def test_overview_links_every_notebook_and_tells_how_it_ended(run):
    found = overview(run, ["done", "failed", "not run"], "Notebook 02 <failed>.")
    items = [" ".join(item.get_text().split()) for item in found.ol.find_all("li")]
    assert items == [
        "Load & see: done, 1.2 s",
        "Scale: failed, 1.2 s",
        "03_create: not run",
    ]
    assert found.find(class_="problem").get_text() == "Notebook 02 <failed>."
    missing = (run / "report" / "03_create.html").read_text(encoding="utf-8")
    assert "was not run" in missing and "index.html" in missing
    assert not (run / "report" / "02_scale.html").exists()  # its own page comes


def test_overview_of_an_incomplete_run_shows_no_older_figures(run):
    (run / "published").mkdir()
    (run / "published" / "report.json").write_text('{"dataset": {"name": "old"}}')
    found = overview(run, ["done", "failed", "not run"])
    assert "old" not in found.get_text()


def test_overview_of_a_removed_run_is_refused(tmp_path):
    from helpers.errors import TutorialError

    with pytest.raises(TutorialError, match="is gone"):
        overview(tmp_path / "none", ["done", "done", "done"])
    assert not Path(tmp_path / "none").exists()
