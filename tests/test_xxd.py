"""The Python `xxd -i` against the real one, byte for byte."""

import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.board.c_files import xxd
from helpers.xxd import main

needs_xxd = pytest.mark.skipif(
    shutil.which("xxd") is None, reason="needs xxd: apt-get install xxd, or vim"
)

NAMES = [
    "mnist_cnn_int8.tflite",
    "a b-1.tflite",
    "3d.bin",
    "class",
    "ünï.bin",
    "__x__",
    "a'b\"c;d.bin",
    "a\nb",
    "_",
    "sub/dir/file.bin",
    "./here.bin",
    "0",
]


def _real(name, folder):
    done = subprocess.run(
        ["xxd", "-i", name], cwd=folder, capture_output=True, check=True
    )
    return done.stdout


def _write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@needs_xxd
@pytest.mark.parametrize("name", NAMES)
def test_xxd_any_name_equals_the_real_one(tmp_path, name):
    _write(tmp_path, name, b"0123456789abcdef")
    assert xxd(name, b"0123456789abcdef").encode() == _real(name, tmp_path)


@needs_xxd
@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=100))
def test_xxd_any_bytes_equal_the_real_one(tmp_path, data):
    _write(tmp_path, "x.bin", data)
    assert xxd("x.bin", data).encode() == _real("x.bin", tmp_path)


@needs_xxd
def test_xxd_a_real_model_equals_the_real_one(tmp_path, candidate):
    _write(tmp_path, "mnist_cnn_int8.tflite", candidate())
    found = xxd("mnist_cnn_int8.tflite", candidate()).encode()
    assert found == _real("mnist_cnn_int8.tflite", tmp_path)
    assert found != _real("mnist_cnn_int8.tflite", tmp_path).replace(
        b"0x1c", b"0x1d", 1
    )


@needs_xxd
def test_xxd_standard_input_equals_the_real_one():
    data = bytes(range(40))
    real = subprocess.run(["xxd", "-i"], input=data, capture_output=True, check=True)
    assert xxd(None, data).encode() == real.stdout


@needs_xxd
def test_command_line_writes_the_file_that_xxd_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _write(tmp_path, "model.tflite", bytes(range(256)))
    assert main(["model.tflite", "ours.cc"]) == 0
    subprocess.run(["xxd", "-i", "model.tflite", "real.cc"], check=True)
    assert (tmp_path / "ours.cc").read_bytes() == (tmp_path / "real.cc").read_bytes()
    assert main(["-i", "model.tflite", "again.cc"]) == 0
    assert (tmp_path / "again.cc").read_bytes() == (tmp_path / "ours.cc").read_bytes()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes: not Windows")
def test_command_line_writes_through_pipes_and_links(tmp_path):
    _write(tmp_path, "a.bin", b"ab")
    pipe, link = tmp_path / "pipe", tmp_path / "link.cc"
    os.mkfifo(pipe)
    link.symlink_to("real.cc")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert main([str(tmp_path / "a.bin"), str(pipe)]) == 0
        text = os.read(reader, 4096)
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert main([str(tmp_path / "a.bin"), str(link)]) == 0
    assert link.is_symlink()
    assert (tmp_path / "real.cc").read_bytes() == text
    assert text.endswith(b"_len = 2;\n")


def test_command_line_without_outfile_writes_to_standard_output(tmp_path):
    _write(tmp_path, "a.bin", b"ab")
    command = [sys.executable, "-m", "helpers.xxd"]
    named = subprocess.run(
        [*command, "a.bin"], cwd=tmp_path, capture_output=True, check=True
    )
    assert named.stdout == (
        b"unsigned char a_bin[] = {\n  0x61, 0x62\n};\nunsigned int a_bin_len = 2;\n"
    )
    piped = subprocess.run(
        [*command, "-"], input=b"ab", capture_output=True, check=True
    )
    assert piped.stdout == b"  0x61, 0x62\n"


def test_command_line_name_option_names_the_array(tmp_path, capfdbinary):
    _write(tmp_path, "a.bin", b"ab")
    assert main(["-n", "3 x", str(tmp_path / "a.bin")]) == 0
    assert capfdbinary.readouterr().out.startswith(b"unsigned char __3_x[] = {\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.bin"], "Cannot read missing.bin"),
        (["a.bin", "a.bin"], "is the input itself"),
        (["a.bin", "no/such/folder.cc"], "Cannot write"),
        (["."], "Cannot read ."),
        (["a\0b"], "Cannot read"),
    ],
)
def test_command_line_what_cannot_be_done_is_one_sentence(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    _write(tmp_path, "a.bin", b"ab")
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert (tmp_path / "a.bin").read_bytes() == b"ab"


def test_command_line_help_explains(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "xxd -i" in capsys.readouterr().out
