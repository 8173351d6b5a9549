"""The C files: names, comments, arrays, and what compilers make of them."""

import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest
from board_files import published
from elf import read_symbol
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.board.arena import Arena
from helpers.board.c_board import board_header, golden_header
from helpers.board.c_files import (
    HIMAX_SYMBOL,
    array_bytes,
    array_symbol,
    comment,
    identifier,
    model_header,
    model_source,
)
from helpers.board.compiled import compiled_bytes, find_compiler
from helpers.board.flatbuffer import read_model
from helpers.board.golden import Golden
from helpers.board.runtimes import TFLM
from helpers.errors import TutorialError

needs_compiler = pytest.mark.skipif(
    find_compiler() is None, reason="needs a C++ compiler: apt-get install g++"
)
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"]
STANDARDS = ["c++11", "c++17"]
CROSS = {
    "arm-none-eabi-g++": (["-mcpu=cortex-m4", "-mthumb"], "gcc-arm-none-eabi"),
    "arc-linux-gnu-g++-12": ([], "g++-12-arc-linux-gnu"),
}


@pytest.fixture(scope="session")
def conv(candidate, sample):
    """Return (files, golden, model bytes) of a published conv-head model."""
    return *published("mnist_cnn", candidate(), sample), candidate()


@pytest.fixture
def unpacked_files(conv, tmp_path):
    """Return a folder that holds the published files."""
    return _unpack(conv[0], tmp_path)


def _unpack(files, folder):
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def _compile(compiler, arguments, folder):
    done = subprocess.run(
        [compiler, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _run(folder, program):
    return subprocess.run(
        [str(folder / program)], capture_output=True, text=True, check=True
    ).stdout


# Names and comments


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("mnist_cnn", "mnist_cnn"),
        ("my-model", "my_model"),
        ("a__b", "a_b"),
        ("_x_", "x"),
        ("2nd", "model_2nd"),
        ("class", "class"),
        ("модель", "model"),
        ("", "model"),
    ],
)
def test_identifier_is_never_reserved_by_a_standard(name, symbol):
    assert identifier(name) == symbol


def test_array_symbol_is_what_xxd_calls_the_file():
    from helpers.board.c_files import xxd_symbol

    assert array_symbol("mnist_cnn") == xxd_symbol("mnist_cnn_int8.tflite")


@needs_compiler
@pytest.mark.parametrize("standard", STANDARDS)
@settings(deadline=None, max_examples=3)
@given(st.lists(st.text(), min_size=30, max_size=60))
def test_comment_any_text_stays_inside_the_comment(tmp_path_factory, standard, texts):
    hostile = [
        "*/ int x = 1/0;",
        "ends with \\",
        "??/",
        "a\nint y;",
        "\u2028int z;",
        "\r!",
    ]
    folder = tmp_path_factory.mktemp("comment")
    source = comment([*texts, *hostile]) + "int main() { return 0; }\n"
    assert source.isascii()
    assert source.count("\n") == len(texts) + len(hostile) + 1
    (folder / "main.cc").write_text(source, encoding="ascii")
    _compile(find_compiler(), [f"-std={standard}", *STRICT, "-c", "main.cc"], folder)


@needs_compiler
@pytest.mark.parametrize("name", ["class", "linux", "A__b-c_", "x" * 64, "main"])
def test_files_for_awkward_names_compile(candidate, tmp_path, name):
    model = read_model(candidate())
    image, scores = np.zeros((1, 28, 28, 1), np.int8), np.zeros((1, 10), np.int8)
    arena = Arena(None, None, 2048, "A guess.")
    golden = golden_header(name, Golden((0,), image, scores), "nothing", False)
    texts = {
        f"{name}_int8.h": model_header(name),
        f"{name}_int8.cc": model_source(name, b"ab", [name]),
        f"{name}_int8_board.h": board_header(name, model, arena, [name]),
        f"{name}_int8_golden.h": golden,
        "user.cc": f'#include "{name}_int8_golden.h"\n',
    }
    _unpack({path: text.encode() for path, text in texts.items()}, tmp_path)
    sources = [f"{name}_int8.cc", "user.cc"]
    _compile(find_compiler(), ["-std=c++11", *STRICT, "-c", *sources], tmp_path)


# The array


