"""Writing a file or a folder: all of it or nothing, whatever goes wrong."""

import contextlib
import errno
import os
import sys

import pytest

from helpers import files
from helpers.errors import TutorialError

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX: run on Linux")


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def old_folder(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "a").write_bytes(b"old")
    return path


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_write_replaces_the_file_and_leaves_nothing_else(old):
    files.write_atomically(old, b"new")
    assert content(old.parent) == {"file": b"new"}


@posix
def test_written_file_has_the_permissions_of_an_ordinary_one(tmp_path):
    files.write_atomically(tmp_path / "ours", b"")
    (tmp_path / "ordinary").write_bytes(b"")
    with files.new_folder(tmp_path / "our folder"):
        pass
    (tmp_path / "ordinary folder").mkdir()
    for ours, ordinary in [("ours", "ordinary"), ("our folder", "ordinary folder")]:
        modes = [(tmp_path / name).stat().st_mode for name in (ours, ordinary)]
        assert modes[0] == modes[1]


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_write_that_fails_keeps_the_old_file(old, monkeypatch, call, number):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(TutorialError, match="Cannot write") as error:
        files.write_atomically(old, b"new")
    monkeypatch.undo()
    assert content(old.parent) == {"file": b"old"}
    assert os.strerror(number) in str(error.value)


@pytest.mark.parametrize(("windows", "calls"), [(True, 3), (False, 1)])
def test_rename_that_a_scanner_blocks_is_tried_again_on_windows(
    old, monkeypatch, windows, calls
):
    replace, tried = os.replace, []

    def blocked_twice(*arguments):
        tried.append(arguments)
        if len(tried) < 3:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        replace(*arguments)

    monkeypatch.setattr(os, "replace", blocked_twice)
    monkeypatch.setattr(files, "_WINDOWS", windows)
    with contextlib.suppress(TutorialError):
        files.write_atomically(old, b"new")
    assert len(tried) == calls
    assert content(old.parent) == {"file": b"new" if windows else b"old"}


@pytest.mark.parametrize("windows", [True, False])
def test_file_that_stays_blocked_gives_a_sentence(old, monkeypatch, windows):
    def blocked(*arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "replace", blocked)
    monkeypatch.setattr(files, "_WINDOWS", windows)
    monkeypatch.setattr(files, "_PATIENCE", 0.1)
    with pytest.raises(TutorialError, match="Cannot write") as error:
        files.write_atomically(old, b"new")
    assert ("close the program that has the file open" in str(error.value)) == windows
    assert content(old.parent) == {"file": b"old"}


def test_write_into_a_missing_folder_says_so(tmp_path):
    with pytest.raises(TutorialError, match="folder is gone"):
        files.write_atomically(tmp_path / "gone" / "file", b"")


def test_new_folder_replaces_the_old_one_as_a_whole(old_folder):
    with files.new_folder(old_folder) as folder:
        (folder / "b").write_bytes(b"new")
        assert content(old_folder) == {"a": b"old"}
    assert content(old_folder) == {"b": b"new"}
    assert list(old_folder.parent.iterdir()) == [old_folder]


def test_new_folder_whose_block_raises_changes_nothing(old_folder):
    with pytest.raises(RuntimeError), files.new_folder(old_folder) as folder:
        (folder / "b").write_bytes(b"new")
        raise RuntimeError
    assert content(old_folder) == {"a": b"old"}
    assert list(old_folder.parent.iterdir()) == [old_folder]


def test_new_folder_without_a_system_call_that_exchanges(old_folder, monkeypatch):
    monkeypatch.setattr(files, "_exchange", lambda *_: False)
    with files.new_folder(old_folder) as folder:
        (folder / "b").write_bytes(b"new")
    assert content(old_folder) == {"b": b"new"}
    assert list(old_folder.parent.iterdir()) == [old_folder]


@pytest.mark.skipif(
    sys.platform not in ("linux", "darwin"), reason="needs Linux or macOS: run there"
)
def test_exchange_swaps_two_folders_in_one_step(old_folder):
    other = old_folder.with_name("other")
    other.mkdir()
    assert files._exchange(other, old_folder)
    assert content(other) == {"a": b"old"}
    assert content(old_folder) == {}


def test_restore_brings_back_a_folder_caught_between_two_renames(old_folder):
    old_folder.rename(old_folder.with_name("folder.previous"))
    files.restore_folder(old_folder)
    assert content(old_folder) == {"a": b"old"}


def test_restore_does_not_touch_a_folder_that_is_there(old_folder):
    old_folder.with_name("folder.previous").mkdir()
    files.restore_folder(old_folder)
    assert content(old_folder) == {"a": b"old"}


def test_remove_folder_removes_all_of_it(old_folder):
    files.remove_folder(old_folder)
    files.remove_folder(old_folder)
    assert not list(old_folder.parent.iterdir())


def test_remove_leftovers_removes_only_what_was_half_written(old, old_folder):
    (old.parent / ".partial-file").write_bytes(b"half")
    (old.parent / ".partial-folder" / "inside").mkdir(parents=True)
    files.remove_leftovers(old.parent)
    assert sorted(path.name for path in old.parent.iterdir()) == ["file", "folder"]


def test_scratch_folder_is_gone_after_the_block(tmp_path):
    with files.scratch_folder(tmp_path) as folder:
        (folder / "inside").mkdir()
    assert not list(tmp_path.iterdir())


def test_explained_is_one_sentence_with_a_remedy_for_every_reason(tmp_path):
    for number in sorted(errno.errorcode):
        with pytest.raises(TutorialError) as error, files.explained("read", tmp_path):
            raise OSError(number, os.strerror(number))
        text = str(error.value)
        assert text.startswith("Cannot read ") and text.endswith(".")
        assert "; " in text and "\n" not in text


def test_explained_leaves_other_errors_alone(tmp_path):
    with pytest.raises(ZeroDivisionError), files.explained("read", tmp_path):
        1 / 0  # noqa: B018


def test_sha256_of_file_is_that_of_its_bytes(old):
    assert files.sha256_of_file(old) == files.sha256(b"old")
    assert files.sha256(b"") == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
