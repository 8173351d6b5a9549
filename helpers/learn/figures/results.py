"""Figures of answers: confusions, mistakes, scores and the camera report."""

import numpy as np

from helpers.learn.figures.digits import draw_digit
from helpers.learn.figures.style import BLUE, GREEN, GREY, INK, VERMILION, plain


def draw_confusion(ax, rows, columns, title, labels=("true digit", "answer")):
    """Draw how often each pair of digits occurs.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows, columns : numpy.ndarray of int, shape (images,)
        Digits 0 to 9.
    title : str
    labels : tuple of str
        Of rows and of columns.

    Returns
    -------
    matplotlib.axes.Axes
    """
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (rows, columns), 1)
    off_diagonal = counts - np.diag(np.diag(counts))
    # Rare confusions would be invisible beside the diagonal, so it has its own colour.
    darkest = max(off_diagonal.max(), 5)  # a single image makes no dark spot
    ax.imshow(off_diagonal, cmap="Oranges", vmin=0, vmax=darkest)
    for row, column in np.argwhere(counts):
        count = counts[row, column]
        strong = row != column and count > 0.6 * darkest
        ax.text(
            column,
            row,
            f"{count}",
            ha="center",
            va="center",
            fontsize=7,
            fontweight="bold" if row == column else None,
            color="white" if strong else INK,
        )
    ax.set(xticks=range(10), yticks=range(10), title=title)
    ax.set(ylabel=labels[0], xlabel=labels[1])
    return ax


def draw_answers(axes, images, one, other, labels):
    """Draw images with two digits below each; axes left over stay empty.

    Parameters
    ----------
    axes : sequence of matplotlib.axes.Axes
    images : numpy.ndarray of int8, shape (N, 28, 28, 1)
    one, other : numpy.ndarray of int, shape (N,)
        Two digits for each image.
    labels : tuple of str
        What the two are.

    Returns
    -------
    sequence of matplotlib.axes.Axes
    """
    for ax in axes:
        plain(ax)
    for ax, image, *digits in zip(axes, images, one, other, strict=False):
        draw_digit(ax, image)
        named = zip(labels, digits, strict=True)
        text = ", ".join(f"{label} {digit}" for label, digit in named)
        ax.set_xlabel(text, fontsize=8)
    return axes


def draw_scores(ax, scores_i8):
    """Draw the ten output bytes for one image, the highest one marked.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    scores_i8 : numpy.ndarray of int8, shape (10,)

    Returns
    -------
    matplotlib.axes.Axes
    """
    best = int(np.argmax(scores_i8))
    colours = [GREEN if digit == best else GREY for digit in range(10)]
    heights = scores_i8.astype(int) + 128
    ax.bar(range(10), heights, color=colours)
    ax.text(best, heights[best], "▾", ha="center", va="bottom", fontsize=8)
    ax.set(xticks=range(10), xlabel="digit", ylabel="output + 128", ylim=(0, 285))
    return ax


def draw_camera_report(ax, results):
    """Draw the accuracy for each effect with its 95 % interval.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    results : list of dict
        With ``effect``, ``correct`` and ``images``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    for place, result in enumerate(results):
        correct, images = result["correct"], result["images"]
        share = 100 * correct / images
        low, high = (100 * end for end in wilson_interval(correct, images))
        colour = BLUE if share > 90 else VERMILION
        hatch = None if share > 90 else "//"
        ax.barh(place, share, color=colour, hatch=hatch, edgecolor="white")
        ax.plot([low, high], [place, place], color=INK, linewidth=1.5)
        text = f"{share:.1f} %  ({low:.1f} to {high:.1f})"
        ax.text(102, place, text, va="center", fontsize=8)
    ax.set(xlim=(0, 100), xlabel="right answers (%)", yticks=range(len(results)))
    ax.set_yticklabels([result["effect"] for result in results])
    ax.invert_yaxis()
    ax.grid(axis="x", color=GREY, alpha=0.25)
    return ax


def wilson_interval(correct, images, z=1.96):
    """Return the interval that holds the true rate with a probability of 95 %.

    Parameters
    ----------
    correct, images : int
    z : float
        Quantile of the normal distribution.

    Returns
    -------
    tuple of float
        Lower and upper end, 0 to 1.

    Notes
    -----
    E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", Journal of the American Statistical Association 22 (1927).
    """
    rate = correct / images
    centre = rate + z**2 / (2 * images)
    reach = z * np.sqrt(rate * (1 - rate) / images + z**2 / (4 * images**2))
    scale = 1 + z**2 / images
    return (centre - reach) / scale, (centre + reach) / scale
