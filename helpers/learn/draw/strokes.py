"""A drawing as lines of a pen, and the ink that they leave on the pad."""

import numpy as np

PAD = 140  # pixels of the pad's side: five for each of the model's 28
PEN = 0.08  # width of the pen in sides of the pad: 2.2 of the model's 28 pixels

# Small and in a corner, so that normalisation makes a difference.
SEVEN = [
    [(0.650, 0.125), (0.706, 0.125), (0.762, 0.120), (0.826, 0.115), (0.874, 0.115)],
    [(0.874, 0.115), (0.842, 0.180), (0.802, 0.250), (0.770, 0.330), (0.746, 0.410)],
]


def ink_of(strokes, side=PAD):
    """Draw strokes as the browser draws them: a round pen with soft edges.

    Parameters
    ----------
    strokes : sequence of sequences of (float, float)
        Points (x, y) of each stroke, 0 to 1 from the upper left corner. A stroke of one
        point is a dot.
    side : int
        Of the picture, in pixels.

    Returns
    -------
    ndarray of uint8, shape (side, side)
        255 where there is ink, 0 on the paper.
    """
    y, x = (np.indices((side, side)) + 0.5) / side
    distance = np.full((side, side), np.inf)
    for stroke in strokes:
        starts = np.asarray(stroke, float)
        ends = starts[1:] if len(starts) > 1 else starts
        for start, end in zip(starts, ends, strict=False):
            distance = np.minimum(distance, _distance(x, y, start, end))
    coverage = (PEN / 2 - distance) * side + 0.5
    return np.rint(255 * coverage.clip(0, 1)).astype(np.uint8)


def _distance(x, y, start, end):
    # From each pixel's middle to the nearest point of the line from start to end.
    along = end - start
    length = along @ along
    share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (length or 1)
    share = share.clip(0, 1)
    return np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
