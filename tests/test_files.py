"""Files that are replaced as a whole, sentences for full disks, and silence."""

import errno
import os
import tempfile

import pytest

from helpers import files
from helpers.files import TutorialError


def test_quiet_shows_what_it_held_back_only_on_an_error(capfd):
    with pytest.raises(KeyError), files.quiet():
        os.write(1, b"from C\n")
        print("from Python")
        raise KeyError
    assert capfd.readouterr() == ("", "from C\nfrom Python\n")
    with files.quiet():
        print("from Python")
    assert capfd.readouterr() == ("", "")


def test_replacing_file_keeps_the_old_one_until_the_block_ends(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with files.replacing_file(path) as new:
        new.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_replacing_file_keeps_the_old_one_if_the_block_fails(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyError), files.replacing_file(path) as new:
        new.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_replacing_file_never_writes_into_the_file_that_others_read(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with path.open() as reader:
        with files.replacing_file(path) as new:
            new.write_text("new")
        assert reader.read() == "old"  # a file of its own took the place


def test_replacing_folder_keeps_the_old_one_until_the_block_ends(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    with files.replacing_folder(path) as new:
        (new / "new").touch()
        assert [found.name for found in path.iterdir()] == ["old"]
    assert [found.name for found in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_folder_keeps_the_old_one_if_the_block_fails(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(KeyError), files.replacing_folder(path) as new:
        (new / "new").touch()
        raise KeyError
    assert [found.name for found in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def sentence_of(number, path):
    with pytest.raises(TutorialError) as error, files.explained(path):
        raise OSError(number, os.strerror(number))
    return str(error.value)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Return a folder that is the temporary one."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_full_disk_of_the_artifacts_is_told_with_their_variable(temporary, tmp_path):
    said = sentence_of(errno.ENOSPC, tmp_path / "artifacts" / "a")
    assert "free some space" in said and "variable ARTIFACTS_DIR" in said
    assert "TMPDIR" not in said


def test_full_temporary_folder_is_told_with_its_variable(temporary):
    said = sentence_of(errno.ENOSPC, temporary / "a")
    assert "free some space" in said and "variable TMPDIR" in said


def test_folder_that_is_not_writable_is_not_told_to_be_full(temporary, tmp_path):
    said = sentence_of(errno.EACCES, tmp_path / "a")
    assert "free some space" not in said and "make it writable" in said


def test_quiet_with_a_full_temporary_folder_names_its_variable(monkeypatch):
    monkeypatch.setattr(files, "TEMPORARY_BYTES", 10**18)
    with pytest.raises(TutorialError, match="variable TMPDIR"), files.quiet():
        pass


def test_quiet_without_a_temporary_folder_names_its_variable(monkeypatch):
    def nowhere():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(TutorialError, match="variable TMPDIR"), files.quiet():
        pass
