"""The drawing pad: what the model gets, and what is shown where nobody can draw."""

import base64
import json
import os
import re
import subprocess
import sys
from io import BytesIO

import nbformat
import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel
from PIL import Image, ImageDraw

from helpers.errors import TutorialError
from helpers.learn.draw import draw_digit
from helpers.learn.draw.live import LivePad
from helpers.learn.draw.reading import percent, read_both_ways, sentences
from helpers.learn.draw.still import StillPicture
from helpers.learn.draw.strokes import PAD, PEN, SEVEN, ink_of
from helpers.paths import REPOSITORY

VIEW = "application/vnd.jupyter.widget-view+json"

# A model whose answer can be foretold: the tenth of the picture where the ink's middle
# lies, counted from the left.
MODEL = """
import numpy as np

def predict(image_i8):
    ink = image_i8.astype(float) + 128
    middle = np.average(np.arange(28) + 0.5, weights=ink.sum(axis=0))
    return np.where(np.arange(10) == int(middle / 2.8), 0.75, 0.25 / 9)
"""
_namespace = {}
exec(MODEL, _namespace)
predict = _namespace["predict"]


def notebook(code="draw_digit(predict)"):
    """A notebook that shows the drawing pad as its only output."""
    cells = [MODEL + "from helpers.learn.draw import draw_digit", code]
    return nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(cell, id=f"cell-{i}")
            for i, cell in enumerate(cells)
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


@pytest.fixture
def helpers_importable(monkeypatch):
    """Kernels find this repository's helpers, whether or not they are installed."""
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))


# --- Ink -----------------------------------------------------------------------------


def test_ink_of_strokes_equals_pillows_round_pen():
    fine = 8 * PAD
    image = Image.new("L", (fine, fine))
    pen = ImageDraw.Draw(image)
    for stroke in SEVEN:
        points = [(fine * x, fine * y) for x, y in stroke]
        pen.line(points, fill=255, width=round(PEN * fine))
        for x, y in points:
            radius = PEN * fine / 2
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    expected = np.asarray(image.reduce(8), float)
    assert np.abs(ink_of(SEVEN) - expected).mean() < 0.5
    assert np.abs(ink_of(SEVEN[:1]) - expected).mean() > 5  # the test can fail


def test_ink_of_one_point_is_a_dot():
    ink = ink_of([[(0.5, 0.5)]])
    area = np.pi * (PEN * PAD / 2) ** 2
    assert ink[70, 70] == 255 and ink[0, 0] == 0
    assert ink.sum() / 255 == pytest.approx(area, rel=0.02)


# --- Reading -------------------------------------------------------------------------


def test_read_both_ways_small_seven_moves_to_the_middle():
    as_drawn, normalised = read_both_ways(ink_of(SEVEN), predict)
    assert as_drawn.digit == 7  # tenth of the pad where it was drawn
    assert normalised.digit == 5  # MNIST's centre of mass: 14 to 15 of 28 pixels
    assert as_drawn.seen_i8.dtype == normalised.seen_i8.dtype == np.int8
    assert as_drawn.seen_i8.min() == normalised.seen_i8.min() == -128


def test_read_both_ways_full_paper_gives_127():
    for reading in read_both_ways(np.full((PAD, PAD), 255, np.uint8), predict):
        assert reading.seen_i8.max() == 127


def test_read_both_ways_model_that_scribbles_on_its_input_leaves_seen_alone():
    def scribble(image_i8):
        answer = predict(image_i8)
        image_i8[:] = 0
        return answer

    expected = read_both_ways(ink_of(SEVEN), predict)
    for reading, other in zip(
        read_both_ways(ink_of(SEVEN), scribble), expected, strict=True
    ):
        np.testing.assert_array_equal(reading.seen_i8, other.seen_i8)


@pytest.mark.parametrize(
    "answer",
    [
        [0.1] * 9,
        [[0.1] * 10] * 2,
        [-3.0] + [1.5] * 9,  # logits
        [float("nan")] * 10,
        np.full(10, 26, np.int8),  # not dequantised
    ],
    ids=["nine", "twenty", "logits", "nan", "int8"],
)
def test_read_both_ways_anything_but_probabilities_is_an_error(answer):
    with pytest.raises(TutorialError, match="ten numbers from 0 to 1"):
        read_both_ways(ink_of(SEVEN), lambda image_i8: answer)


