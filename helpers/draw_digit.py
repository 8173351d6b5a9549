"""Draw a digit and let the model read it, on any page that runs scripts.

The pad is plain HTML: a still picture, and a script that takes its place and runs the
network in the integers of `helpers.integer_arithmetic`. No kernel has to answer, so it
works in JupyterLab, in Visual Studio Code and on a page opened from the disk alike.
"""

import base64
import html
import io
import json
from pathlib import Path

import numpy as np
from IPython.display import HTML
from matplotlib.figure import Figure

from helpers import datasets, integer_arithmetic, tflite

PAD, PEN = 280, 22  # pixels of the pad's side, and of the width of its pen
# A small seven in a corner, where preparation makes a difference: strokes of (x, y).
EXAMPLE = [[(182, 35), (213, 34), (245, 32), (225, 70), (209, 115)]]


class Pad(HTML):
    """HTML with a text form for where nothing else can be shown."""

    def __repr__(self):
        return "Figure: a pad to draw a digit on, and what the model reads in it"


def pad(model_bytes):
    """Return a drawing pad for a ``.tflite`` model: HTML of about 120 kB.

    The model has to be one that `helpers.integer_arithmetic.layers` accepts.
    """
    model = tflite.read(model_bytes)
    layers = integer_arithmetic.layers(model)
    logits = model.tensors[layers[-1].tensor]
    here = Path(__file__)
    data = {"css": here.with_suffix(".css").read_text("utf-8"), "example": EXAMPLE}
    data |= {"side": PAD, "pen": PEN, "layers": [vars(layer) for layer in layers]}
    data["output"] = {"scale": logits.scale, "zero_point": logits.zero_point}
    text = html.escape(json.dumps(data, default=np.ndarray.tolist))
    image = base64.b64encode(_still_picture(layers, logits)).decode()
    return Pad(
        f'<div class="draw-digit" data-pad="{text}"><img alt="A seven and its '
        f'ten probabilities" src="data:image/png;base64,{image}"></div>\n<script>\n'
        f"{here.with_suffix('.js').read_text('utf-8')}</script>"
    )


def _still_picture(layers, logits):
    # For where no script runs: a digit of MNIST, and what the model reads in it.
    image = datasets.example_digit(7)
    seen_i8 = (image ^ 0x80).view(np.int8)[None, ..., None]
    scores_i8 = integer_arithmetic.run(layers, seen_i8)[-1].ravel()
    powers = np.exp(logits.scale * (scores_i8 - float(scores_i8.max())))
    figure = Figure((9, 3), layout="constrained")
    digit, bars = figure.subplots(1, 2)
    digit.imshow(image, "gray")
    digit.set_title("What the model sees")
    bars.bar(range(10), powers / powers.sum())
    bars.set(xticks=range(10), title="Probability of each digit")
    file = io.BytesIO()
    figure.savefig(file)
    return file.getvalue()
