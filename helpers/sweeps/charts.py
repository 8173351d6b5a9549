"""The pictures of a sweep, as SVG that stands in the page itself."""

import html
import io
import re

from helpers.learn.figures.style import BLUE, GREY, INK, VERMILION, axes_row
from helpers.sweeps.comparison import pareto_front

MOST_BARS = 25  # configurations that a chart names; more would be unreadable


def size_chart(configurations):
    """Return accuracy against bytes, a mark for each run, as SVG.

    Parameters
    ----------
    configurations : list of helpers.sweeps.comparison.Configuration
    """
    rows = [row for c in configurations for row in c.rows]
    points = [(row["model_bytes"], row["board_accuracy"]) for row in rows]
    front = [points[place] for place in pareto_front(points)]
    figure, ax = axes_row(height=4.4)
    ax.scatter(*zip(*points, strict=True), s=28, color=BLUE, alpha=0.6, label="a run")
    ax.plot(
        *zip(*front, strict=True),
        color=VERMILION,
        drawstyle="steps-post",
        marker="D",
        markersize=7,
        markerfacecolor="none",
        label="Pareto front: no run is smaller and better",
    )
    ax.set(xlabel="bytes of the model", ylabel="accuracy on the board (%)")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.margins(0.06)
    ax.legend(loc="best")
    words = "; ".join(f"{y:.2f} % with {x:,} bytes" for x, y in front)
    return _svg(
        figure,
        f"Accuracy of {len(rows)} runs against the bytes of their models. On the "
        f"Pareto front: {words}.",
        "size",
    )


def seeds_chart(configurations):
    """Return mean and standard deviation of the accuracy over the seeds, as SVG."""
    return _bars(
        configurations,
        "board_accuracy",
        "accuracy on the board (%): mean, and standard deviation over the seeds",
        "seeds",
        from_zero=False,
    )


def time_chart(configurations):
    """Return the mean seconds of a run, as SVG."""
    return _bars(
        configurations, "seconds", "seconds of a run: mean", "time", from_zero=True
    )


def _bars(configurations, column, words, name, *, from_zero):
    shown = configurations[:MOST_BARS]
    figure, ax = axes_row(height=1.2 + 0.32 * len(shown))
    for place, one in enumerate(shown):
        mean, deviation = one.mean(column), one.deviation(column)
        if from_zero:
            ax.barh(place, mean, color=BLUE, height=0.6)
        else:
            own = [row[column] for row in one.rows]
            ax.scatter(own, [place] * len(own), s=14, color=GREY, zorder=1)
            ax.errorbar(
                mean,
                place,
                xerr=deviation,
                fmt="o",
                color=BLUE,
                ecolor=INK,
                capsize=4,
                markersize=6,
                elinewidth=1.4,
            )
    labels = [_short(one.label) for one in shown]
    ax.set(xlabel=words)
    # A dollar in a path is no mathematics.
    ax.set_yticks(range(len(shown)), labels, parse_math=False)
    ax.set_ylim(len(shown) - 0.4, -0.6)  # the most accurate on top
    said = "; ".join(f"{one.label}: {one.mean(column):.2f}" for one in shown)
    return _svg(figure, f"{words[:1].upper()}{words[1:]}. {said}.", name)


def _short(text, limit=48):
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _svg(figure, words, name):
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    # The page decides how wide it is. Names inside must differ from chart to chart.
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    label = html.escape(words, quote=True)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
