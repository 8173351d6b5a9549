"""The figures of the notebooks: each function draws on axes and returns them."""

from helpers.learn.figures.style import axes_row, show

__all__ = ["axes_row", "show"]
