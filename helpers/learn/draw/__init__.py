"""Draw your own digit: a live pad on a live page, a still picture everywhere else."""

from helpers.learn.draw.draw_digit import draw_digit

__all__ = ["draw_digit"]
