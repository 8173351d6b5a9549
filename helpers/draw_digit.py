"""Draw a digit and let the model read it, on any page that runs scripts.

The pad is plain HTML with a script that runs the network in the integers of
`helpers.integer_arithmetic`. No kernel has to answer, so it works in JupyterLab, in
Visual Studio Code and on a page opened from the disk alike.
"""

import html
import json
from pathlib import Path

import numpy as np
from IPython.display import HTML

from helpers import integer_arithmetic, tflite

PAD, PEN = 280, 22  # pixels of the pad's side, and of the width of its pen
# A small seven in a corner, where preparation makes a difference: strokes of (x, y).
EXAMPLE = [[(182, 35), (213, 34), (245, 32), (225, 70), (209, 115)]]


def pad(model_bytes):
    """Return a drawing pad for a ``.tflite`` model: HTML of about 100 kB.

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
    script = here.with_suffix(".js").read_text("utf-8")
    return HTML(
        f'<div class="draw-digit" data-pad="{text}">To draw here, run this cell or '
        f"allow scripts.</div>\n<script>\n{script}</script>"
    )
