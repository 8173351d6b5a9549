"""Figures of training: learning rate and curves."""

import numpy as np

from helpers.learn.figures.style import BLUE, GREY, INK, ORANGE


def draw_learning_rate(ax, rates, steps_per_epoch):
    """Draw the learning rate of every training step.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rates : numpy.ndarray of float, shape (steps,)
    steps_per_epoch : int

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax.plot(np.arange(len(rates)) / steps_per_epoch, rates, color=BLUE)
    ax.set(
        xlabel="epoch", ylabel="learning rate", ylim=(0, None), title="learning rate"
    )
    ax.grid(color=GREY, alpha=0.25)
    return ax


def draw_curves(axes, history, others=None):
    """Draw loss and accuracy after each epoch and mark the best epoch.

    Parameters
    ----------
    axes : sequence of two matplotlib.axes.Axes
    history : dict of str to list of float
        Keras' history with loss, accuracy, val_loss and val_accuracy.
    others : dict of str to dict, optional
        Histories of other runs by name; only their validation curves are drawn.

    Returns
    -------
    sequence of matplotlib.axes.Axes
    """
    best = int(np.argmax(history["val_accuracy"]))
    for ax, key, factor, label in (
        (axes[0], "loss", 1, "loss"),
        (axes[1], "accuracy", 100, "accuracy (%)"),
    ):
        for number, (name, other) in enumerate((others or {}).items()):
            values = factor * np.array(other[f"val_{key}"])
            style = ("-", "--", ":")[number % 3]
            epochs = np.arange(1, len(values) + 1)
            ax.plot(epochs, values, style, color=GREY, marker=".", label=name)
        epochs = np.arange(1, len(history[key]) + 1)
        training, validation = (
            factor * np.array(history[k]) for k in (key, f"val_{key}")
        )
        ax.plot(epochs, training, "--", color=ORANGE, marker="o", label="training")
        ax.plot(epochs, validation, color=BLUE, marker="s", label="validation")
        text = f"best accuracy: epoch {best + 1}, {validation[best]:.4g}"
        star = {"color": INK, "markersize": 14, "zorder": 5, "linestyle": "none"}
        ax.plot(best + 1, validation[best], marker="*", label=text, **star)
        ax.set(xlabel="epoch", ylabel=label, title=label.split(" (")[0])
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(color=GREY, alpha=0.25)
        ax.legend()
    return axes
