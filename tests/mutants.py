"""Break the code on purpose, one place at a time, and see which test notices.

    python tests/mutants.py                    all mutants, about half an hour
    python tests/mutants.py --only camera      those whose name has this text in it
    python tests/mutants.py --list             what would be changed, without running

A mutant is the code with one small mistake. It is killed if a test fails, and it lives
if all pass: then what it broke can break unnoticed. Some mutants stand in
``mutants_table.py``, others are drawn from the functions that compute the numbers on
pages and in published files, always the same ones for the same code.

The repository is copied into a temporary folder, and only the copy is changed. First
the tests run there on the code as it is, then for each mutant those that should notice
it. The table of all mutants goes to the standard output, all else to the standard
error. Exit status: 0 if each mutant is killed or lives for a reason that the table
gives, else 1.
"""

import argparse
import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
SEED = 1  # other numbers draw other mutants
TIMEOUT = 900  # seconds for the tests of a mutant; it may never end
NOT_COPIED = (".*", "__pycache__", "artifacts", "sweep", "*.egg-info")
# What is drawn: a number, or an operator between two blanks, becomes another one.
OPERATORS = {
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "//": "*",
    "**": "*",
    "%": "*",
    "<<": ">>",
    ">>": "<<",
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
}
# A number that is a name's own (x2), an axis, or the look of a figure is left alone.
LEFT_ALONE = r"(?<![\w.])(?<!axis=)(?<!fontsize=)(?<!linewidth=)(?<!markersize=)"
NUMBER = LEFT_ALONE + r"\d[\d_]*(?:\.\d+)?(?![\w.])"
LARGE = 200  # from here on, one more would be lost in the tolerance of a measurement
OPERATOR = r"(?<= )[-+*/%<>=!]{1,2}(?= )"


@dataclass(frozen=True)
class Mutant:
    """One mistake in one file, and the tests that should notice it."""

    name: str
    file: str  # path in the repository
    old: str  # has to occur exactly once in the file
    new: str
    tests: tuple  # what pytest is given: files, or tests by their names
    reason: str = ""  # why it may live


@dataclass(frozen=True)
class Number:
    """A published number: the function or constant that computes it, and its tests."""

    file: str
    place: str  # name of a function, a class or a constant at the top of the file
    tests: tuple
    count: int = 1  # how many mutants are drawn


@dataclass(frozen=True)
class Result:
    """What became of a mutant."""

    mutant: Mutant
    killer: str  # the first test that failed, or '' if the mutant lives
    problem: str = ""  # why it could not be tried


# ------------------------------------------------------------------------ draw


def drawn(numbers, folder, reasons):
    """Return the mutants of each `Number`, by the same seed always the same ones.

    `folder` has the files. `reasons` say by a mutant's name why it may live.
    """
    mutants = []
    for number in numbers:
        path = folder / number.file
        source = path.read_text(encoding="utf-8") if path.exists() else ""
        found = changes(source, number)
        # Drawn by their own text, so that a change elsewhere draws no other ones.
        found.sort(key=lambda mutant: _digest(f"{SEED} {mutant.name}"))
        for mutant in found[: number.count]:
            mutants.append(_with_reason(mutant, reasons.get(mutant.name, "")))
    return mutants


def changes(source, number):
    """Return a mutant for each number and operator of a place in a Python file."""
    lines = source.splitlines(keepends=True)
    first, last = _lines_of(ast.parse(source), number)
    right = _skeleton(source)
    module = Path(number.file).stem
    found = {}
    for place in range(first - 1, last):
        line = lines[place]
        for match in re.finditer(f"{NUMBER}|{OPERATOR}", line):
            other = _other(match[0])
            changed = line[: match.start()] + other + line[match.end() :]
            new_lines = list(lines)
            new_lines[place] = changed
            if not other or _skeleton("".join(new_lines)) in ("", right):
                continue  # in a comment or a text, or no Python at all
            name = f"{module}.{number.place}: {changed.strip()}"
            old, new = _with_context(lines, place, changed)
            found[name] = Mutant(name, number.file, old, new, number.tests)
    return list(found.values())


def _lines_of(tree, number):
    """Return the first and the last line of a definition or a constant."""
    for node in tree.body:
        names = [getattr(node, "name", "")]
        if isinstance(node, ast.Assign):
            names = [ast.unparse(target) for target in node.targets]
        if number.place in names:
            return node.lineno, node.end_lineno
    raise SystemExit(
        f"{number.file} has no {number.place}; bring tests/mutants_table.py up to date."
    )


