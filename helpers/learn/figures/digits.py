"""Figures of digits and of the values in them."""

import numpy as np

from helpers.learn.figures.style import BLUE, GREY, ORANGE, plain


def draw_digit(ax, image, title="", value_range=None):
    """Draw one digit as it is stored: the highest value is white.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    image : numpy.ndarray, shape (28, 28) or (28, 28, 1)
    title : str
    value_range : tuple of float, optional
        Values shown as black and as white; those of the image's type unless given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    image = np.squeeze(image)
    if value_range is None and image.dtype.kind in "iu":
        limits = np.iinfo(image.dtype)
        value_range = limits.min, limits.max
    low, high = value_range or (None, None)
    ax.imshow(image, cmap="gray", vmin=low, vmax=high)
    ax.set_title(title, fontsize=10)
    return plain(ax)


def draw_values(ax, patch, title="", number_format="{:g}", value_range=None):
    """Draw a small patch of an image with the number of each pixel in it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    patch : numpy.ndarray, shape (rows, columns)
    title, number_format : str
    value_range : tuple of float, optional
        Values shown as black and as white; the patch's own extremes unless given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    patch = np.asarray(patch, float)  # bytes would overflow in the difference below
    low, high = value_range or (patch.min(), max(patch.max(), patch.min() + 1e-9))
    ax.imshow(patch, cmap="gray", vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(patch):
        bright = (value - low) / (high - low) > 0.5
        ax.text(
            column,
            row,
            number_format.format(value),
            ha="center",
            va="center",
            fontsize=8,
            color="black" if bright else "white",
        )
    ax.set_title(title, fontsize=10)
    return plain(ax)


def draw_class_counts(ax, counts, title, expected=None):
    """Draw how many images there are of each digit.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    counts : numpy.ndarray of int, shape (10,)
    title : str
    expected : float, optional
        Where a dashed line is drawn: the count if all digits were equally frequent.

    Returns
    -------
    matplotlib.axes.Axes
    """
    bars = ax.bar(range(10), counts, color=BLUE)
    texts = [f"{count:,}" for count in counts]
    ax.bar_label(bars, texts, label_type="center", fontsize=7, color="white")
    if expected:
        ax.axhline(expected, color=ORANGE, linestyle="--", label="a tenth of all")
        ax.legend(loc="upper right")
    ax.set(xticks=range(10), xlabel="digit", ylabel="images", title=title)
    ax.set_ylim(0, 1.25 * max(counts))
    return ax


def draw_histogram(ax, values, bins, title, xlabel, color=BLUE):
    """Draw how often each value occurs, in percent of all values.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    values : numpy.ndarray
    bins : sequence of float
        Edges of the bins.
    title, xlabel, color : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    counts, edges = np.histogram(values, bins)
    ax.bar(
        edges[:-1],
        100 * counts / values.size,
        np.diff(edges),
        align="edge",
        color=color,
        edgecolor="white",
        linewidth=0.3,
    )
    ax.set(title=title, xlabel=xlabel, ylabel="share of values (%)")
    ax.grid(axis="y", color=GREY, alpha=0.25)
    return ax
