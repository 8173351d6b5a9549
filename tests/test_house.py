"""helpers/README.md: which file to open for which change."""

import re

from helpers.runs import REPOSITORY

HELPERS = REPOSITORY / "helpers"
NAMED = re.findall(r"`([^`]+)`", (HELPERS / "README.md").read_text(encoding="utf-8"))


def test_readme_of_helpers_names_every_file_there():
    there = set()
    for path in HELPERS.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            there.add(path.relative_to(HELPERS).as_posix())
    assert there - set(NAMED) == {"README.md"}


def test_files_that_the_readme_of_helpers_names_exist():
    files = [name for name in NAMED if re.fullmatch(r"[\w/]+\.[a-z]\w*(\.j2)?", name)]
    there = [name for name in files if (HELPERS / name).is_file()]
    assert set(files) - set(there) == {"report.json"}  # a file that a run publishes


def test_functions_that_the_readme_of_helpers_names_stand_in_their_file():
    rows = (HELPERS / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)` in `(\w+\.py)`", rows)
    assert len(named) >= 4
    for name, file in named:
        source = (HELPERS / file).read_text(encoding="utf-8")
        assert re.search(rf"^(def )?{name}\b", source, re.MULTILINE), (name, file)
