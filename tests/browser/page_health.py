"""What would trouble a reader of a notebook that has just run on a page."""

import json

from notebook_rules import NOISE

VIEW = "application/vnd.jupyter.widget-view+json"

BROKEN_IMAGES = """() => {
  const images = document.querySelectorAll(".jp-Notebook img");
  return [...images].filter((image) => !image.complete || image.naturalWidth === 0)
    .map((image) => image.alt || image.src.slice(0, 80));
}"""
FIGURES = "() => document.querySelectorAll('.jp-OutputArea-output img').length"
TEXT = """() => [...document.querySelectorAll(".jp-OutputArea-output")].map(
  (output) => output.innerText)"""
WIDGETS = """() => [...document.querySelectorAll(".jupyter-widgets")].map(
  (widget) => widget.innerText).filter((text) => text.includes("Error displaying"))"""


def complaints_about(lab, least_figures=1):
    """Look at an executed notebook, in its file and on the page.

    Parameters
    ----------
    lab : LabPage
    least_figures : int
        How many pictures its outputs must show.

    Returns
    -------
    list of str
        One sentence for each fault; empty if all is well.
    """
    complaints = [*_in_the_outputs(lab.cells()), *_on_the_page(lab)]
    expected = max(least_figures, _pictures(lab.cells()))
    shown = lab.page.evaluate(FIGURES)
    if shown < expected:
        complaints.append(f"{shown} figures on the page, not {expected}")
    return complaints


def _in_the_outputs(cells):
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] != "code":
            continue
        if cell["source"] and cell["execution_count"] is None:
            yield f"cell {number} was not run"
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield f"cell {number} failed: {output['ename']}: {output['evalue']}"
            if output.get("name") == "stderr":
                yield f"cell {number} wrote to stderr: {_text(output['text'])[:200]}"
            # A picture in base64 may spell anything.
            data = {k: v for k, v in output.get("data", {}).items() if "image" not in k}
            words = json.dumps(data, ensure_ascii=False) + _text(output.get("text", ""))
            for name, pattern in NOISE.items():
                if pattern.search(words):
                    yield f"cell {number} shows {name}"


def _on_the_page(lab):
    # A picture is on the page a moment after its cell has ended.
    lab.page.wait_for_timeout(300)
    for broken in lab.page.evaluate(BROKEN_IMAGES):
        yield f"a picture is not there: {broken}"
    for broken in lab.page.evaluate(WIDGETS):
        yield f"a widget is not there: {broken}"
    for name, pattern in NOISE.items():
        if any(pattern.search(text) for text in lab.page.evaluate(TEXT)):
            yield f"the page shows {name}"
    for address in lab.foreign:
        yield f"the page asked for {address}"
    for error in lab.errors:
        yield f"a script complained: {error}"


def _pictures(cells):
    # A widget's picture is for pages without a kernel: here the widget is shown.
    outputs = (output.get("data", {}) for cell in cells for output in _outputs(cell))
    return sum("image/png" in data and VIEW not in data for data in outputs)


def _outputs(cell):
    return cell.get("outputs", [])


def _text(lines):
    return lines if isinstance(lines, str) else "".join(lines)
