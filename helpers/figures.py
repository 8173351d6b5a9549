"""How figures, tables and notices look, and the plots that take more than three lines.

Each ``draw_…`` takes matplotlib axes. Bars and lines have colours of Okabe and Ito
(Color Universal Design, 2008), which readers with any kind of colour blindness can tell
apart; nothing is told by colour alone.
"""

import html
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

INK, GREY = "#222222", "#8a8a8a"
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"


def use_style():
    """Let the figures of a notebook look alike, and sharp on any screen."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    plt.switch_backend("module://matplotlib_inline.backend_inline")  # not MPLBACKEND
    plt.style.use(["default", Path(__file__).with_suffix(".mplstyle")])
    set_matplotlib_formats("retina")  # twice the pixels, shown at the same size


def table(columns, rows):
    """Show rows of values; numbers are aligned to the right, integers have commas."""
    from IPython.display import display

    integers = int | np.integer
    cells = [[f"{v:,}" if isinstance(v, integers) else str(v) for v in r] for r in rows]
    rules = [":---" if isinstance(v, str) else "---:" for v in (rows or [columns])[0]]
    lines = ["| " + " | ".join(row) + " |" for row in [columns, rules, *cells]]
    text = "\n".join(lines)
    display({"text/markdown": text, "text/plain": text}, raw=True)


def notice(text):
    """Show `text` in a box that cannot be missed; nothing if it is empty."""
    from IPython.display import display

    if text:
        box = (
            '<div role="alert" style="border:3px solid #D55E00;border-radius:6px;'
            'padding:0.8em 1em;font-size:1.1em;background:#fff4ea;color:#222">'
            f"<strong>Please note.</strong> {html.escape(text)}</div>"
        )
        display({"text/html": box, "text/plain": f"PLEASE NOTE: {text}"}, raw=True)


def draw_digit(ax, image, title="", value_range=None):
    """Draw a digit of shape (28, 28) or (28, 28, 1); the highest value is white."""
    image = np.squeeze(image)
    if value_range is None and image.dtype.kind in "iu":
        value_range = np.iinfo(image.dtype).min, np.iinfo(image.dtype).max
    low, high = value_range or (None, None)
    ax.imshow(image, vmin=low, vmax=high)
    _plain(ax, title)


def draw_digits(axes, images, titles=()):
    """Draw an image on each axes, with a title each; axes left over stay empty."""
    for ax in np.ravel(axes):
        _plain(ax)
    titles = [*titles, *[""] * len(images)]
    for ax, image, title in zip(np.ravel(axes), images, titles, strict=False):
        draw_digit(ax, image, title)


def draw_values(ax, patch, title="", value_range=None):
    """Draw a small patch of an image with the number of each pixel in it."""
    patch = np.asarray(patch, float)
    low, high = value_range or (patch.min(), patch.max() + 1e-9)
    ax.imshow(patch, vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(patch):
        color = "black" if value - low > 0.5 * (high - low) else "white"
        text = {"ha": "center", "va": "center", "fontsize": 8, "color": color}
        ax.text(column, row, f"{value:.0f}", **text)
    _plain(ax, title)
    ax.spines[:].set(visible=True, color=GREY)  # some cells are as white as the page


def draw_map(ax, feature_map, title=""):
    """Draw a feature map: red is positive, blue negative, white is zero."""
    reach = np.abs(feature_map).max() or 1.0
    ax.imshow(feature_map, cmap="RdBu_r", vmin=-reach, vmax=reach)
    _plain(ax, title)


def draw_network(ax, costs):
    """Draw the feature maps of each layer as a stack of squares, as papers do.

    `costs` are those of `helpers.networks.layer_costs`.
    """
    looks = {"Conv2D": (BLUE, "convolution"), "MaxPooling2D": (ORANGE, "pooling")}
    looks |= {"Dense": (GREEN, "dense"), "image": (PURPLE, "image")}
    stages = [("image", (28, 28, 1)), *((c.kind, c.output_shape) for c in costs)]
    left = 0.0
    for kind, shape in stages:
        if kind not in looks:
            continue
        color, name = looks[kind]
        side, drawn = (1, 1, *shape)[-3], min(shape[-1], 16)
        for place in range(drawn):  # the last channel lies in front
            corner = (left + 0.9 * place, 0.9 * (drawn - place) - side / 2)
            square = {"facecolor": color, "edgecolor": "white", "alpha": 0.75}
            ax.add_patch(plt.Rectangle(corner, side, side, **square))
        text = f"{name}\n" + " × ".join(map(str, shape))
        middle = left + (side + 0.9 * drawn) / 2
        ax.text(middle, -17, text, ha="center", va="top", fontsize=8)
        left += max(side + 0.9 * drawn, 13) + 4
    ax.set(xlim=(-4, left), ylim=(-25, 21), aspect="equal")
    _plain(ax)


def draw_confusion(ax, labels, answers):
    """Draw how often each digit (row) got each answer (column)."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, answers), 1)
    wrong = counts - np.diag(np.diag(counts))
    # Rare confusions would be invisible beside the diagonal, so they have the colour.
    darkest = max(wrong.max(), 5)
    ax.imshow(wrong, cmap="Oranges", vmin=0, vmax=darkest)
    for row, column in np.argwhere(counts):
        color = "white" if wrong[row, column] > 0.6 * darkest else INK
        weight = "bold" if row == column else "normal"
        text = {"ha": "center", "va": "center", "fontsize": 7, "fontweight": weight}
        ax.text(column, row, counts[row, column], color=color, **text)
    ticks = range(10)
    ax.set(xticks=ticks, yticks=ticks, xlabel="answer", ylabel="true digit")


