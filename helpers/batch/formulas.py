"""Formulas as MathML, which browsers draw without a script and without a network."""

import html
import re

from latex2mathml.converter import convert


def to_mathml(tex, *, block=False):
    r"""Return a TeX formula as a MathML element.

    Parameters
    ----------
    tex : str
        Without its dollar signs, such as ``\frac{I - F + 2P}{S} + 1``.
    block : bool, optional
        Whether it stands on lines of its own.

    Returns
    -------
    str
        The formula itself, marked as code, if it cannot be converted.
    """
    tex = tex.strip()
    try:
        mathml = convert(tex, display="block" if block else "inline")
    except Exception:  # the library raises many kinds for what it does not know
        return f"<code>{html.escape(tex)}</code>"
    # A formula reads aloud as its source where MathML itself does not.
    alternative = html.escape(re.sub(r"\s+", " ", tex), quote=True)
    return mathml.replace("<math ", f'<math alttext="{alternative}" ', 1)
