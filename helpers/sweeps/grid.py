"""Which runs a sweep is made of: a cross product, the lines of a table, or both."""

import csv
import difflib
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

from helpers.batch.guard import UsageError
from helpers.errors import TutorialError
from helpers.paths import shorten
from helpers.recipes import RECIPES, recipe_values

MOST_RUNS = 100_000
RECIPE = "recipe"  # swept like a parameter; sets those that nothing else sets


@dataclass(frozen=True)
class Planned:
    """One run as the grid asks for it.

    Attributes
    ----------
    values : dict
        Value by name of every parameter of the notebooks, checked.
    asked : dict
        What the grid itself said about this run, in its order.
    label : str
        What tells this run from the others, as people read it.
    """

    values: dict
    asked: dict
    label: str


def planned_runs(settings, table, declared):
    """Return the runs of a grid.

    Parameters
    ----------
    settings : list of str
        Such as ``epochs=1,5``; every combination of their values is a run.
    table : str or None
        Path of a CSV file whose first line has names of parameters, and whose other
        lines each are a run, or a set of runs if `settings` vary something else. An
        empty field stands for the default.
    declared : dict of str to helpers.parameters.Parameter

    Returns
    -------
    list of Planned

    Raises
    ------
    UsageError
        If a name is unknown, a value is not accepted, a run would be made twice, or
        there is no run at all.
    """
    axes = _axes(settings, declared)
    lines = _lines(table, declared) if table else [("", {})]
    for _, line in lines:
        both = sorted(set(line) & set(axes))
        if both:
            raise UsageError(
                f"{both[0]} is set by {table} and by --set; let only one set it."
            )
    count = len(lines) * math.prod(map(len, axes.values()))
    if count > MOST_RUNS:
        raise UsageError(
            f"The grid has {count:,} runs, but {MOST_RUNS:,} are the most that one "
            "sweep takes; vary less, or split it."
        )
    found, runs, several = {}, [], _vary(axes, lines)
    for where, line in lines:
        for combination in itertools.product(*axes.values()):
            asked = line | dict(zip(axes, combination, strict=True))
            values = _all_values(asked, declared)
            told = {n: v for n, v in asked.items() if n in several} or asked
            label = ", ".join(f"{n}={v}" for n, v in told.items())
            run = Planned(values, asked, label)
            key = tuple(sorted((n, repr(v)) for n, v in values.items()))
            if key in found:
                raise UsageError(_twice(run, where, *found[key]))
            found[key] = run, where
            runs.append(run)
    return runs


def _axes(settings, declared):
    axes = {}
    for setting in settings:
        name, equals, texts = setting.partition("=")
        name = _known(name.strip(), declared, "--set")
        if not equals or not texts.strip():
            raise UsageError(
                f"--set {shorten(setting)} gives no value; write --set {name}=value or "
                f"--set {name}=first,second."
            )
        if name in axes:
            raise UsageError(
                f"--set {name} was given twice; put all its values into one, separated "
                "by commas."
            )
        axes[name] = values = []
        for text in texts.split(","):
            value = _value(name, text.strip(), declared, "")
            if value in values:
                raise UsageError(f"--set {name} has the value {value!r} twice.")
            values.append(value)
    return axes


def _vary(axes, lines):
    """Return the names that tell the runs of a grid apart."""
    names = {name for name, values in axes.items() if len(values) > 1}
    for name in {name for _, line in lines for name in line}:
        if len({repr(line.get(name)) for _, line in lines}) > 1:
            names.add(name)
    return names


def _lines(table, declared):
    path = Path(table)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"Cannot read {path}, named by --from: {error.strerror}; it should be a "
            "CSV file with one run a line under a line of parameter names."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{path}, named by --from, is not a text in UTF-8; save it as CSV (UTF-8)."
        ) from None
    reader = csv.reader(text.splitlines())
    try:
        records = [(reader.line_num, record) for record in reader if any(record)]
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: {error}.") from None
    if len(records) < 2:
        raise UsageError(
            f"{path}, named by --from, has no runs: expected is a line of parameter "
            "names, and a line for each run."
        )
    if any(";" in name or "\t" in name for name in records[0][1]):
        raise UsageError(
            f"{path}, named by --from, separates its columns by semicolons or tabs; "
            "separate them by commas."
        )
    header = [_known(name.strip(), declared, str(path)) for name in records[0][1]]
    for name in header:
        if header.count(name) > 1:
            raise UsageError(f"{path} has two columns {name}; remove one.")
    found = []
    for number, record in records[1:]:
        where = f"{path}, line {number}"
        if len(record) != len(header):
            raise UsageError(
                f"{where}: {len(record)} fields under {len(header)} names; put "
                "quotation marks around a value with a comma."
            )
        pairs = zip(header, record, strict=True)
        found.append(
            (
                where,
                {
                    name: _value(name, text.strip(), declared, f"{where}: ")
                    for name, text in pairs
                    if text.strip()
                },
            )
        )
    return found


def _known(name, declared, source):
    names = [*declared, RECIPE]
    name = name.removeprefix("--").replace("-", "_")
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}."
    raise UsageError(f"{source}: there is no parameter {shorten(name)}; {hint}")


def _value(name, text, declared, where):
    if name == RECIPE:
        if text not in RECIPES:
            raise UsageError(
                f"{where}recipe got {shorten(text)}, but it accepts "
                f"{' or '.join(RECIPES)}."
            )
        return text
    try:
        return declared[name].parse(text)
    except TutorialError as error:
        raise UsageError(f"{where}{error}") from None


def _all_values(asked, declared):
    values = {name: parameter.default for name, parameter in declared.items()}
    values |= recipe_values(asked.get(RECIPE, "default"), declared)
    return values | {name: v for name, v in asked.items() if name != RECIPE}


def _twice(run, where, other, other_where):
    places = f" ({other_where} and line {where.rpartition(' ')[2]})" if where else ""
    same = other.label if run.label == other.label else f"{other.label}; {run.label}"
    return (
        f"Two runs of the grid have the same values of all parameters{places}: {same}; "
        "leave one of them out."
    )
