"""Figures of quantisation: grids, scales, bytes and errors."""

import numpy as np

from helpers.learn.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY


def draw_grid(ax, values, scale, title, xlabel, zero_point=0):
    """Draw a histogram of values with the values of int8 as thin lines over it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    values : numpy.ndarray of float
    scale : float
    title, xlabel : str
    zero_point : int

    Returns
    -------
    matplotlib.axes.Axes
    """
    low, high = float(values.min()), float(values.max())
    steps = scale * (np.arange(-128, 128) - zero_point)
    inside = steps[(steps >= low - scale) & (steps <= high + scale)]
    logarithmic = values.size > 5000
    ax.hist(values.ravel(), bins=60, color=BLUE, log=logarithmic)
    ax.xaxis.get_major_locator().set_params(nbins=5)
    # A line across for each step, or where they would hide the bars, a mark below it.
    top = 1.0 if len(inside) < 60 else 0.06
    ax.vlines(inside, 0, top, ORANGE, linewidth=0.6, transform=ax.get_xaxis_transform())
    ax.set(title=title, xlabel=f"{xlabel} ({len(inside)} steps of int8)")
    how = "how many (logarithmic)" if logarithmic else "how many"
    ax.set(ylabel=how, xlim=(low - scale, high + scale))
    return ax


def draw_channel_scales(ax, model):
    """Draw the weight scales of each operator that has weights.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    model : helpers.board.model.Model

    Returns
    -------
    matplotlib.axes.Axes
    """
    names = []
    for operator in model.operators:
        stored = [t for t in model.weights_of(operator) if t.dtype == "int8"]
        if not stored:
            continue
        scales = stored[0].scales
        spread = np.linspace(-0.3, 0.3, len(scales)) if len(scales) > 1 else [0]
        ax.plot(len(names) + np.array(spread), scales, "o", color=BLUE, markersize=4)
        what = "one scale" if len(scales) == 1 else f"{len(scales)} channels"
        names.append(f"{operator.name}\n{what}")
    ax.set(xticks=range(len(names)), ylabel="weight scale", yscale="log")
    ax.set_xticklabels(names, fontsize=8)
    ax.grid(axis="y", color=GREY, alpha=0.25)
    return ax


def draw_bytes(ax, model):
    """Draw what the bytes of a model are used for.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    model : helpers.board.model.Model

    Returns
    -------
    matplotlib.axes.Axes
    """
    stored = [tensor for tensor in model.tensors if tensor.data is not None]
    parts = {
        "weights": sum(t.data.nbytes for t in stored if t.dtype == "int8"),
        "biases": sum(t.data.nbytes for t in stored if t.dtype == "int32"),
        # float32 scales and int64 zero points
        "scales and zero points": sum(12 * len(t.scales) for t in model.tensors),
    }
    parts["structure and names"] = model.byte_count - sum(parts.values())
    left = 0
    colours = (BLUE, GREEN, ORANGE, PURPLE)
    for (name, size), colour in zip(parts.items(), colours, strict=True):
        label = f"{name}: {size:,} bytes"
        ax.barh(0, size, left=left, color=colour, edgecolor="white", label=label)
        left += size
    ax.set(yticks=[], xlabel="bytes", ylim=(-0.5, 0.5))
    ax.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return ax


def draw_layer_errors(ax, stages):
    """Draw the quantisation error after each layer.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    stages : list of helpers.learn.layer_errors.Stage

    Returns
    -------
    matplotlib.axes.Axes
    """
    errors = [100 * stage.error for stage in stages]
    bars = ax.bar(range(len(stages)), errors, color=SKY)
    ax.bar_label(bars, fmt="{:.1f}", fontsize=8, color=INK)
    ax.set(xticks=range(len(stages)), ylabel="error (% of the signal)")
    ax.set_xticklabels([s.name.replace(" · ", "\n") for s in stages], fontsize=8)
    ax.grid(axis="y", color=GREY, alpha=0.25)
    return ax
