"""The live drawing pad: a widget that needs a page and a kernel, and no network."""

from pathlib import Path

import anywidget
import numpy as np
import traitlets

from helpers.learn.draw.reading import read_both_ways, sentences
from helpers.learn.draw.still import StillPicture
from helpers.learn.draw.strokes import PAD, PEN

_FOLDER = Path(__file__).parent


class LivePad(anywidget.AnyWidget):
    """A canvas for a digit, what the model sees of it, and its ten probabilities.

    Parameters
    ----------
    predict : callable
        See `draw_digit`.
    example : sequence of strokes
        Drawn by the pad's example button, and in its still picture.
    """

    _esm = _FOLDER / "pad.js"
    _css = _FOLDER / "pad.css"

    side = traitlets.Int(PAD).tag(sync=True)
    pen = traitlets.Float(PEN).tag(sync=True)
    example = traitlets.List().tag(sync=True)
    # Set by the page. The strokes are kept so that a reloaded page can draw them again.
    strokes = traitlets.List().tag(sync=True)
    ink = traitlets.CBytes().tag(sync=True)
    normalised = traitlets.Bool(True).tag(sync=True)
    # Set here, in one piece, so that the page never shows half of an answer.
    reading = traitlets.Dict().tag(sync=True)

    def __init__(self, predict, example):
        self._predict = predict
        self._still = StillPicture(predict, example)
        super().__init__(
            example=[[[float(x), float(y)] for x, y in stroke] for stroke in example]
        )

    def __repr__(self):
        return repr(self._still)

    def _repr_mimebundle_(self, **_):
        # A page without this kernel (GitHub, nbconvert) falls back on the picture.
        data, metadata = self._still._repr_mimebundle_()
        view, view_metadata = super()._repr_mimebundle_()
        return {**view, **data}, {**view_metadata, **metadata}

    @traitlets.observe("ink")
    def _read(self, change):
        ink = np.frombuffer(change["new"], np.uint8)
        if not ink.any():
            self.reading = {}
            return
        try:
            ways = read_both_ways(ink.reshape(self.side, self.side), self._predict)
        except Exception as error:
            # Shown on the pad, because the page keeps what comes from here in a log.
            self.reading = {"error": f"{type(error).__name__}: {error}"}
            raise
        self.reading = {
            "seen": [way.seen_i8.tobytes() for way in ways],
            "probabilities": [way.probabilities.tolist() for way in ways],
            "sentences": [
                sentences(ways[chosen], ways[1 - chosen], bool(chosen))
                for chosen in (0, 1)
            ],
        }