def draw_scores(ax, scores_i8, title=""):
    """Draw ten output bytes as bars, the highest in green."""
    digits, best = np.arange(10), np.argmax(scores_i8)
    colours = np.where(digits == best, GREEN, GREY)
    ax.bar(digits, np.asarray(scores_i8, int) + 128, color=colours)
    ax.set(xticks=digits, ylim=(0, 270), xlabel="digit", ylabel="output + 128")
    ax.set_title(title, fontsize=10)


def _plain(ax, title=""):
    # A picture needs neither ticks nor a frame.
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def draw_line_fit(ax, x, y, weights):
    """Draw examples as dots, and the line ``y = w * x`` for each weight.

    The later the weight, the darker its line; the last one is named.
    """
    ax.plot(x, y, "o", color=GREY, markersize=3)
    ends = np.array([0, max(x)])
    for place, weight in enumerate(weights, start=1):
        darkness = place / len(weights)
        ax.plot(ends, weight * ends, color=BLUE, linewidth=1, alpha=darkness)
    ax.text(ends[1], weights[-1] * ends[1], f" w = {weights[-1]:.2f}", color=BLUE)
    ax.set(xlabel="x", ylabel="y")
    return ax


def draw_descent(ax, loss, x, y, path):
    """Draw ``loss(w, x, y)`` for every weight, and the steps of `path` on its curve.

    The first weight of the path is marked as the start.
    """
    margin = 0.2 * (max(path) - min(path))
    weights = np.linspace(min(path) - margin, max(path) + margin, 200)
    ax.plot(weights, [loss(w, x, y) for w in weights], color=GREY)
    losses = [loss(w, x, y) for w in path]
    ax.plot(path, losses, "-o", color=ORANGE, linewidth=1, markersize=5)
    ax.annotate("start", (path[0], losses[0]), (6, 6), textcoords="offset points")
    ax.set(xlabel="weight", ylabel="loss")
    return ax


def draw_history(axes, history):
    """Draw loss and accuracy after each epoch, as `keras.Model.fit` recorded them.

    Two axes; the curves of the validation images have names that begin with ``val_``.
    """
    for ax, name in zip(axes, ["loss", "accuracy"], strict=True):
        epochs = range(1, len(history[name]) + 1)
        ax.plot(epochs, history[name], "--o", color=PURPLE, label="training")
        ax.plot(epochs, history[f"val_{name}"], "-s", color=BLUE, label="validation")
        ax.set(xlabel="epoch", ylabel=name)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
    return axes


def draw_filters(axes, filters, image, title=""):
    """Draw filters in the first row of axes, and what each makes of an image below.

    `filters` are (height, width, 1, filters), `image` is (rows, columns). Each panel
    has its own scale of colours.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, filters.shape[:2])
    for place, (above, below) in enumerate(zip(axes[0], axes[1], strict=True)):
        weights = filters[:, :, 0, place]
        draw_map(above, weights)
        draw_map(below, (windows * weights).sum(axis=(2, 3)))
    axes[0][0].set_title(title)
    return axes
