"""The mutants themselves: one is killed, one lives, and those drawn stay the same."""

import re

import mutants
import mutants_table
import pytest
from mutants import Mutant, Number

CODE = '''"""Areas."""

SIDES = 4  # not 5


def area(width, height):
    """Return width * height, as in 2 * 3."""
    return width * height / 1000


def half(number):
    return number / 1000
'''
TESTS = """from areas import area

def test_area_is_width_times_height():
    assert area(2000, 3) == 6

def test_area_of_nothing():
    assert area(0, 5) == 0
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with a module and its tests, which need no plugins of pytest."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "areas.py").write_text(CODE)
    (tmp_path / "test_areas.py").write_text(TESTS)
    return tmp_path


def _mutant(old, new, test="test_areas.py"):
    return Mutant("a name", "areas.py", old, new, (test,))


def test_mutant_that_a_test_notices_is_killed_by_it(folder):
    result = mutants.try_out(_mutant("width * height /", "width + height /"), folder)
    assert result.killer == "test_areas.py::test_area_is_width_times_height"


def test_mutant_that_no_test_notices_lives(folder):
    result = mutants.try_out(_mutant("number / 1000", "number / 9"), folder)
    assert (result.killer, result.problem) == ("", "")
    assert mutants.verdict(result) == "**LIVES**"


@pytest.mark.parametrize(
    "mutant",
    [
        _mutant("/ 1000", "/ 9"),
        _mutant("* 7", "* 9"),
        _mutant("= 4", "= 3", "test_b.py"),
    ],
)
def test_mutant_without_its_text_or_its_test_is_stale(folder, mutant):
    assert mutants.try_out(mutant, folder).problem.startswith("stale")


def test_file_is_as_before_after_a_mutant(folder):
    mutants.try_out(_mutant("SIDES = 4", "SIDES = 3"), folder)
    assert (folder / "areas.py").read_text() == CODE


def test_test_that_fails_without_a_mutant_kills_nothing(folder):
    (folder / "areas.py").write_text(CODE.replace("width *", "width +"))
    [result] = mutants.run([_mutant("SIDES = 4", "SIDES = 3")], folder)
    assert result.killer == ""
    assert result.problem.endswith("width_times_height fails on the code as it is")


def test_changes_are_those_of_numbers_and_operators_alone():
    found = mutants.changes(CODE, Number("areas.py", "area", ()))
    assert [mutant.name for mutant in found] == [
        "areas.area: return width / height / 1000",
        "areas.area: return width * height * 1000",
        "areas.area: return width * height / 1500",
    ]


def test_changes_of_a_constant_leave_its_comment_alone():
    [mutant] = mutants.changes(CODE, Number("areas.py", "SIDES", ()))
    assert mutant.new == "SIDES = 5  # not 5\n"


def test_drawn_mutants_are_the_same_whatever_else_is_changed(folder):
    numbers = [Number("areas.py", "area", ())]
    [first] = mutants.drawn(numbers, folder, {})
    (folder / "areas.py").write_text(CODE.replace("SIDES = 4", "SIDES = 3\n\n"))
    [again] = mutants.drawn(numbers, folder, {})
    assert again.name == first.name


def test_table_tells_what_was_changed_and_who_noticed():
    mutant = _mutant("a\nb = 1", "a\nb = 2")
    text = mutants.table([mutants.Result(mutant, "tests/test_b.py::test_c[1|2]")])
    row = "| a name | areas.py: `b = 1` → `b = 2` | `test_b.py::test_c[1\\|2]` |"
    assert row in text
    assert "1 of 1 mutants were killed." in text


def test_table_names_what_stands_in_the_code():
    stale = []
    for mutant in mutants_table.MUTANTS:
        source = (mutants.REPOSITORY / mutant.file).read_text(encoding="utf-8")
        if source.count(mutant.old) != 1:
            stale.append(mutant.name)
    for number in mutants_table.NUMBERS:
        source = (mutants.REPOSITORY / number.file).read_text(encoding="utf-8")
        if not re.search(rf"^(def |class )?{number.place}\b", source, re.M):
            stale.append(number.place)
    assert stale == []


def test_table_names_tests_that_there_are():
    stale = []
    for row in mutants_table.MUTANTS + mutants_table.NUMBERS:
        for test in row.tests:
            path, _, name = test.partition("::")
            source = (mutants.REPOSITORY / path).read_text(encoding="utf-8")
            function, _, _ = name.partition("[")
            if f"def {function}" not in source:
                stale.append(test)
    assert stale == []