def _skeleton(source):
    """Return what a source computes, without its texts; '' if it is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def _other(text):
    """Return what takes the place of a number or an operator, or '' for none."""
    if not text[0].isdigit():
        return OPERATORS.get(text, "")
    if "." in text:
        return f"{1.5 * float(text):g}"
    number = int(text)
    return str(number * 3 // 2 if number >= LARGE else number + 1)


def _with_context(lines, place, changed):
    """Return a line and the changed one, after as many lines as make them unique."""
    source = "".join(lines)
    start = place
    while source.count("".join(lines[start : place + 1])) > 1:
        start -= 1
    before = "".join(lines[start:place])
    return before + lines[place], before + changed


def _with_reason(mutant, reason):
    return Mutant(
        mutant.name, mutant.file, mutant.old, mutant.new, mutant.tests, reason
    )


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


# ------------------------------------------------------------------------- run


def copy_of_repository(folder):
    """Copy all that tests need into a new folder below `folder`; return its path."""
    copy = folder / "repository"
    ignored = shutil.ignore_patterns(*NOT_COPIED)
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    return copy


def failures(folder, tests, stop=True):
    """Run tests in `folder`; return the names of those that failed.

    With `stop` that is the first one alone. ValueError if there is no such test.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--tb=no", "-rfE"]
    if stop:
        command.append("-x")
    command.extend(tests)
    # Sources change within a second, which compiled files would not notice.
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT if stop else None,
        )
    except subprocess.TimeoutExpired:
        return [f"no end within {TIMEOUT} seconds"]
    if done.returncode == 0:
        return []
    if done.returncode in (4, 5):  # pytest's numbers for wrong names
        said = done.stderr.strip().splitlines()
        raise ValueError(said[0] if said else "no test has this name")
    failed = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.M)
    return failed or [f"pytest ended with {done.returncode}"]


def try_out(mutant, folder):
    """Return the `Result` of a mutant; the file in `folder` is as before afterwards."""
    path = folder / mutant.file
    source = path.read_text(encoding="utf-8")
    times = source.count(mutant.old)
    if times != 1:
        return Result(mutant, "", f"stale: its text occurs {times} times")
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        failed = failures(folder, mutant.tests)
    except ValueError as error:
        return Result(mutant, "", f"stale: {error}")
    finally:
        path.write_text(source, encoding="utf-8")
    return Result(mutant, failed[0] if failed else "")


# ---------------------------------------------------------------------- report


def verdict(result):
    """Return in words what became of a mutant."""
    if result.killer:
        return f"`{result.killer.removeprefix('tests/')}`"
    if result.problem:
        return f"**{result.problem}**"
    if result.mutant.reason:
        return f"LIVES: {result.mutant.reason}"
    return "**LIVES**"


def table(results):
    """Return the results as a table in Markdown."""
    lines = ["| mutant | what was changed | who killed it |", "|---|---|---|"]
    for result in results:
        mutant = result.mutant
        cells = [mutant.name, f"{mutant.file}: {difference(mutant)}", verdict(result)]
        lines.append(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        )
    living = [result for result in results if not result.killer]
    lines.append("")
    lines.append(f"{len(results) - len(living)} of {len(results)} mutants were killed.")
    return "\n".join(lines)


def difference(mutant):
    """Return the first line that is changed, before and after."""
    old_lines = mutant.old.splitlines()
    new_lines = mutant.new.splitlines()
    for old, new in zip(old_lines, new_lines, strict=False):
        if old != new:
            return f"`{old.strip()}` → `{new.strip()}`"
    missing = old_lines[len(new_lines) :]
    return f"`{missing[0].strip() if missing else mutant.old}` is gone"


def tell(text):
    """Print a line of progress, apart from the table."""
    print(text, file=sys.stderr, flush=True)


def all_mutants():
    """Return the mutants of the table, then those that are drawn."""
    import mutants_table

    numbers = drawn(mutants_table.NUMBERS, REPOSITORY, mutants_table.REASONS)
    return mutants_table.MUTANTS + numbers


def run(mutants, folder, trusted=False):
    """Return the `Result` of each mutant, tried out in a copy of the repository.

    A test that fails on the code as it is can kill nothing: a mutant with such a test
    has a problem. If the code is `trusted`, that is not tried.
    """
    broken = [] if trusted else failures_without_mutants(mutants, folder)
    results = []
    for number, mutant in enumerate(mutants, start=1):
        started = time.monotonic()
        failed = [name for name in broken if name.startswith(mutant.tests)]
        if failed:
            result = Result(mutant, "", f"{failed[0]} fails on the code as it is")
        else:
            result = try_out(mutant, folder)
        results.append(result)
        seconds = time.monotonic() - started
        place = f"{number} of {len(mutants)}"
        tell(f"{place}, {seconds:.0f} s: {mutant.name}: {verdict(result)}")
    return results


def failures_without_mutants(mutants, folder):
    """Return the names of the tests of mutants that fail on the code as it is."""
    tests = []
    for mutant in mutants:
        for test in mutant.tests:
            if test not in tests:
                tests.append(test)
    tell(f"{len(tests)} files or tests run on the code as it is ...")
    return failures(folder, tests, stop=False)


def main(arguments=None):
    """Try out the mutants that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        help="mutants whose name has this text in it; may be given several times",
    )
    parser.add_argument("--list", action="store_true", help="show them and run nothing")
    parser.add_argument(
        "--trust",
        action="store_true",
        help="do not run the tests on the code as it is: they have passed",
    )
    options = parser.parse_args(arguments)
    mutants = []
    for mutant in all_mutants():
        wanted = options.only or [""]
        if any(text.lower() in mutant.name.lower() for text in wanted):
            mutants.append(mutant)
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name}\n    {mutant.file}: {difference(mutant)}")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = copy_of_repository(Path(folder))
        results = run(mutants, copy, options.trust)
    print(table(results))
    for result in results:
        if not result.killer and (result.problem or not result.mutant.reason):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