def test_array_bytes_of_what_was_written_are_the_model(candidate):
    source = model_source("mnist_cnn", candidate(), ["0x00, [] = {", "_len = 3;"])
    assert array_bytes(source) == candidate()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("0x1c", "0x1", 1),
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("_len = 2", "_len = 3"),
        lambda text: text + text,
        lambda text: "",
    ],
)
def test_array_bytes_of_a_damaged_source_is_refused(candidate, damage):
    text = model_source("mnist_cnn", candidate(), [])
    with pytest.raises(TutorialError, match="run notebook 06"):
        array_bytes(damage(text))


def test_source_has_unix_newlines_and_no_time_in_it(conv):
    for path, data in conv[0].items():
        if path.endswith((".cc", ".h", ".json")):
            assert b"\r" not in data
            assert data.isascii()
            assert data.endswith(b"\n")


@needs_compiler
def test_compiled_bytes_are_the_model(conv):
    files, _, model_bytes = conv
    assert compiled_bytes("mnist_cnn", files, find_compiler()) == model_bytes


def test_compiler_is_one_for_this_computer_whatever_cxx_names(monkeypatch):
    monkeypatch.setenv("CXX", sys.executable)  # there, but no compiler for it
    assert find_compiler() != sys.executable


@needs_compiler
def test_compiled_bytes_of_a_source_that_does_not_compile_is_refused(conv):
    files = conv[0] | {"mnist_cnn_int8.cc": b"int main(\n"}
    with pytest.raises(TutorialError, match="could not be compiled"):
        compiled_bytes("mnist_cnn", files, find_compiler())


@needs_compiler
def test_compiled_bytes_without_the_include_does_not_link(conv):
    """In C++ a constant is invisible outside its file unless declared `extern`."""
    source = conv[0]["mnist_cnn_int8.cc"].replace(b'#include "mnist_cnn_int8.h"', b"")
    with pytest.raises(TutorialError, match=r"undefined|Undefined|unresolved"):
        compiled_bytes(
            "mnist_cnn", conv[0] | {"mnist_cnn_int8.cc": source}, find_compiler()
        )


def _check_object(path, symbol, model_bytes):
    found = read_symbol(path, symbol)
    assert found.section.startswith(".rodata")
    assert not found.writable
    assert found.alignment >= 16
    assert found.offset % 16 == 0
    assert found.data == model_bytes
    return found.data


needs_gcc_elf = pytest.mark.skipif(
    platform.system() != "Linux" or shutil.which("g++") is None,
    reason="needs g++ on Linux, whose object files are ELF: apt-get install g++",
)


@needs_gcc_elf
@pytest.mark.parametrize("standard", STANDARDS)
def test_object_holds_the_model_read_only_and_aligned(conv, unpacked_files, standard):
    arguments = [
        f"-std={standard}",
        *STRICT,
        "-c",
        "mnist_cnn_int8.cc",
        "-o",
        "model.o",
    ]
    _compile("g++", arguments, unpacked_files)
    _check_object(unpacked_files / "model.o", "mnist_cnn_int8_tflite", conv[2])


@needs_gcc_elf
@pytest.mark.tflm
def test_the_bytes_in_the_object_are_what_tflm_runs(conv, unpacked_files, sample):
    files, golden, _ = conv
    arguments = ["-std=c++11", "-c", "mnist_cnn_int8.cc", "-o", "model.o"]
    _compile("g++", arguments, unpacked_files)
    compiled = read_symbol(unpacked_files / "model.o", "mnist_cnn_int8_tflite").data
    runtime = TFLM(compiled)
    np.testing.assert_array_equal(runtime.run(golden.images), golden.scores)
    np.testing.assert_array_equal(
        runtime.run(sample["test_images"]),
        TFLM(files["mnist_cnn_int8.tflite"]).run(sample["test_images"]),
    )


@needs_gcc_elf
def test_object_of_raw_xxd_output_is_writable_and_unaligned(tmp_path, candidate):
    """The check above would notice what it is there to prevent."""
    from helpers.board.c_files import xxd

    text = xxd("mnist_cnn_int8.tflite", candidate())
    (tmp_path / "raw.cc").write_text(text, encoding="ascii")
    _compile("g++", ["-c", "raw.cc"], tmp_path)
    with pytest.raises(AssertionError):
        _check_object(tmp_path / "raw.o", "mnist_cnn_int8_tflite", candidate())


