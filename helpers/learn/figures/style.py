"""How every figure looks, and how it gets onto the page with a text for who can't see.

Colours are from the palette of Okabe and Ito, which readers with any kind of colour
blindness can tell apart (Color Universal Design, 2008). Nothing is told by colour only.
"""

import base64
import io
import sys

INK, GREY = "#222222", "#8a8a8a"
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
DIVERGING, SEQUENTIAL = "RdBu_r", "cividis"
WIDTH = 9.0  # inches; a page shows it about 860 pixels wide

STYLE = {
    "figure.facecolor": "white",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 2,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every system
}


def axes_row(columns=1, rows=1, height=3.0, **options):
    """Return a new figure and its axes.

    Parameters
    ----------
    columns, rows : int
    height : float
        Of the whole figure, in inches; its width is `WIDTH`.
    **options
        Passed on to ``Figure.subplots``.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to ``pyplot``, so nothing is drawn before `show` draws it.
    axes : matplotlib.axes.Axes or numpy.ndarray of them
    """
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(STYLE)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def show(figure, alt, dots_per_inch=96):
    """Put a figure on the page, with the text that stands for it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    alt : str
        What the picture shows, for who cannot see it, true for all parameters.
    dots_per_inch : int
    """
    from IPython.display import display

    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)  # or it would be shown twice
    png = io.BytesIO()
    # Without the software's version in it, equal figures are equal bytes.
    figure.savefig(png, dpi=dots_per_inch, metadata={"Software": None})
    data = {
        "image/png": base64.b64encode(png.getvalue()).decode(),
        "text/plain": f"Figure: {alt}",
    }
    display(data, raw=True, metadata={"image/png": {"alt": alt}})


def plain(ax):
    """Remove ticks and frame from axes that show a picture; returns them."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax
