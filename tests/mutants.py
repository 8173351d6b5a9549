"""Break the code on purpose, one place at a time, and see which test notices.

    python tests/mutants.py                    all mutants, about half an hour
    python tests/mutants.py --only camera      those whose name has this text in it
    python tests/mutants.py --list             what would be changed, without running

A mutant is the code with one small mistake. It is killed if a test fails, and it lives
if all pass: then what it broke can break unnoticed. ``mutants.txt`` has mutants, and
functions and constants that compute published numbers: in these, numbers and operators
are changed, always the same ones for the same code.

The repository is copied into a temporary folder, and only the copy is changed. First
the tests run there on the code as it is, then for each mutant those that should notice
it. The table of all mutants goes to the standard output, all else to the standard
error. Exit status: 0 if each mutant is killed or lives for a reason that
``mutants.txt`` gives, else 1.
"""

import argparse
import ast
import copy
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

REPOSITORY = Path(__file__).resolve().parents[1]
TABLE = REPOSITORY / "tests" / "mutants.txt"
TIMEOUT = 900  # seconds for the tests of a mutant; it may never end
NOT_COPIED = (".*", "__pycache__", "artifacts", "sweep", "*.egg-info")
OTHER_OPERATOR = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
# Numbers of arguments with these names are left alone: an axis, the look of a figure.
LEFT_ALONE = ("axis", "fontsize", "linewidth", "markersize", "padding")
AROUND = 30  # letters before and after what a mutant changes, in its name
LARGE = 200  # from here on, one more would be lost in the tolerance of a measurement


@dataclass(frozen=True)
class Mutant:
    """One mistake in one file, and the tests that should notice it."""

    name: str  # the file and what is changed in it
    file: str  # path in the repository
    old: str  # has to occur exactly once in the file
    new: str
    tests: str  # what pytest is given
    reason: str = ""  # why it may live


@dataclass(frozen=True)
class Result:
    """What became of a mutant."""

    mutant: Mutant
    killer: str  # the first test that failed, or '' if the mutant lives
    problem: str = ""  # why it could not be tried

    def verdict(self):
        """Return in words what became of it."""
        if self.problem:
            return f"**{self.problem}**"
        if self.killer:
            return f"`{self.killer.removeprefix('tests/')}`"
        if self.mutant.reason:
            return f"LIVES: {self.mutant.reason}"
        return "**LIVES**"

    def is_good(self):
        """Return whether it was killed, or lives for a reason."""
        return not self.problem and (self.killer or self.mutant.reason) != ""


# ------------------------------------------------------------------------ make


def read(text, folder=REPOSITORY):
    """Return the mutants of a text such as ``mutants.txt``, for the files in `folder`.

    Its blocks of lines have blank lines between them.
    """
    mutants = []
    for block in re.split(r"\n\n+", text):
        heading, _, lines = block.partition("\n")
        file, _, tests = heading.partition(" ")
        for marked in re.findall(r"((?:^- .*\n)+)((?:^\+ .*\n?)+)", lines, re.M):
            old, new = [_unmarked(part) for part in marked]
            name = f"{file}: {difference(old, new)}"
            mutants.append(Mutant(name, file, old, new, tests))
        reasons = dict(re.findall(r"^! (.+) may live: (.+)$", lines, re.M))
        for count, places in re.findall(r"^\? (\d+) (.+)$", lines, re.M):
            source = (folder / file).read_text(encoding="utf-8")
            for place in places.split():
                found = drawn(source, file, place, tests, reasons)
                mutants.extend(found[: int(count)])
    return mutants


def _unmarked(lines):
    return re.sub("^[-+] ", "", lines, flags=re.M).rstrip("\n")


def drawn(source, file, place, tests, reasons):
    """Return the mutants of a place in a source, in an order as if by chance.

    A place is the name of a function, a class or a constant at the top of the source.
    `reasons` say of a mutant why it may live.
    """
    definitions = {_name(node): node for node in ast.parse(source).body}
    definition = definitions[place]
    definition.decorator_list = []  # they stand before its text
    old = ast.get_source_segment(source, definition)
    before = ast.unparse(definition)
    mutants = []
    for new in changes(definition):
        change = f"{place}: {difference(before, new)}"
        reason = reasons.get(change, "")
        mutants.append(Mutant(f"{file}, {change}", file, old, new, tests, reason))
    # By their own text, so that a change elsewhere changes nothing in the order.
    mutants.sort(key=lambda mutant: hashlib.sha256(mutant.name.encode()).hexdigest())
    return mutants


def changes(definition):
    """Return the text of a definition after each change of a number or an operator."""
    texts = []
    for number in range(len(_nodes(definition))):
        changed = copy.deepcopy(definition)
        _change(_nodes(changed)[number])
        texts.append(ast.unparse(changed))
    return texts


def _nodes(definition):
    """Return the numbers and operators of a definition."""
    found = []
    left_alone = []
    for node in ast.walk(definition):
        if isinstance(node, ast.keyword) and node.arg in LEFT_ALONE:
            left_alone.append(node.value)
        elif _other(node) is not None and node not in left_alone:
            found.append(node)
    return found


def _name(node):
    """Return the name of a definition or of a constant, or ''."""
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0])
    return getattr(node, "name", "")


def _other(node):
    """Return what takes the place of a number's value or of an operator, or None."""
    if isinstance(node, ast.BinOp):
        return OTHER_OPERATOR.get(type(node.op))
    if isinstance(node, ast.Compare):
        return OTHER_OPERATOR.get(type(node.ops[0]))
    if isinstance(node, ast.Constant) and type(node.value) is float:
        return float(f"{1.5 * node.value:g}") or 1.0
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value * 3 // 2 if node.value >= LARGE else node.value + 1
    return None


def _change(node):
    """Change a number or an operator of a syntax tree."""
    if isinstance(node, ast.BinOp):
        node.op = _other(node)()
    elif isinstance(node, ast.Compare):
        node.ops[0] = _other(node)()
    else:
        node.value = _other(node)


def difference(old, new):
    """Return what differs in the first line that differs, before and after."""
    lines = itertools.zip_longest(old.splitlines(), new.splitlines(), fillvalue="")
    for before, after in lines:
        if before != after:
            place = 0
            while before[place : place + 1] == after[place : place + 1]:
                place += 1
            start = max(0, place - AROUND)
            end = start + 2 * AROUND
            return f"`{before[start:end].strip()}` → `{after[start:end].strip()}`"
    return "nothing"


# ------------------------------------------------------------------------- run


def copy_of_repository(folder):
    """Copy all that tests need into a new folder below `folder`; return its path."""
    ignored = shutil.ignore_patterns(*NOT_COPIED)
    return shutil.copytree(REPOSITORY, folder / "repository", ignore=ignored)


def failures(folder, arguments, timeout=None):
    """Run pytest in `folder`; return the names of the tests that failed.

    ValueError if there is no such test.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--tb=no", "-rfE", *arguments]
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
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return [f"no end within {timeout} seconds"]
    if done.returncode == 0:
        return []
    if done.returncode in (4, 5):  # pytest's numbers for wrong names
        raise ValueError("there is no such test")
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
        failed = failures(folder, ["-x", *mutant.tests.split()], TIMEOUT)
    except ValueError as error:
        return Result(mutant, "", f"stale: {error}")
    finally:
        path.write_text(source, encoding="utf-8")
    return Result(mutant, failed[0] if failed else "")


def run(mutants, folder):
    """Return the `Result` of each mutant, tried out in a copy of the repository.

    A test that fails on the code as it is can kill nothing.
    """
    tests = set()
    for mutant in mutants:
        tests.update(re.findall(r"\S+\.(?:py|ipynb)", mutant.tests))
    broken = failures(folder, sorted(tests))
    results = []
    for mutant in tqdm(mutants, unit="mutant"):
        result = try_out(mutant, folder)
        if result.killer in broken:
            problem = f"{result.killer} fails on the code as it is"
            result = Result(mutant, "", problem)
        results.append(result)
        tqdm.write(f"{mutant.name}: {result.verdict()}", file=sys.stderr)
    return results


def table(results):
    """Return the results as a table in Markdown."""
    lines = ["| what was changed | who killed it |", "|---|---|"]
    for result in results:
        changed = result.mutant.name.replace("|", "\\|")
        noticed = result.verdict().replace("|", "\\|")
        lines.append(f"| {changed} | {noticed} |")
    killed = sum(result.killer != "" for result in results)
    lines.append(f"\n{killed} of {len(results)} mutants were killed.")
    return "\n".join(lines)


def main():
    """Try out the mutants that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="mutants with this text in the name"
    )
    parser.add_argument("--list", action="store_true", help="show them and run nothing")
    options = parser.parse_args()
    mutants = []
    for mutant in read(TABLE.read_text(encoding="utf-8")):
        if options.only.lower() in mutant.name.lower():
            mutants.append(mutant)
    if options.list:
        for mutant in mutants:
            print(mutant.name)
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        results = run(mutants, copy_of_repository(Path(folder)))
    print(table(results))
    return 0 if all(result.is_good() for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
