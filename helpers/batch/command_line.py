"""The options of the command line, made from the notebooks' parameters."""

import argparse
import difflib

from helpers.batch.guard import Parser, UsageError, whole_number
from helpers.errors import TutorialError
from helpers.parameters import notebook_parameters, notebook_paths
from helpers.paths import shorten
from helpers.recipes import RECIPES, recipe_values

_EXIT = """exit status:
  0    every notebook succeeded
  1    a notebook failed, or the run could not be done (the sentence says why)
  2    an option is wrong; nothing was touched
  130  stopped by Ctrl-C (128 and the signal's number for other signals)"""
_TYPES = {int: "INTEGER", float: "NUMBER", str: "TEXT", bool: "TRUE|FALSE"}


def declared_parameters():
    """Return the parameters of all notebooks.

    Returns
    -------
    dict of str to tuple
        The `Parameter` and the list of the numbers of the notebooks that declare it.

    Raises
    ------
    TutorialError
        If two notebooks declare the same parameter differently.
    """
    declared = {}
    for notebook in notebook_paths():
        number = notebook.name[:2]
        for name, parameter in notebook_parameters(notebook).items():
            first, numbers = declared.setdefault(name, (parameter, []))
            if (first.type, first.default) != (parameter.type, parameter.default):
                raise TutorialError(
                    f"Notebooks {numbers[0]} and {number} declare the parameter {name} "
                    f"with the defaults {first.default!r} and {parameter.default!r}; "
                    "give it the same type and default in both."
                )
            numbers.append(number)
    if not declared:
        raise TutorialError(
            "There are no notebooks with parameters; notebooks/ of the repository "
            "holds them, or the folder that NOTEBOOKS_DIR names."
        )
    return declared


def parse(arguments):
    """Return what a command line asks for.

    Parameters
    ----------
    arguments : list of str

    Returns
    -------
    values : dict
        Value by name of every parameter of the notebooks, checked.
    options : argparse.Namespace
        ``resume``, ``timeout`` and ``open``.

    Raises
    ------
    UsageError
        If an option is unknown, has a wrong value, or has none.
    """
    declared = declared_parameters()
    parser = _parser(declared)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise UsageError(_unknown(unknown[0], parser))
    values = {name: parameter.default for name, (parameter, _) in declared.items()}
    values |= recipe_values(options.recipe, declared)
    for name, (parameter, _) in declared.items():
        text = getattr(options, name)
        try:
            if text is not None:
                values[name] = parameter.parse(text)
        except TutorialError as error:
            raise UsageError(str(error)) from None
    return values, options


def _parser(declared):
    parser = Parser(
        prog="python -m helpers.train_and_quantize",
        usage="%(prog)s [options]",
        description="Run the notebooks of the tutorial: from MNIST to a tested int8 "
        "model and C array. Their parameters are options:",
        epilog=_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    group = parser.add_argument_group("parameters of the notebooks")
    for name, (parameter, numbers) in declared.items():
        # Both spellings work; the help shows one.
        spellings = {f"--{name}": argparse.SUPPRESS}
        spellings[f"--{name.replace('_', '-')}"] = _help(parameter, numbers)
        for option, text in spellings.items():
            metavar = _TYPES[parameter.type]
            group.add_argument(option, dest=name, metavar=metavar, help=text)
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--recipe",
        choices=list(RECIPES),
        default="default",
        help="original: what the original tutorial did, where no option says "
        "otherwise ("
        + ", ".join(f"{n}={v}" for n, v in recipe_values("original", declared).items())
        + ")",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="keep the notebooks that ran as they would now (same text, parameters, "
        "dataset file, helpers, versions of libraries) and whose artifacts are intact; "
        "start at the first that did not",
    )
    group.add_argument(
        "--timeout",
        type=whole_number(1, 10**6, "seconds"),
        metavar="SECONDS",
        help="stop when one cell takes longer [1 to 1000000; default: no limit]",
    )
    group.add_argument(
        "--open", action="store_true", help="open the page of the run in a browser"
    )
    group.add_argument("-h", "--help", action="help", help="show this text")
    return parser


def _help(parameter, numbers):
    accepts = f"{parameter.accepts}; " if parameter.accepts else ""
    if len(numbers) == 1:
        where = f"notebook {numbers[0]}"
    else:
        where = f"notebooks {', '.join(numbers)}"
    text = f"{parameter.help} [{accepts}default {parameter.default}; {where}]"
    return text.replace("%", "%%")


def _unknown(argument, parser):
    if not argument.startswith("-"):
        return (
            f"{shorten(argument)} belongs to no option; write --name=value, and put "
            "quotation marks around a value with spaces."
        )
    known = [name for action in parser._actions for name in action.option_strings]
    name = argument.partition("=")[0]
    close = difflib.get_close_matches(name.replace("_", "-"), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else "--help lists all options."
    return f"There is no option {shorten(name)}; {hint}"
