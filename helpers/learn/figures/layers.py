"""Figures of what the layers of a network do."""

import numpy as np

from helpers.learn.figures.digits import draw_digit
from helpers.learn.figures.style import (
    BLUE,
    DIVERGING,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    plain,
)

KIND_COLOURS = {
    "Conv2D": BLUE,
    "DepthwiseConv2D": SKY,
    "MaxPooling2D": ORANGE,
    "AveragePooling2D": ORANGE,
    "GlobalAveragePooling2D": ORANGE,
    "Dense": GREEN,
}
KIND_NAMES = {
    "Conv2D": "convolution",
    "DepthwiseConv2D": "depthwise convolution",
    "MaxPooling2D": "max pooling",
    "AveragePooling2D": "average pooling",
    "GlobalAveragePooling2D": "average over the map",
    "Dense": "fully connected",
}


def draw_map(ax, feature_map, title="", reach=None):
    """Draw a feature map: red is positive, blue negative, white is zero.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    feature_map : numpy.ndarray, shape (height, width)
    title : str
    reach : float, optional
        Value of the full colour; the map's largest absolute value unless given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    reach = reach or max(float(np.abs(feature_map).max()), 1e-9)
    ax.imshow(feature_map, cmap=DIVERGING, vmin=-reach, vmax=reach)
    ax.set_title(title, fontsize=10)
    return plain(ax)


def draw_dense(axes, inputs, weights, scores):
    """Draw a fully connected layer: its inputs, its weights, its outputs.

    Parameters
    ----------
    axes : sequence of three matplotlib.axes.Axes
    inputs : numpy.ndarray, shape (side, side)
    weights : numpy.ndarray, shape (side * side, outputs)
    scores : numpy.ndarray, shape (outputs,)

    Returns
    -------
    sequence of matplotlib.axes.Axes
    """
    draw_digit(axes[0], inputs, f"{inputs.size} inputs", value_range=(-1, 1))
    draw_map(axes[1], weights.T, f"{weights.size} weights")
    axes[1].set(xlabel="input", ylabel="output", aspect="auto")
    colours = [GREY if score < scores.max() else GREEN for score in scores]
    axes[2].barh(range(len(scores)), scores, color=colours)
    axes[2].axvline(0, color=GREY, linewidth=1)
    axes[2].set(
        yticks=range(len(scores)),
        xlabel="score (no unit)",
        ylabel="digit",
        title=f"{len(scores)} outputs",
    )
    axes[2].invert_yaxis()
    return axes


def draw_pyramid(ax, costs):
    """Draw the output of each layer as a block: as high as the picture, with channels.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    costs : list of helpers.learn.networks.LayerCost

    Returns
    -------
    matplotlib.axes.Axes
    """
    shown = [cost for cost in costs if cost.kind in KIND_COLOURS]
    blocks = [("image", (28, 28, 1), PURPLE, "image")] + [
        (KIND_NAMES[c.kind], c.output_shape, KIND_COLOURS[c.kind], c.kind)
        for c in shown
    ]
    x = 0.0
    labelled = set()
    for kind, shape, colour, _ in blocks:
        height, channels = (shape[0], shape[-1]) if len(shape) == 3 else (1, shape[-1])
        width = 0.25 + 0.12 * np.sqrt(channels)
        ax.bar(
            x + width / 2,
            height,
            width,
            bottom=-height / 2,
            color=colour,
            edgecolor="white",
            label=None if kind in labelled else kind,
        )
        labelled.add(kind)
        text = " × ".join(map(str, shape))
        ax.text(x + width / 2, -height / 2 - 1, text, ha="center", va="top", fontsize=8)
        x += width + 0.75
    ax.set(ylim=(-19, 15), yticks=[-14, -7, 0, 7, 14], xticks=[])
    ax.set(ylabel="pixels from the middle", xlabel="layers, from input to output")
    ax.legend(loc="upper right", ncols=2)
    return ax
