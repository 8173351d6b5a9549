"""The still picture of the drawing pad, for a page that nobody can draw on."""

import base64
import io

from helpers.learn.draw.reading import percent, read_both_ways, sentences
from helpers.learn.draw.strokes import ink_of

ALT = (
    "a drawn digit, the 28×28 picture that the model sees of it, and the probability "
    "that the model gives to each of the ten digits"
)

WORTH_A_TICK = 0.01  # smaller probabilities of the drawing as it is are not marked


class StillPicture:
    """The drawing pad with one example drawn on it, as a picture.

    Parameters
    ----------
    predict : callable
        See `draw_digit`.
    example : sequence of strokes
    """

    def __init__(self, predict, example):
        self._ink = ink_of(example, side=448)
        self._as_drawn, self._normalised = read_both_ways(ink_of(example), predict)

    def __repr__(self):
        # Without the model's answer: another machine trains a slightly other model.
        return f"Figure: {ALT}"

    def _repr_mimebundle_(self, **_):
        answers = " ".join(sentences(self._normalised, self._as_drawn, normalised=True))
        data = {
            "image/png": base64.b64encode(self.png()).decode(),
            "text/plain": repr(self),
        }
        return data, {"image/png": {"alt": f"Still picture of {ALT}. {answers}"}}

    def png(self):
        """Return the picture: the drawing, what the model sees, and its answer.

        Returns
        -------
        bytes
            A PNG file; the same for the same answers.
        """
        from helpers.learn.figures import axes_row
        from helpers.learn.figures.digits import draw_digit

        figure, (drawn, seen, bars) = axes_row(3, height=3.3, width_ratios=(1, 1, 1.25))
        draw_digit(drawn, self._ink, "A drawing")
        draw_digit(seen, self._normalised.seen_i8, "What the model sees: 28×28, int8")
        self._draw_bars(bars)
        answer, comparison = sentences(self._normalised, self._as_drawn, True)
        figure.supxlabel(f"{answer} {comparison}", fontsize=11)
        file = io.BytesIO()
        figure.savefig(file, dpi=96, metadata={"Software": None})
        return file.getvalue()

    def _draw_bars(self, ax):
        from helpers.learn.figures.style import BLUE, GREY, INK, VERMILION

        reading, digits = self._normalised, range(10)
        colours = [BLUE if digit == reading.digit else GREY for digit in digits]
        ax.barh(digits, reading.probabilities, color=colours, height=0.6)
        other = self._as_drawn.probabilities
        marked = [digit for digit in digits if other[digit] >= WORTH_A_TICK]
        ax.plot(
            other[marked],
            marked,
            linestyle="none",
            marker="|",
            markersize=11,
            markeredgewidth=2.5,
            color=VERMILION,
            label="as drawn",
        )
        for digit in digits:
            text = percent(reading.probabilities[digit])
            weight = "bold" if digit == reading.digit else "normal"
            ax.text(1.07, digit, text, va="center", ha="left", weight=weight, color=INK)
        ax.set(yticks=digits, xticks=(), xlim=(0, 1))
        ax.set_title("Probability of each digit", fontsize=10)
        ax.invert_yaxis()
        ax.set_box_aspect(1 / 1.25)  # as high as the two square pictures beside it
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(left=False)
        ax.legend(loc="upper right", bbox_to_anchor=(1, 0.02))
