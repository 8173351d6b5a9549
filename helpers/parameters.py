"""The parameters of the notebooks, read from them and declared nowhere else.

Each notebook has one cell tagged ``parameters``, one parameter a line::

    epochs: int = 5  # passes over the training images [1 to 1000]

The words of the comment are the help text; the brackets say what is accepted:

- ``[1 to 1000]`` for a number: from the first to the second;
- ``[cosine or constant]`` for a text: one of these words;
- ``[auto, mnist or any path]`` for a text: with the word *any* it is free, and the
  brackets are for people.

Without brackets any value of the type is accepted. Brackets that cannot be read are an
error, because they would check nothing. Blank lines and other comments may stand in the
cell; every other line must declare a parameter.
"""

import ast
import dataclasses
import io
import json
import math
import re
import tokenize
from pathlib import Path

from helpers.files import TutorialError

_TYPES = {"int": int, "float": float, "str": str, "bool": bool}
_KINDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "True or False",
}
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
_COMMENT = re.compile(r"# ?(?P<help>[^\[\] ][^\[\]]*?) ?(\[(?P<accepts>[^\[\]]+)\])?")
_WORD = re.compile(r"[\w.+-]+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_DEVICE = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # of Windows


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell, or an option of the batch command.

    `accepts` is what stands in the brackets, or ''. `notebooks` are the numbers of the
    notebooks that declare it; only `all_parameters` knows them.
    """

    name: str
    type: type
    default: object
    help: str
    accepts: str = ""
    notebooks: tuple = ()

    def check(self, value):
        """Return `value` in this parameter's type, or raise TutorialError.

        A whole number is accepted for a float; nothing else is converted.
        """
        if self.type is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if type(value) is not self.type or not self._is_accepted(value):
            kind = _KINDS[self.type]
            accepts = f"{kind}, {self.accepts}" if self.accepts else kind
            raise TutorialError(
                f"Parameter {self.name} got {value!r:.80}, but it accepts {accepts}; "
                f"its default is {self.default!r}."
            )
        if self.name == "save_model_name":
            check_name(value)
        return value

    def parse(self, text):
        """Return the value that `text`, typed on a command line, stands for.

        TutorialError if it stands for none that is accepted.
        """
        value = text
        try:
            if self.type is bool:
                value = _BOOLEANS[text.lower()]
            elif self.type is not str:
                value = self.type(text)
        except (ValueError, KeyError):
            pass  # check() says it with the text that was typed
        return self.check(value)

    def description(self):
        """Return what --help says: meaning, accepted values, default."""
        accepts = f"{self.accepts}; " if self.accepts else ""
        return f"{self.help} [{accepts}default {self.default}]"

    def _is_accepted(self, value):
        """Tell if a value of this type is accepted.

        TutorialError if the brackets cannot be read.
        """
        if self.type is bool:
            if self.accepts:
                raise self._bad_brackets("no brackets")
            return True
        if self.type is str:
            return self._is_accepted_text(value)
        if not self.accepts:
            return -math.inf < value < math.inf
        try:
            low, high = [float(number) for number in self.accepts.split(" to ")]
        except ValueError:
            raise self._bad_brackets("[low to high]") from None
        if not -math.inf < low <= high < math.inf:
            raise self._bad_brackets("[low to high]")
        return low <= value <= high

    def _is_accepted_text(self, value):
        if not self.accepts or re.search(r"\bany\b", self.accepts):
            return value.isprintable()
        words = re.split(r", | or ", self.accepts)
        if len(words) == 1 or not all(_WORD.fullmatch(word) for word in words):
            expected = "[word, word or word], or a text with the word any"
            raise self._bad_brackets(expected)
        return value in words

    def _bad_brackets(self, expected):
        return TutorialError(
            f"Parameter {self.name} of type {self.type.__name__} accepts "
            f"[{self.accepts}], which cannot be read; expected is {expected}."
        )


# Values by name of their parameter. What Himax's tutorial did is "original"; notebooks
# 2, 4 and 5 say what the defaults do instead.
RECIPES = {
    "default": {},
    "original": {
        "pixel_scale": 1.0,
        "learning_rate": 0.001,
        "lr_schedule": "constant",
        "augment": False,
        "validation_share": 0.0,
        "calibration_images": 10_000,
    },
}
# An option of both commands; no notebook declares it.
RECIPE = Parameter(
    "recipe",
    str,
    "default",
    "settings to start from, ours or those of Himax's tutorial",
    "default or original",
)


def with_recipe(typed):
    """Return by name the values that were typed, and others that their recipe sets."""
    return RECIPES[typed.get("recipe", RECIPE.default)] | typed


def all_parameters(notebooks):
    """Return by name each `Parameter` that the notebooks at these paths declare.

    The paths are those of `runs.notebooks`, in order; each parameter gets the numbers
    of the notebooks that declare it.
    """
    found = {}
    for number, path in enumerate(notebooks, start=1):
        for name, parameter in declared(path).items():
            before = found[name].notebooks if name in found else ()
            found[name] = dataclasses.replace(parameter, notebooks=(*before, number))
    return found


def declared(notebook):
    """Return by name each `Parameter` that the notebook at this path declares.

    TutorialError if the file is no notebook, if it has not exactly one cell tagged
    ``parameters``, or if a line of that cell is not of the form that this module
    describes.
    """
    source = _parameters_cell(Path(notebook))
    try:
        statements = ast.parse(source).body
        comments = _comments(source)
    except (SyntaxError, tokenize.TokenError) as error:
        raise _unreadable(notebook, source, getattr(error, "lineno", None)) from None
    found = {}
    for statement in statements:
        comment = comments.pop(statement.end_lineno, "")  # it describes one
        parameter = _parameter(statement, comment)
        if parameter is None or parameter.name in found:
            raise _unreadable(notebook, source, statement.lineno)
        parameter.check(parameter.default)
        found[parameter.name] = parameter
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


def _parameters_cell(notebook):
    """Return the source of a notebook's cell that is tagged ``parameters``."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        found = [
            "".join(cell["source"])
            for cell in cells
            if "parameters" in cell["metadata"].get("tags", [])
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TutorialError(
            f"{notebook.name} is no notebook ({error!s:.80}), perhaps after a merge "
            "conflict; bring back the last commit's by "
            f'`git -C "{notebook.parent}" checkout HEAD -- {notebook.name}`.'
        ) from None
    if len(found) != 1:
        raise TutorialError(
            f"{notebook.name} has {len(found)} cells tagged `parameters`, but expected "
            "is one; set the tag in JupyterLab's property inspector."
        )
    return found[0]


def _comments(source):
    """Return the comments of a cell by the number of their line, blanks made single."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: " ".join(token.string.split())
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _parameter(statement, comment):
    """Return the `Parameter` that a statement declares, or None if it declares none."""
    described = _COMMENT.fullmatch(comment)
    if not isinstance(statement, ast.AnnAssign) or described is None:
        return None
    kind = _TYPES.get(ast.unparse(statement.annotation))
    if kind is None or not isinstance(statement.target, ast.Name):
        return None
    try:
        default = ast.literal_eval(statement.value)
    except (ValueError, TypeError):  # an expression, or no value
        return None
    accepts = described["accepts"] or ""
    return Parameter(statement.target.id, kind, default, described["help"], accepts)


def _unreadable(notebook, source, line_number):
    """Return the error for a line, counted from 1, that is not of the form."""
    lines = source.splitlines()
    number = min(line_number or len(lines), len(lines))
    return TutorialError(
        f"{Path(notebook).name} has {lines[number - 1][:80]!r} as line {number} of its "
        "parameters cell, but expected is `name: type = value  # help [accepts]`, each "
        "name once."
    )
