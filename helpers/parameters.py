"""The parameters of the notebooks: read from them, never declared again.

Each notebook has one cell tagged ``parameters``, one parameter a line::

    epochs: int = 5  # passes over the training set [1 to 1000]

The words are the help text; the brackets say what is accepted: ``[low to high]`` for
numbers, ``[one or other]`` for words, anything else is for people only. The notebook,
the batch command and the sweep all check values by these lines.
"""

import ast
import functools
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import TutorialError
from helpers.paths import NOTEBOOKS, check_name, shorten, shown

LONGEST_TEXT = 4096  # characters of a text parameter, the longest path on Linux
_TYPES = {"int": int, "float": float, "str": str, "bool": bool}
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_STEM = re.compile(r"\d\d_\w+")
_LINE = re.compile(r"^(\w+): (int|float|str|bool) = (.+?)  # (.+)$")
_ACCEPTS = re.compile(r"^(?P<help>.*?)\s*\[(?P<accepts>[^\]]*)\]$")


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell.

    Attributes
    ----------
    name : str
    type : type
        ``int``, ``float``, ``str`` or ``bool``.
    default : int, float, str or bool
    help : str
        What it means, with its unit.
    accepts : str
        What stands in the brackets, such as ``1 to 1000``.
    """

    name: str
    type: type
    default: object
    help: str
    accepts: str = ""

    @property
    def bounds(self):
        """Lowest and highest accepted number, or None."""
        found = re.fullmatch(r"(\S+) to (\S+)", self.accepts)
        if found and self.type in (int, float):
            return tuple(self.type(part) for part in found.groups())
        return None

    @property
    def choices(self):
        """The accepted words, or None."""
        words = re.split(r", | or ", self.accepts)
        if self.type is str and len(words) > 1 and all(" " not in w for w in words):
            return words
        return None

    @property
    def expected(self):
        """What is accepted, in words."""
        kind = {
            int: "a whole number",
            float: "a number",
            str: "a text",
            bool: "True or False",
        }[self.type]
        if self.choices:
            return self.accepts
        return f"{kind}, {self.accepts}" if self.accepts else kind

    def check(self, value):
        """Return `value` in this parameter's type.

        Parameters
        ----------
        value : object
            A whole number is accepted for a float; nothing else is converted.

        Raises
        ------
        TutorialError
            Naming the parameter, what it got and what it accepts.
        """
        if self.type is float and type(value) is int and abs(value) <= 2**53:
            value = float(value)
        if type(value) is not self.type or not self._in_range(value):
            raise TutorialError(
                f"Parameter {self.name} got {shorten(value)}, but it accepts "
                f"{self.expected}; its default is {self.default!r}."
            )
        if self.name == "save_model_name":
            check_name(value)
        return value

    def parse(self, text):
        """Return the value that `text`, typed on a command line, stands for."""
        value = text
        try:
            if self.type is bool:
                value = _BOOLEANS[text.strip().lower()]
            elif self.type is not str and len(text) <= 400:
                value = self.type(text)
        except (ValueError, KeyError):
            pass  # check() says it with the text that was typed
        return self.check(value)

    def _in_range(self, value):
        if self.type is float and not math.isfinite(value):
            return False
        if self.type is str and not _is_storable(value):
            return False
        if self.choices and value not in self.choices:
            return False
        return not self.bounds or self.bounds[0] <= value <= self.bounds[1]


def _is_storable(text):
    """Whether a notebook file and the operating system can take this text."""
    surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    return len(text) <= LONGEST_TEXT and "\0" not in text and not surrogates


@functools.cache
def notebook_path(notebook):
    """Return the path of a notebook given by its path, its stem or its number.

    Parameters
    ----------
    notebook : Path or str
        Such as ``04_train_model`` or ``04``.
    """
    if Path(notebook).suffix == ".ipynb":
        return Path(notebook)
    for path in notebook_paths():
        if path.stem.startswith(notebook):
            return path
    raise TutorialError(
        f"There is no notebook {notebook} in {shown(NOTEBOOKS)}, which says what its "
        "parameters accept; if you renamed it, make a copy of that name."
    )


def notebook_paths():
    """Return the paths of the notebooks of the series, in order.

    What a learner has duplicated is none of them: programs name a copy with a hyphen, a
    space or a bracket, as in ``04_train_model-Copy1``.
    """
    paths = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    return [path for path in paths if _STEM.fullmatch(path.stem)]


def notebook_parameters(notebook):
    """Return the parameters that a notebook declares.

    Parameters
    ----------
    notebook : Path or str
        See `notebook_path`.

    Returns
    -------
    dict of str to Parameter
        In the order of the cell.

    Raises
    ------
    TutorialError
        If a line of its parameters cell does not read
        ``name: type = literal  # help [accepted values]``.
    """
    path = notebook_path(notebook)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    parameters = {}
    for line in "".join(tagged[0]["source"]).splitlines() if tagged else []:
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, kind, literal, comment = _LINE.fullmatch(line).groups()
            default = ast.literal_eval(literal)
        except (AttributeError, ValueError, SyntaxError):
            raise TutorialError(
                f"{path.name} declares a parameter as {shorten(line, 100)}, but a line "
                "of that cell reads `name: type = literal  # help [accepted values]`."
            ) from None
        found = _ACCEPTS.match(comment)
        words, accepts = found.groups() if found else (comment, "")
        parameters[name] = Parameter(name, _TYPES[kind], default, words, accepts)
    return parameters


def check_parameters(notebook, values):
    """Check the values that a notebook's parameters have now.

    Parameters
    ----------
    notebook : Path or str
        See `notebook_path`.
    values : dict
        Values by name, such as the notebook's own variables; other names are ignored.

    Returns
    -------
    dict
        Name and value of each parameter that the notebook declares.

    Raises
    ------
    TutorialError
        For the first that has no value, or one that its line does not accept.
    """
    declared = notebook_parameters(notebook)
    for name in declared:
        if name not in values:
            raise TutorialError(
                f"Parameter {name} has no value yet; run the cell that says "
                f"`{name}: {declared[name].type.__name__} = …` first."
            )
    return {name: declared[name].check(values[name]) for name in declared}