@pytest.mark.parametrize(
    "probability, text",
    [(0, "0"), (0.004, "<1"), (0.015, "2"), (0.98, "98"), (0.9961, ">99"), (1, ">99")],
)
def test_percent_is_never_rounded_to_certainty(probability, text):
    assert percent(probability) == f"{text}\N{NO-BREAK SPACE}%"


def test_sentences_say_doubt_and_the_other_way():
    as_drawn, normalised = read_both_ways(
        ink_of(SEVEN), lambda image_i8: predict(image_i8) * 0.6
    )
    assert sentences(as_drawn, normalised, normalised=False) == (
        "The model is unsure: perhaps a 7 (45\N{NO-BREAK SPACE}%).",
        "Normalised, it would read perhaps a 5 (45\N{NO-BREAK SPACE}%).",
    )
    as_drawn, normalised = read_both_ways(ink_of(SEVEN), predict)
    assert sentences(normalised, as_drawn, normalised=True) == (
        "The model reads a 5 (75\N{NO-BREAK SPACE}%).",
        "As drawn, it would read a 7 (75\N{NO-BREAK SPACE}%).",
    )


# --- The still picture and the live pad ----------------------------------------------


def test_draw_digit_outside_a_page_is_a_still_picture():
    shown = draw_digit(predict)
    data, metadata = shown._repr_mimebundle_()
    assert isinstance(shown, StillPicture)
    assert set(data) == {"image/png", "text/plain"}
    image = Image.open(BytesIO(base64.b64decode(data["image/png"])))
    assert image.format == "PNG" and image.width > 2 * image.height
    assert "reads a 5" in metadata["image/png"]["alt"]


def test_still_picture_same_answers_are_same_bytes_and_others_are_not():
    first = draw_digit(predict).png()
    assert draw_digit(predict).png() == first
    assert draw_digit(lambda image_i8: predict(image_i8)[::-1]).png() != first


def test_still_picture_text_does_not_depend_on_the_model():
    other = draw_digit(lambda image_i8: predict(image_i8)[::-1])
    assert repr(draw_digit(predict)) == repr(other)


def test_draw_digit_own_example_is_the_one_that_is_read():
    left = [[(0.15, 0.2), (0.15, 0.8)]]
    assert draw_digit(predict, example=left)._as_drawn.digit == 1


@pytest.fixture
def pad():
    pad = draw_digit(predict, live=True)
    yield pad
    pad.close()


def test_live_pad_ink_from_the_page_is_read_both_ways(pad):
    assert isinstance(pad, LivePad)
    pad.set_state({"ink": memoryview(ink_of(SEVEN).tobytes())})
    seen = [np.frombuffer(picture, np.int8) for picture in pad.reading["seen"]]
    for reading, picture, probabilities in zip(
        read_both_ways(ink_of(SEVEN), predict),
        seen,
        pad.reading["probabilities"],
        strict=True,
    ):
        np.testing.assert_array_equal(picture.reshape(28, 28), reading.seen_i8)
        np.testing.assert_array_equal(probabilities, reading.probabilities)
    assert pad.reading["sentences"][0][0].startswith("The model reads a 7")
    assert pad.reading["sentences"][1][0].startswith("The model reads a 5")


def test_live_pad_empty_paper_has_no_reading(pad):
    pad.ink = ink_of(SEVEN).tobytes()
    assert pad.reading
    pad.ink = bytes(PAD * PAD)
    assert pad.reading == {}


def test_live_pad_failing_model_says_so_on_the_pad_and_in_the_log(pad):
    def broken(image_i8):
        raise RuntimeError("arena too small")

    pad._predict = broken
    with pytest.raises(RuntimeError):
        pad.ink = ink_of(SEVEN).tobytes()
    assert pad.reading == {"error": "RuntimeError: arena too small"}


def test_live_pad_stored_output_falls_back_on_the_picture(pad):
    data, metadata = pad._repr_mimebundle_()
    still, still_metadata = draw_digit(predict)._repr_mimebundle_()
    assert data.pop(VIEW)["model_id"] == pad.model_id
    assert data == still and metadata == still_metadata


