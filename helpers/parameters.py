"""The parameters of the notebooks, read from them and declared nowhere else.

Each notebook has one cell tagged ``parameters``, one parameter a line::

    epochs: int = 5  # passes over the training images [1 to 1000]

The words are the help text, the brackets say what is accepted: ``[low to high]`` for
numbers, ``[one, two or three]`` for words. Anything else in brackets is only read.
"""

import ast
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from helpers.files import TutorialError

_TYPES = {"int": int, "float": float, "str": str, "bool": bool}
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
_LINE = re.compile(
    r"(\w+): (int|float|str|bool) = (.+?)  # ([^\[]+?)(?: \[([^\]]*)\])?"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_DEVICE = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # of Windows


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell."""

    name: str
    type: type
    default: object
    help: str
    accepts: str = ""

    def check(self, value):
        """Return `value` in this parameter's type, or raise TutorialError.

        A whole number is accepted for a float; nothing else is converted.
        """
        if self.type is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if type(value) is not self.type or not self._accepted(value):
            kind = {int: "a whole number", float: "a number", str: "a text"}
            kind = kind.get(self.type, "True or False")
            accepts = f"{kind}, {self.accepts}" if self.accepts else kind
            raise TutorialError(
                f"Parameter {self.name} got {value!r:.80}, but it accepts {accepts}; "
                f"its default is {self.default!r}."
            )
        if self.name == "save_model_name":
            check_name(value)
        return value

    def parse(self, text):
        """Return the value that `text`, typed on a command line, stands for."""
        value = text
        try:
            if self.type is bool:
                value = _BOOLEANS[text.lower()]
            elif self.type is not str:
                value = self.type(text)
        except (ValueError, KeyError):
            pass  # check() says it with the text that was typed
        return self.check(value)

    def _accepted(self, value):
        if self.type is str:
            words = re.split(r", | or ", self.accepts)
            is_choice = len(words) > 1 and all(re.fullmatch(r"\w+", w) for w in words)
            return value in words if is_choice else value.isprintable()
        bounds = re.fullmatch(r"(\S+) to (\S+)", self.accepts)
        if not bounds or self.type is bool:
            return -math.inf < value < math.inf
        return float(bounds[1]) <= value <= float(bounds[2])


def declared(notebook):
    """Return by name each `Parameter` that the notebook at this path declares.

    TutorialError if a line of its cell is not of the form that this module describes.
    """
    found = {}
    for cell in json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]:
        if "parameters" not in cell["metadata"].get("tags", []):
            continue
        for line in "".join(cell["source"]).splitlines():
            try:
                name, kind, value, words, accepts = _LINE.fullmatch(line).groups()
                default = ast.literal_eval(value)
            except (AttributeError, ValueError, SyntaxError):  # no match, no literal
                raise TutorialError(
                    f"{Path(notebook).name} declares a parameter as {line[:80]!r}, but "
                    "expected is `name: type = value  # help [accepted values]`."
                ) from None
            found[name] = Parameter(name, _TYPES[kind], default, words, accepts or "")
            found[name].check(default)
    return found


def check_name(name):
    """Return `name` if it can name a run, its folder, its files and a C array."""
    if not _NAME.fullmatch(name) or _DEVICE.fullmatch(name):
        raise TutorialError(
            f"save_model_name is {name[:80]!r}, but it names a folder and a C array: "
            "expected is a letter, then up to 63 letters, digits, _ or -, and no name "
            "of a device of Windows such as con; for example mnist_cnn."
        )
    return name
