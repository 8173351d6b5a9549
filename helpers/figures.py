"""How figures, tables and notices look, and the plots that take more than three lines.

Each ``draw_…`` draws on the matplotlib axes that it is given and returns them. The
colours are those of Okabe and Ito (Color Universal Design, 2008), which readers with
any kind of colour blindness can tell apart; nothing is told by colour alone.
"""

import html
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

# What a colour means is the same on every page.
BLUE = "#0072B2"  # what is counted or measured
ORANGE = "#E69F00"  # what is pointed at: a mark, or a line to compare with
GREEN = "#009E73"  # what is right or chosen
RED = "#D55E00"  # what is wrong
PURPLE = "#CC79A7"  # a second measurement beside a blue one
GREY = "#8a8a8a"  # all the rest
INK = "#222222"  # text


def use_style():
    """Let the figures of a notebook look alike, and sharp on any screen."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    plt.switch_backend("module://matplotlib_inline.backend_inline")  # not MPLBACKEND
    plt.style.use(["default", Path(__file__).with_suffix(".mplstyle")])
    set_matplotlib_formats("retina")  # twice the pixels, shown at the same size


def table(columns, rows):
    """Show rows of values under the names of their columns.

    Integers get commas. A column whose first value is no text is aligned to the right.
    """
    from IPython.display import display

    first = rows[0] if rows else columns
    rules = [":---" if isinstance(value, str) else "---:" for value in first]
    lines = [_table_line(columns), _table_line(rules)]
    for row in rows:
        lines.append(_table_line(row))
    text = "\n".join(lines)
    display({"text/markdown": text, "text/plain": text}, raw=True)


def _table_line(values):
    cells = []
    for value in values:
        is_integer = isinstance(value, int | np.integer)
        cells.append(f"{value:,}" if is_integer else str(value))
    return "| " + " | ".join(cells) + " |"


def folded_table(summary, columns, rows):
    """Show a table of texts that a click on its summary opens."""
    header = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    lines = [f"<tr>{header}</tr>"]
    for row in rows:
        cells = "".join(f"<td>{html.escape(value)}</td>" for value in row)
        lines.append(f"<tr>{cells}</tr>")
    _folded(summary, "<table>" + "\n".join(lines) + "</table>")


def folded_text(summary, text):
    """Show a long text, such as a program, that a click on its summary opens."""
    _folded(summary, f"<pre>{html.escape(text)}</pre>")


def _folded(summary, content):
    from IPython.display import display

    box = f"<details><summary>{html.escape(summary)}</summary>{content}</details>"
    display({"text/html": box, "text/plain": summary}, raw=True)


def notice(text):
    """Show `text` in a box that cannot be missed; nothing if it is empty."""
    from IPython.display import display

    if text:
        box = (
            f'<div role="alert" style="border:3px solid {RED};border-radius:6px;'
            'padding:0.8em 1em;font-size:1.1em;background:#fff4ea;color:#222">'
            f"<strong>Please note.</strong> {html.escape(text)}</div>"
        )
        display({"text/html": box, "text/plain": f"PLEASE NOTE: {text}"}, raw=True)


def draw_digit(ax, image, title="", value_range=None):
    """Draw a digit of shape (28, 28) or (28, 28, 1), low values black and high white.

    `value_range` is the pair of values that are black and white; without it those of
    the integer type, or for floats the lowest and the highest pixel.
    """
    image = np.squeeze(image)
    if value_range is None and image.dtype.kind in "iu":
        limits = np.iinfo(image.dtype)
        value_range = (limits.min, limits.max)
    low, high = value_range or (image.min(), image.max())
    ax.imshow(image, cmap="gray", vmin=low, vmax=high)
    return _without_ticks(ax, title)


def draw_digits(axes, images, titles=()):
    """Draw an image on each axes, with a title each; axes left over stay empty."""
    for place, ax in enumerate(np.ravel(axes)):
        title = titles[place] if place < len(titles) else ""
        if place < len(images):
            draw_digit(ax, images[place], title)
        else:
            _without_ticks(ax)
    return axes


def draw_values(ax, patch, title="", value_range=None):
    """Draw a small patch of an image, with the value of each pixel as a number in it.

    `value_range` is the pair of values that are black and white; without it the
    lowest and the highest of the patch.
    """
    patch = np.asarray(patch, float)
    low, high = value_range or (patch.min(), patch.max())
    ax.imshow(patch, cmap="gray", vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(patch):
        is_light = value - low > 0.5 * (high - low)
        ax.text(
            column,
            row,
            f"{value:.0f}",
            ha="center",
            va="center",
            fontsize=8,
            color="black" if is_light else "white",
        )
    _without_ticks(ax, title)
    ax.spines[:].set(visible=True, color=GREY)  # some cells are as white as the page
    return ax


def draw_map(ax, feature_map, title="", reach=None):
    """Draw a feature map: red is positive, blue negative, white is zero.

    The colours are darkest at `reach` and its negative; without it at the value that is
    farthest from zero.
    """
    if reach is None:
        reach = np.abs(feature_map).max() or 1.0
    ax.imshow(feature_map, cmap="RdBu_r", vmin=-reach, vmax=reach)
    return _without_ticks(ax, title)


def mark(ax, row, column, height, width):
    """Draw an orange frame around `height` × `width` pixels of a picture.

    `row` and `column` are those of its upper left pixel.
    """
    corner = (column - 0.5, row - 0.5)  # the centre of a pixel has whole numbers
    ax.add_patch(
        plt.Rectangle(corner, width, height, fill=False, color=ORANGE, linewidth=2)
    )
    return ax


def draw_memory(ax, memories, kind):
    """Draw the memories of `helpers.memory` as bars, in KiB; the model's is blue.

    `kind` is ``flash`` or ``RAM``.
    """
    names = [memory.name for memory in memories]
    sizes = [
        memory.flash_bytes if kind == "flash" else memory.ram_bytes
        for memory in memories
    ]
    kibibytes = [size / 1024 for size in sizes]
    colours = [BLUE if memory.is_needed else GREY for memory in memories]
    bars = ax.barh(names, kibibytes, color=colours)
    ax.bar_label(bars, [f"{value:.3g} KiB" for value in kibibytes], padding=4)
    ax.set(title=kind, xlim=(0, 1.25 * max(kibibytes)), xticks=[])
    ax.spines["bottom"].set_visible(False)
    ax.invert_yaxis()  # the first is on top
    return ax


def draw_funnel(ax, costs):
    """Draw how many numbers each layer puts out, as centred bars below the image's.

    `costs` are those of `helpers.networks.layer_costs`. Layers that only rearrange or
    rescale numbers are left out.
    """
    labels = ["image: 28 × 28 × 1"]
    numbers = [28 * 28]
    for cost in costs:
        if cost.kind in ("Conv2D", "MaxPooling2D", "Dense"):
            shape = " × ".join(str(size) for size in cost.output_shape)
            labels.append(f"{cost.name}: {shape}")
            numbers.append(math.prod(cost.output_shape))
    left_ends = [-number / 2 for number in numbers]
    bars = ax.barh(labels, numbers, left=left_ends, color=BLUE)
    ax.bar_label(bars, [f"{number:,}" for number in numbers], padding=4)
    reach = 0.65 * max(numbers)
    ax.set(xlim=(-reach, reach), xticks=[], xlabel="numbers in the output")
    ax.spines[:].set_visible(False)
    ax.tick_params(left=False)
    ax.invert_yaxis()  # the image is on top
    return ax


def draw_confusion(ax, labels, answers):
    """Draw how often each digit (row) got each answer (column)."""
    counts = np.zeros((10, 10), int)
    for label, answer in zip(labels, answers, strict=True):
        counts[label, answer] += 1
    wrong = counts - np.diag(np.diag(counts))
    # Rare confusions would be invisible beside the diagonal, so they have the colour.
    darkest = max(wrong.max(), 5)
    ax.imshow(wrong, cmap="Oranges", vmin=0, vmax=darkest)
    for row, column in np.argwhere(counts):
        ax.text(
            column,
            row,
            counts[row, column],
            ha="center",
            va="center",
            fontsize=7,
            fontweight="bold" if row == column else "normal",
            color="white" if wrong[row, column] > 0.6 * darkest else INK,
        )
    digits = range(10)
    ax.set(xticks=digits, yticks=digits, xlabel="answer", ylabel="true digit")
    return ax


def draw_scores(ax, scores_i8, title=""):
    """Draw ten output bytes (int8) as bars from 0 to 255, the highest in green."""
    digits = range(10)
    heights = [int(score) + 128 for score in scores_i8]
    colours = [GREY] * 10
    colours[np.argmax(scores_i8)] = GREEN
    ax.bar(digits, heights, color=colours)
    ax.set(xticks=digits, ylim=(0, 270), xlabel="digit", ylabel="output + 128")
    ax.set_title(title, fontsize=10)
    return ax


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
    ax.annotate(
        "start",
        (path[0], losses[0]),
        (6, 6),
        textcoords="offset points",
        bbox={"boxstyle": "square,pad=0.1", "color": "white"},  # a step may cross it
    )
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


def draw_rounding(ax, values, scale):
    """Draw how each value moves to the nearest step of `scale`.

    The steps are thin lines, with the byte that stands for each at its end (zero point
    0).
    """
    places = np.arange(len(values))
    bytes_i8 = np.round(values / scale)
    reach = int(np.abs(bytes_i8).max())
    for step in range(-reach, reach + 1):
        ax.axhline(step * scale, color=GREY, linewidth=0.5)
        ax.text(places[-1] + 0.6, step * scale, f"{step}", va="center", fontsize=8)
    ax.vlines(places, values, bytes_i8 * scale, color=ORANGE, linewidth=3)
    ax.plot(places, values, "o", color=BLUE, label="weight")
    ax.plot(places, bytes_i8 * scale, "D", color=ORANGE, mfc="none", label="rounded")
    ax.set(xticks=places, xlim=(-0.5, len(values) - 0.5))
    ax.set(xlabel="weight number", ylabel="value")
    ax.legend(loc="upper left", bbox_to_anchor=(1.05, 1))
    return ax


def draw_bytes(ax, names, sizes):
    """Draw numbers of bytes as bars from top to bottom, with the number at each."""
    bars = ax.barh(names, sizes, color=BLUE)
    ax.bar_label(bars, [f" {size:,}" for size in sizes])
    ax.set(xlabel="bytes")
    ax.invert_yaxis()
    return ax


def draw_activations(ax, values, highest, title=""):
    """Draw how often each value occurs, and the end of the range as a line."""
    ax.hist(np.ravel(values), 60, log=True, color=BLUE)
    ax.axvline(highest, color=ORANGE, label="end of the range")
    ax.set(xlabel="activation", ylabel="how many (logarithmic)")
    ax.set_title(title)
    ax.legend(loc="upper center", fontsize=8)
    return ax


def draw_errors(ax, effects, series):
    """Draw shares of wrong answers as dots with intervals, a row for each effect.

    `series` has for each label one triple an effect: the share of wrong answers and the
    ends of its confidence interval, in percent. The axis is logarithmic, and what is
    below 0.05 % is drawn there.
    """
    looks = [(BLUE, "o"), (PURPLE, "s"), (ORANGE, "^")]
    lowest = 100.0
    for number, (label, rates) in enumerate(series.items()):
        color, marker = looks[number]
        shares, lows, highs = np.maximum(np.transpose(rates), 0.05)
        rows = np.arange(len(effects)) + 0.25 * number
        ax.hlines(rows, lows, highs, color=color)
        ax.plot(shares, rows, marker, color=color, label=label, clip_on=False)
        lowest = min(lowest, lows.min())
    left_end = 0.8 * lowest
    ticks = [tick for tick in [0.1, 0.3, 1, 3, 10, 30, 100] if tick > left_end]
    ax.set(xscale="log", xlim=(left_end, 100), xlabel="wrong answers (%)")
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks(np.arange(len(effects)) + 0.25, effects)
    ax.grid(axis="x", color=GREY, alpha=0.3)
    ax.invert_yaxis()
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1))
    return ax


def _without_ticks(ax, title=""):
    # A picture needs neither ticks nor a frame.
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax
