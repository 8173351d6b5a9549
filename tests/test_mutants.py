"""The mutants themselves: one is killed, one lives, and those drawn stay the same."""

from dataclasses import replace

import mutants
import pytest
from mutants import Mutant, Result

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
    return Mutant("a name", "areas.py", old, new, test)


def test_mutant_that_a_test_notices_is_killed_by_it(folder):
    result = mutants.try_out(_mutant("width * height /", "width + height /"), folder)
    assert result.killer == "test_areas.py::test_area_is_width_times_height"


def test_mutant_that_no_test_notices_lives(folder):
    result = mutants.try_out(_mutant("number / 1000", "number / 9"), folder)
    assert result == Result(result.mutant, killer="")
    assert result.verdict() == "**LIVES**"
    assert not result.is_good()


def test_mutant_that_lives_for_a_reason_is_good():
    result = Result(replace(_mutant("a", "b"), reason="it is no mistake"), killer="")
    assert result.verdict() == "LIVES: it is no mistake"
    assert result.is_good()


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


TABLE = """# A comment.

areas.py test_areas.py -k area
- SIDES = 4
+ SIDES = 3
-     return number / 1000
+     number += 1
+     return number / 1000
? 2 area half
! half: `return number / 1000` → `return number / 1500` may live: nobody reads it
"""


def test_table_is_read_as_what_is_changed_and_in_which_places(folder):
    read = mutants.read(TABLE, folder)
    assert [mutant.old for mutant in read[:2]] == [
        "SIDES = 4",
        "    return number / 1000",
    ]
    assert read[1].new == "    number += 1\n    return number / 1000"
    in_places = [mutant.name for mutant in read[2:]]
    assert len(in_places) == 4
    assert all(name.startswith("areas.py, area: ") for name in in_places[:2])
    assert all(name.startswith("areas.py, half: ") for name in in_places[2:])
    assert {mutant.tests for mutant in read} == {"test_areas.py -k area"}
    assert {mutant.reason for mutant in read} == {"", "nobody reads it"}


def test_changes_are_those_of_numbers_and_operators_alone():
    found = mutants.drawn(CODE, "areas.py", "area", "", {})
    assert {mutant.new.splitlines()[-1].strip() for mutant in found} == {
        "return width * height * 1000",
        "return width / height / 1000",
        "return width * height / 1500",
    }


def test_changes_leave_axes_and_the_look_of_a_figure_alone():
    code = "def draw(ax):\n    ax.plot(a, axis=1, linewidth=2.5, alpha=0.5)"
    [mutant] = mutants.drawn(code, "areas.py", "draw", "", {})
    assert "axis=1, linewidth=2.5, alpha=0.75" in mutant.new


def test_drawn_mutants_are_the_same_whatever_else_is_changed():
    other = CODE.replace("SIDES = 4", "SIDES = 3\n\n")
    drawn = mutants.drawn(CODE, "areas.py", "area", "", {})
    again = mutants.drawn(other, "areas.py", "area", "", {})
    assert [mutant.name for mutant in again] == [mutant.name for mutant in drawn]


def test_table_tells_what_was_changed_and_who_noticed():
    killed = Result(_mutant("a", "b"), "tests/test_b.py::test_c[1|2]")
    text = mutants.table([killed])
    assert "| a name | `test_b.py::test_c[1\\|2]` |" in text
    assert "1 of 1 mutants were killed." in text


def test_difference_is_what_stands_around_the_change():
    old = "first\n" + 50 * "a" + " + 1" + 50 * "b"
    found = mutants.difference(old, old.replace("+ 1", "- 1"))
    around = mutants.AROUND
    before, after = found.split(" → ")
    assert before == f"`{(around - 1) * 'a'} + 1{(around - 3) * 'b'}`"
    assert after == before.replace("+", "-")


@pytest.fixture(scope="module")
def all_mutants():
    return mutants.read(mutants.TABLE.read_text(encoding="utf-8"))


def test_every_mutant_stands_in_the_code(all_mutants):
    stale = []
    for mutant in all_mutants:
        source = (mutants.REPOSITORY / mutant.file).read_text(encoding="utf-8")
        if source.count(mutant.old) != 1:
            stale.append(mutant.name)
    assert stale == []
    assert len(all_mutants) > 150


def test_every_mutant_has_tests_that_there_are(all_mutants):
    stale = []
    for tests in {mutant.tests for mutant in all_mutants}:
        names, _, _ = tests.partition(" -k ")
        for test in names.split():
            path, _, name = test.partition("::")
            source = (mutants.REPOSITORY / path).read_text(encoding="utf-8")
            if name and f"def {name}(" not in source:
                stale.append(test)
    assert stale == []


def test_reasons_are_those_of_mutants_that_there_are(all_mutants):
    text = mutants.TABLE.read_text(encoding="utf-8")
    assert text.count("\n! ") == sum(mutant.reason != "" for mutant in all_mutants)