# --- Which of the two is shown -------------------------------------------------------


def complaints_about(stored):
    """What would trouble a reader of the stored notebook on a page without a kernel."""
    complaints = []
    for cell in stored.cells:
        for output in cell.get("outputs", []):
            text = json.dumps(output)
            if output.output_type in ("error", "stream"):
                complaints.append(f"unexpected output: {text}")
            elif "image/png" not in output.data:
                complaints.append(f"no picture: {text}")
            if VIEW in output.get("data", {}):
                complaints.append("a widget's view that needs its kernel")
            if re.search(r"0x[0-9a-f]{6}", text):
                complaints.append("a memory address")
    if not stored.cells[-1].outputs:
        complaints.append("no output")
    if "widgets" in stored.metadata:
        complaints.append("a widget's state")
    return complaints


def run_with_nbclient(stored):
    from nbclient import NotebookClient

    return NotebookClient(stored, timeout=120).execute()


def test_draw_digit_run_by_nbclient_stores_a_still_picture(helpers_importable):
    assert complaints_about(run_with_nbclient(notebook())) == []


def test_complaints_about_a_stored_live_pad_are_two(helpers_importable):
    # The check above must see what it is there to see.
    stored = run_with_nbclient(notebook("draw_digit(predict, live=True)"))
    assert complaints_about(stored) == [
        "a widget's view that needs its kernel",
        "a widget's state",
    ]


def test_draw_digit_run_by_papermill_becomes_a_page_with_a_picture(
    helpers_importable, tmp_path
):
    from nbconvert import HTMLExporter

    # As when a learner runs papermill from a cell of JupyterLab.
    inherited = {**os.environ, "JPY_SESSION_NAME": "notebooks/06.ipynb"}
    source, executed = tmp_path / "source.ipynb", tmp_path / "executed.ipynb"
    nbformat.write(notebook(), source)
    command = [sys.executable, "-m", "papermill", source, executed, "--no-progress-bar"]
    subprocess.run(command, check=True, env=inherited, capture_output=True)
    stored = nbformat.read(executed, as_version=4)
    assert complaints_about(stored) == []
    page, _ = HTMLExporter().from_notebook_node(stored)
    assert page.count("<img ") == 1
    assert "widget-view+json" not in page and "html-manager" not in page


def test_draw_digit_stored_output_passes_strict_nbval(helpers_importable, tmp_path):
    stored = run_with_nbclient(notebook())
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"]
    command += ["-q", "-c", tmp_path / "pytest.ini", tmp_path]
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def passes():
        nbformat.write(stored, tmp_path / "stored.ipynb")
        return subprocess.run(command, capture_output=True).returncode == 0

    assert passes()
    stored.cells[-1].outputs[0].data["text/plain"] += " at 0x7f0123456789"
    assert not passes()


def outputs_of(client, code, metadata):
    """Run code in a kernel, with what the sender says about it."""
    content = {"code": code, "silent": False, "store_history": True}
    message = client.session.msg("execute_request", content, metadata=metadata)
    client.shell_channel.send(message)
    outputs = []
    while True:
        reply = client.get_iopub_msg(timeout=120)
        if reply["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        assert reply["msg_type"] != "error", reply["content"]
        if "data" in reply["content"] and reply["msg_type"] == "execute_result":
            outputs.append(reply["content"]["data"])
        if reply["content"].get("execution_state") == "idle":
            return outputs


def test_draw_digit_asked_by_a_page_is_live(helpers_importable):
    setup, show = (cell.source for cell in notebook().cells)
    manager, client = start_new_kernel()
    try:
        outputs_of(client, setup, {})
        page = {"cellId": "1b2c", "deletedCells": [], "recordTiming": False}
        (live,) = outputs_of(client, show, page)
        (still,) = outputs_of(client, show, {})
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert set(live) == {VIEW, "image/png", "text/plain"}
    assert set(still) == {"image/png", "text/plain"}
    assert live["text/plain"] == still["text/plain"]


def test_import_of_draw_is_cheap():
    code = (
        "import sys, helpers.learn.draw; "
        "print({'anywidget', 'matplotlib', 'tensorflow'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True
    )
    assert run.stdout.split() == [b"set()"], run