@pytest.mark.parametrize("compiler", CROSS)
@pytest.mark.parametrize(
    ("source", "symbol"),
    [
        ("mnist_cnn_int8.cc", "mnist_cnn_int8_tflite"),
        ("himax_we1_evb/model_data.cc", HIMAX_SYMBOL),
    ],
)
def test_object_for_microcontrollers_is_read_only_and_aligned(
    conv, unpacked_files, compiler, source, symbol
):
    flags = _cross_flags(compiler)
    for standard in STANDARDS:
        arguments = [f"-std={standard}", *flags, *STRICT, "-c", source, "-o", "model.o"]
        _compile(compiler, arguments, unpacked_files)
        _check_object(unpacked_files / "model.o", symbol, conv[2])


@pytest.mark.parametrize("compiler", CROSS)
def test_program_for_microcontrollers_that_includes_only_the_header_links(
    unpacked_files, compiler
):
    flags = _cross_flags(compiler)
    program = (
        '#include "mnist_cnn_int8.h"\n'
        'extern "C" int start() { return mnist_cnn_int8_tflite[0]'
        " + static_cast<int>(mnist_cnn_int8_tflite_len); }\n"
    )
    (unpacked_files / "main.cc").write_text(program, encoding="ascii")
    link = ["-nostdlib", "-static", "-Wl,-e,start"]
    arguments = [
        *flags,
        *STRICT,
        "main.cc",
        "mnist_cnn_int8.cc",
        "-o",
        "program",
        *link,
    ]
    _compile(compiler, arguments, unpacked_files)


def _cross_flags(compiler):
    flags, package = CROSS[compiler]
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}: apt-get install {package}")
    return flags


# The headers

PROGRAM = """\
#include "himax_we1_evb/model_data.h"
#include "mnist_cnn_int8.h"
#include "mnist_cnn_int8_board.h"
#include "mnist_cnn_int8_golden.h"

#include <stdio.h>

int FailuresElsewhere();

namespace board = mnist_cnn_int8;

enum Status { kOk = 0, kError = 1 };

struct Resolver {
  int count;
  bool full;
  Status Add() { ++count; return full ? kError : kOk; }
  Status AddConv2D() { return Add(); }
  Status AddMaxPool2D() { return Add(); }
  Status AddSoftmax() { return Add(); }
};

struct Data { int8_t* int8; };
struct Tensor { Data data; };

// Knows the golden answers, and spoils one score by `error`.
struct Interpreter {
  int8_t image[board::kInputCount];
  int8_t scores[board::kOutputCount];
  Tensor in;
  Tensor out;
  int error;
  Status status;
  Tensor* input(int) { in.data.int8 = image; return &in; }
  Tensor* output(int) { out.data.int8 = scores; return &out; }
  Status Invoke() {
    for (int index = 0; index < board::kGoldenCount; ++index) {
      bool same = true;
      for (int i = 0; i < board::kInputCount; ++i) {
        same = same && image[i] == board::GoldenInput(index)[i];
      }
      for (int i = 0; same && i < board::kOutputCount; ++i) {
        scores[i] = board::GoldenOutput(index)[i];
      }
      if (same && index == 3) {
        scores[0] = static_cast<int8_t>(scores[0] + error);
      }
    }
    return status;
  }
};

int Failures(int error, int tolerance, Status status) {
  Interpreter interpreter = Interpreter();
  interpreter.error = error;
  interpreter.status = status;
  return board::GoldenFailures(interpreter, tolerance);
}

int main() {
  Resolver resolver = {0, false};
  const bool added = board::AddOperators(resolver);
  Resolver full = {0, true};
  printf("operators %d %d %d\\n", added, resolver.count - board::kOperatorCount,
         board::AddOperators(full));
  printf("failures %d %d %d %d\\n", Failures(0, 0, kOk), Failures(2, 0, kOk),
         Failures(2, 2, kOk), Failures(0, 0, kError));
  int8_t image[3] = {-128, 0, 127};
  board::InvertPolarity(image, 3);
  printf("polarity %d %d %d\\n", image[0], image[1], image[2]);
  printf("pixels %d %d %d\\n", board::FromPixel(0), board::FromPixel(128),
         board::FromPixel(255));
  printf("digit %d\\n", board::BestDigit(board::GoldenOutput(7)));
  printf("score %.8f\\n", static_cast<double>(board::RealScore(127)));
  printf("scale %.10g %.10g\\n", static_cast<double>(board::kInputScale),
         static_cast<double>(board::kOutputScale));
  printf("bytes %u %d %d\\n", mnist_cnn_int8_tflite_len, board::kArenaBytes,
         board::ModelBytes()[4]);
  long sum = 0;
  for (int index = 0; index < board::kGoldenCount; ++index) {
    for (int i = 0; i < board::kInputCount; ++i) {
      sum += board::GoldenInput(index)[i] * (i + 1L);
    }
  }
  printf("sum %ld\\n", sum);
  const bool same = mnist_dynamic_quantized_28x28_tflite_len ==
                    static_cast<int>(mnist_cnn_int8_tflite_len);
  printf("himax %d %d\\n", same, FailuresElsewhere());
  return 0;
}
"""
ELSEWHERE = """\
#include "mnist_cnn_int8_golden.h"

#include "mnist_cnn_int8_golden.h"
#include "mnist_cnn_int8_board.h"

int FailuresElsewhere();

int FailuresElsewhere() {
  return mnist_cnn_int8::GoldenDigit(4) - mnist_cnn_int8::BestDigit(
      mnist_cnn_int8::GoldenOutput(4));
}
"""


