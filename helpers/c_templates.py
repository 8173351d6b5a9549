"""Fill in the templates in ``helpers/c/``: identifiers, numbers, values."""

import re
import textwrap
from pathlib import Path

import jinja2
import numpy as np

FOLDER = Path(__file__).parent / "c"
ENGINE = ("cnn_int8.c", "cnn_int8.h")  # the C in it that is the same for every model


def render(template, name, **values):
    """Return the text of `template`, a path in ``helpers/c/``, for the run `name`.

    A template knows `name`, `scope` and `macro` (with which the run's C names begin,
    such as ``mnist_cnn_int8`` and ``MNIST_CNN_INT8``), `values`, and the filter
    ``numbers``.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["numbers"] = numbers
    scope = c_name(name)
    found = environment.get_template(template)
    return found.render(name=name, scope=scope, macro=scope.upper(), **values)


def c_name(name):
    """Return with what the C names of a run begin, such as ``mnist_cnn_int8``."""
    return f"{identifier(name)}_int8"


def identifier(name):
    """Return the name of a run or a file in letters, digits and single underscores."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def numbers(values):
    """Return whole numbers as indented lines for the braces of a C array."""
    text = ", ".join(str(int(value)) for value in np.ravel(values))
    return textwrap.indent(textwrap.fill(text, 82, break_on_hyphens=False), "    ")
