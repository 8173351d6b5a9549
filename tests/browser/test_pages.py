"""The pages of a run, opened from the disk without a network, on a desk and a phone."""

import os
import shutil
import subprocess
import sys

import pytest
from static_page import WIDTHS, complaints_about

from helpers.paths import NOTEBOOKS, REPOSITORY

STEMS = [path.stem for path in sorted(NOTEBOOKS.glob("0*.ipynb"))]
GOOD = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Good</title></head><body>
<h1 id="top">Good</h1><p>It costs $5, or <code>$x$</code>, and
<math><msup><mi>x</mi><mn>2</mn></msup></math>.</p><h2>Next</h2>
<p><a href="#top">top</a> <a href="good.html">itself</a></p>
<img alt="a dot" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAAB
AAEAAAIBRAA7">
</body></html>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The pages of the stored notebooks, as a batch run makes them."""
    from helpers.batch.overview import write_overview
    from helpers.batch.pages import write_page

    run = tmp_path_factory.mktemp("run")
    shutil.copytree(NOTEBOOKS, run / "notebooks")
    results = [{"notebook": stem, "status": "done", "seconds": 1.0} for stem in STEMS]
    job = {"overview": run, "report": run / "report", "results": results, "problem": ""}
    write_overview(job)
    for stem in STEMS:
        write_page(NOTEBOOKS / f"{stem}.ipynb", run / "report", STEMS)
    return run / "report"


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("stem", [*STEMS, "index"])
def test_page_is_whole_without_a_network(chromium, report, stem, width):
    assert complaints_about(chromium, report / f"{stem}.html", width) == []


@pytest.mark.slow
def test_pages_of_a_run_are_whole_without_a_network(chromium, tmp_path):
    command = [sys.executable, "-m", "helpers.train_and_quantize", "--epochs=1"]
    command += ["--dataset=mnist_5k", "--max-accuracy-drop=100"]
    artifacts = {"ARTIFACTS_DIR": str(tmp_path)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | artifacts, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    pages = sorted((tmp_path / "mnist_cnn" / "report").glob("*.html"))
    assert [page.stem for page in pages] == [*STEMS, "index"]
    for page in pages:
        for width in WIDTHS.values():
            assert complaints_about(chromium, page, width) == [], (page, width)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_complaints_about_a_good_page_are_none(chromium, tmp_path, width):
    page = tmp_path / "good.html"
    page.write_text(GOOD, encoding="utf-8")
    assert complaints_about(chromium, page, width) == []


@pytest.mark.parametrize(
    "was, broken, complaint",
    [
        (
            "</head>",
            "<script src='https://example.org/a.js'></script></head>",
            "network",
        ),
        ("</body>", "<img alt='far' src='http://example.org/a.png'></body>", "network"),
        ("<h2>", "<script>undefined.x</script><h2>", "a script failed"),
        ("<h2>", "<script>console.error('no')</script><h2>", "console says: no"),
        ("<h2>", "<pre>" + "wide " * 60 + "</pre><h2>", "scrolls sideways"),
        ("It costs $5", "It costs $O = 5$", "a formula is not drawn: $O = 5$"),
        ("It costs $5", r"It costs \frac{1}{2}", "a formula is not drawn"),
        ("<mi>x</mi>", "<merror><mi>x</mi></merror>", "a formula is not drawn: x2"),
        ("R0lGODlh", "broken", "a picture is not there: a dot"),
        ('alt="a dot"', "", "a picture has no text"),
        ("<h2>Next</h2>", "<h3>Next</h3>", "heading h3 'Next' follows an h1"),
        ("<h2>Next</h2>", "<h1>Next</h1>", "instead of with the only h1"),
        ("good.html", "gone.html", "a link leads nowhere: gone.html"),
        ("#top", "#gone", "a link leads nowhere: #gone"),
        ("<p>It", "<p style='color: #999'>It", "too pale to read: It costs"),
        (' lang="en"', "", "no title or no language"),
    ],
)
def test_complaints_about_a_broken_page_name_the_fault(
    chromium, tmp_path, was, broken, complaint
):
    assert was in GOOD
    page = tmp_path / "good.html"
    page.write_text(GOOD.replace(was, broken, 1), encoding="utf-8")
    complaints = complaints_about(chromium, page, WIDTHS["phone"])
    assert any(complaint in found for found in complaints), complaints
