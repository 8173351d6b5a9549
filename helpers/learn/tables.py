"""Tables that read well in JupyterLab, on a page and in a terminal."""

import html
from numbers import Integral, Real


class Table:
    """A small table; the last expression of a cell shows it.

    Parameters
    ----------
    columns : list of str
    rows : list of list
        Numbers are aligned to the right; integers get thousands separators.
    """

    def __init__(self, columns, rows):
        self.columns = [str(column) for column in columns]
        self.rows = [[_text(value) for value in row] for row in rows]
        self._right = [
            all(_is_number(value) for value in column)
            for column in zip(*rows, strict=True)
        ]

    def __repr__(self):
        rows = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(self._line(row, widths) for row in rows)

    def _line(self, row, widths):
        cells = zip(row, widths, self._right, strict=True)
        return "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in cells
        ).rstrip()

    def _repr_html_(self):
        head = self._html_row(self.columns, "th")
        body = "\n".join(self._html_row(row, "td") for row in self.rows)
        return f"<table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"

    def _html_row(self, row, tag):
        cells = "".join(
            f'<{tag} style="text-align:{"right" if right else "left"}">'
            f"{html.escape(text)}</{tag}>"
            for text, right in zip(row, self._right, strict=True)
        )
        return f"<tr>{cells}</tr>"


def _text(value):
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    return f"{value:,}" if whole else str(value)


def _is_number(value):
    return isinstance(value, Real) or (
        isinstance(value, str)
        and value.strip("+-−±% ").replace(".", "").replace(",", "").isdigit()
    )


def rate(correct, images):
    """Return a count with its rate, as in ``9,904 of 10,000 correct (99.04 %)``.

    Parameters
    ----------
    correct, images : int

    Returns
    -------
    str
        With as many decimals as the number of images supports.
    """
    return f"{correct:,} of {images:,} correct ({percent(correct, images)})"


def percent(part, whole):
    """Return a rate in percent, with two decimals only if `whole` supports them."""
    decimals = 2 if whole >= 5000 else 1
    return f"{100 * part / whole:.{decimals}f} %"
