"""Draw a digit and let the model read it, on any page that runs scripts.

What reads the drawing is the published C, compiled to WebAssembly: the same source that
goes into a microcontroller. No kernel has to answer, so the pad works in JupyterLab, in
Visual Studio Code and on a page opened from the disk alike. ``pad/`` has its parts: the
markup, the style, and the script in four files.

In browsers with Web Serial a button connects a board that runs the published sketch;
then each drawing is read by the page and by the chip.
"""

import base64
import hashlib
import html
import json
from pathlib import Path

from IPython.display import HTML

from helpers import c_templates, integer_arithmetic, processors, tflite

PARTS = Path(__file__).with_name("pad")
_SCRIPTS = ("network.js", "preparation.js", "board.js", "page.js")
_NO_SCRIPTS = (
    "To draw here, run this cell, or open this page in a browser that allows scripts."
)


def pad(name, files):
    """Return a drawing pad that runs the published C of a run: HTML of about 50 kB.

    `files` are those of `c_files.published_files` for the run `name`: bytes by path.
    TutorialError if the C cannot be compiled.

    For other pictures than drawings the element has a method, here in a browser's
    console: ``document.querySelector(".draw-digit").logits(image)`` takes 784 values
    from −128 to 127, row by row, and returns the ten int8 logits.
    """
    model = tflite.read(files[f"{name}_int8.tflite"])
    logits = model.tensors[integer_arithmetic.layers(model)[-1].tensor]
    module = processors.webassembly(name, files)
    sha256 = hashlib.sha256(files[f"{name}_int8.tflite"]).hexdigest()
    data = {
        "module": base64.b64encode(module).decode(),
        "function": f"{c_templates.c_name(name)}_classify",
        "source": f"{name}_int8_inference.c",
        "sha256": sha256[:8],  # a board with the sketch greets with it
        "scale": logits.scale,
        "zero_point": logits.zero_point,
        "html": (PARTS / "pad.html").read_text("utf-8"),
        "css": (PARTS / "pad.css").read_text("utf-8"),
    }
    attribute = html.escape(json.dumps(data))
    return HTML(
        f'<div class="draw-digit" data-pad="{attribute}">{_NO_SCRIPTS}</div>\n'
        f"<script>\n{_script()}</script>"
    )


def _script():
    """Return the four scripts as one block, whose names no other script can see."""
    parts = [(PARTS / script).read_text("utf-8") for script in _SCRIPTS]
    return '"use strict";\n{\n' + "\n".join(parts) + "}\n"