@needs_compiler
@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("several", [True, False], ids=["several-files", "one-file"])
def test_everything_included_together_compiles_and_computes(
    conv, unpacked_files, standard, several
):
    _, golden, model_bytes = conv
    sources = [
        "main.cc",
        "elsewhere.cc",
        "mnist_cnn_int8.cc",
        "himax_we1_evb/model_data.cc",
    ]
    (unpacked_files / "main.cc").write_text(PROGRAM, encoding="ascii")
    (unpacked_files / "elsewhere.cc").write_text(ELSEWHERE, encoding="ascii")
    if not several:
        together = "".join(f'#include "{source}"\n' for source in sources)
        (unpacked_files / "all.cc").write_text(together, encoding="ascii")
        sources = ["all.cc"]
    arguments = [f"-std={standard}", *STRICT, "-I.", *sources, "-o", "program"]
    _compile(find_compiler(), arguments, unpacked_files)
    model = read_model(model_bytes)
    weights = np.arange(1, 785)
    total = int((golden.images.reshape(-1, 784).astype(int) * weights).sum())
    arena = _run(unpacked_files, "program").split("bytes ")[1].split()[1]
    assert _run(unpacked_files, "program").splitlines() == [
        "operators 1 0 0",
        "failures 0 1 0 10",
        "polarity 127 -1 -128",
        "pixels -128 0 127",
        "digit 7",
        f"score {255 / 256:.8f}",
        f"scale {model.input.scale:.10g} {model.output.scale:.10g}",
        f"bytes {len(model_bytes)} {arena} {ord('T')}",
        f"sum {total}",
        "himax 1 0",
    ]


@needs_compiler
def test_dense_head_header_adds_its_own_operators(candidate, sample, tmp_path):
    files, _ = published("net", candidate("dense"), sample)
    header = files["net_int8_board.h"].decode()
    assert "AddFullyConnected()" in header
    assert "AddSoftmax" not in header
    assert "kOperatorCount = 3" in header
    _unpack(files, tmp_path)
    (tmp_path / "user.cc").write_text(
        '#include "net_int8_golden.h"\n', encoding="ascii"
    )
    _compile(find_compiler(), ["-std=c++11", *STRICT, "-c", "user.cc"], tmp_path)


@pytest.mark.skipif(
    shutil.which("gcc") is None, reason="needs gcc: apt-get install gcc"
)
def test_model_header_is_c_too(unpacked_files):
    program = '#include "mnist_cnn_int8.h"\nint x(void);\nint x(void) { return 0; }\n'
    (unpacked_files / "main.c").write_text(program, encoding="ascii")
    arguments = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "main.c"]
    _compile("gcc", arguments, unpacked_files)


@given(st.floats(2.0**-100, 2.0**100, width=32))
def test_float_constants_are_read_back_exactly(value):
    from helpers.board.c_board import _float

    text = _float(value)
    assert text.endswith("f")
    assert np.float32(text[:-1]) == np.float32(value)
