"""The C files: names, comments, arrays, and what compilers make of them."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import c_programs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import need, prose_of, tflm_logits
from helpers import c_files, c_templates, gate, integer_arithmetic, tflite
from helpers import report as reports

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"]


@dataclass(frozen=True)
class Compiler:
    """A compiler of C++ that may be installed."""

    package: str  # of Debian
    options: list


COMPILERS = {
    "g++": Compiler("g++", []),
    "arm-none-eabi-g++": Compiler("gcc-arm-none-eabi", ["-mcpu=cortex-m4", "-mthumb"]),
}
MAIN = r"""
#include <stdio.h>
#include "himax_we1_evb/model_data.h"
#include "mnist_cnn_int8_golden.h"
#include "mnist_cnn_int8_golden.h"
using namespace mnist_cnn_int8;

struct Resolver {
  int count, status;
  int AddConv2D() { ++count; return status; }
  int AddMaxPool2D() { ++count; return status; }
  int AddSoftmax() { ++count; return status; }
};

// An interpreter that gives the golden scores in turn, `error` added to one of them.
struct Interpreter {
  int error, status, index;
  int8_t image[kInputCount], scores[kOutputCount];
  struct { struct { int8_t* int8; } data; } tensor;
  decltype(tensor)* input(int) { tensor.data.int8 = image; return &tensor; }
  decltype(tensor)* output(int) { tensor.data.int8 = scores; return &tensor; }
  int Invoke() {
    for (int i = 0; i < kInputCount; ++i) error += image[i] != GoldenInput(index)[i];
    for (int i = 0; i < kOutputCount; ++i) scores[i] = GoldenOutput(index)[i];
    if (index++ == 3) scores[0] = static_cast<int8_t>(scores[0] + error);
    return status;
  }
};

int Failures(int error, int status, int tolerance) {
  Interpreter interpreter = {error, status, 0, {0}, {0}, {{0}}};
  return GoldenFailures(interpreter, tolerance);
}

int main() {
  Resolver good = {0, 0}, full = {0, 1};
  printf("%d %d ", AddOperators(good), AddOperators(full));
  printf("%d\n", good.count - kOperatorCount);
  printf("%d %d %d ", Failures(0, 0, 0), Failures(2, 0, 1), Failures(2, 0, 2));
  printf("%d\n", Failures(0, 1, 0));
  int8_t image[kInputCount] = {-128, 0, 127};
  InvertPolarity(image);
  printf("%d %d %d\n", image[0], image[1], image[2]);
  printf("%d %d %d\n", FromPixel(0), FromPixel(128), FromPixel(255));
  printf("%d %d %d\n", BestDigit(GoldenOutput(7)), kInputZeroPoint, kOutputZeroPoint);
  const double scales[] = {kInputScale, kOutputScale};
  printf("%.9g %.9g\n", scales[0], scales[1]);
  const int length = static_cast<int>(mnist_cnn_int8_tflite_len);
  printf("%d %d ", length - mnist_dynamic_quantized_28x28_tflite_len, kArenaBytes);
  printf("%d\n", ModelBytes()[4]);
}
"""


@pytest.fixture(scope="session")
def published(candidate, tmp_path_factory):
    """Return a folder with everything that is published of a model, and the report."""
    folder = tmp_path_factory.mktemp("published")
    c_programs.write(candidate.published_files("mnist_cnn"), folder)
    return folder, candidate.report()


def test_published_files_of_one_model_are_always_the_same(candidate):
    files = candidate.published_files("a")
    assert candidate.published_files("a") == files


def _call(folder, command):
    """Run a command, a list or words, and return what it prints."""
    if isinstance(command, str):
        command = command.split()
    options = {"capture_output": True, "text": True, "timeout": c_programs.TIMEOUT}
    done = subprocess.run(command, cwd=folder, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Place:
    """Where a compiler puts an array."""

    section: str
    alignment: str  # of the section, as objdump writes it
    offset: int  # in the section, modulo 16


def _place(folder, compiler, source, symbol):
    """Compile, and return the `Place` of a symbol."""
    _call(folder, [*_strict(compiler), "-c", source, "-o", "a.o"])
    objdump = compiler.replace("g++", "objdump")
    for line in _call(folder, f"{objdump} -t a.o").splitlines():
        if line.endswith(f" {symbol}"):
            words = line.split()
            start = words[0]
            section = words[-3]
    for line in _call(folder, f"{objdump} -h a.o").splitlines():
        if f" {section} " in line:
            alignment = line.split()[-1]
    return Place(section, alignment, int(start, 16) % 16)


def _strict(compiler):
    """Return the command of a compiler of C++ to which every warning is an error."""
    command = [compiler, "-std=c++11", "-I.", *STRICT]
    command += COMPILERS[compiler].options
    return command


ARRAYS = {
    "mnist_cnn_int8.cc": "mnist_cnn_int8_tflite",
    "himax_we1_evb/model_data.cc": "mnist_dynamic_quantized_28x28_tflite",
}


@pytest.mark.parametrize("source", ARRAYS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_arrays_are_read_only_and_aligned(published, compiler, source):
    need(compiler, COMPILERS[compiler].package, linux_only=True)
    place = _place(published[0], compiler, source, ARRAYS[source])
    assert place.section.startswith(".rodata")
    assert place.alignment in ("2**4", "2**5")
    assert place.offset == 0


@pytest.mark.parametrize("compiler", COMPILERS)
def test_array_of_xxd_takes_ram(published, compiler):
    need(compiler, COMPILERS[compiler].package, linux_only=True)
    folder, _ = published
    (folder / "raw.cc").write_text(c_files.xxd("raw", b"not const"))
    assert _place(folder, compiler, "raw.cc", "raw").section == ".data"


@pytest.mark.parametrize("compiler", COMPILERS)
def test_headers_for_an_interpreter_compile(published, compiler):
    need(compiler, COMPILERS[compiler].package, linux_only=True)
    folder, _ = published
    (folder / "board.cc").write_text('#include "mnist_cnn_int8_golden.h"\n')
    _call(folder, [*_strict(compiler), "-c", "board.cc", "-o", "a.o"])


def test_headers_together_compile_and_compute(published, candidate):
    need("g++", "g++", linux_only=True)
    folder, report = published
    (folder / "main.cc").write_text(MAIN)
    command = [*_strict("g++"), "main.cc", "-o", "program"]
    command += ARRAYS
    _call(folder, command)
    model = tflite.read(candidate.model_bytes)
    assert _call(folder, "./program").splitlines() == [
        "1 0 0",
        "0 1 0 10",
        "127 -1 -128",
        "-128 0 127",
        "7 0 -128",
        f"{model.input.scale:.9g} {model.output.scale:.9g}",
        f"0 {report.model.arena_recommended} {ord('T')}",
    ]


def test_published_texts_are_plain_and_say_what_was_run(published):
    folder, report = published
    texts = {path.name: path.read_bytes() for path in folder.rglob("*.[ch]*")}
    assert all(text.isascii() and b"\r" not in text for text in texts.values())
    for name in ("mnist_cnn_int8.cc", "mnist_cnn_int8_board.h", "model_data.cc"):
        assert report.model.sha256.encode() in texts[name]
    golden = " ".join(texts["mnist_cnn_int8_golden.h"].decode().split(" \n//"))
    assert report.runtime.name in golden.replace("\n//", "")


def test_board_header_says_which_part_of_the_arena_is_headroom(published):
    folder, report = published
    header = (folder / "mnist_cnn_int8_board.h").read_text()
    used = report.model.arena_used
    headroom = report.model.arena_recommended - used
    assert f"constexpr int kArenaUsedBytes = {used};\n" in header
    assert f"constexpr int kArenaHeadroomBytes = {headroom};\n" in header
    text = " ".join(header.replace("\n//", "").split())
    assert f"So {headroom:,} bytes are headroom" in text
    assert 0.2 * used <= headroom <= 0.2 * used + 1024


def test_golden_header_says_how_many_bytes_an_image_takes(published):
    folder, _ = published
    header = (folder / "mnist_cnn_int8_inference_golden.h").read_text()
    assert f"each image takes {784 + 10} bytes" in header


def test_golden_header_has_the_tolerance_of_its_images(published, candidate):
    data = candidate.data
    model = tflite.read(candidate.model_bytes)
    chosen = gate.golden_images(data["test_labels"], candidate.scores_i8)
    layers = integer_arithmetic.layers(model)
    outputs = integer_arithmetic.run(layers, data["test_images"][chosen])
    logits = outputs[-1].reshape(-1, 10)
    tolerance = c_files.rounding_tolerance(model, layers[-1], logits)
    header = (published[0] / "mnist_cnn_int8_golden.h").read_text()
    assert f"constexpr int kGoldenTolerance = {tolerance};\n" in header
    assert f"changes by up to {tolerance}: " in header.replace("\n//", "")


def test_comment_of_the_array_has_the_numbers_of_the_report(candidate):
    report = replace(
        candidate.report(),
        accuracy=reports.Accuracy(reports.Score(981, 1000), reports.Score(975, 1000)),
    )
    text = candidate.published_files("a", report)["a_int8.cc"].decode()
    assert f"int8, {len(candidate.model_bytes):,} bytes." in text
    assert "981 of 1,000 correct (98.1 %) in float, before quantization" in text
    assert f"975 of 1,000 correct (97.5 %) with {report.runtime.name}" in text


SELF_TEST = r"""
#include <stdio.h>
#include "mnist_cnn_int8_inference_golden.h"

int main(void) {
  printf("%d %d %d\n", mnist_cnn_int8_self_test(), MNIST_CNN_INT8_GOLDEN_COUNT,
         (int)sizeof mnist_cnn_int8_golden_images);
  return 0;
}
"""


def _self_test(folder, compiler, *options):
    """Compile all C at the top of a published folder with the self-test, and run it."""
    (folder / "self_test.c").write_text(SELF_TEST)
    command = compiler.split()
    command += ["-I.", "-o", "program"]
    command += STRICT
    command += options
    command += sorted(path.name for path in folder.glob("*.c"))
    _call(folder, command)
    return _call(folder, "./program")


@pytest.mark.parametrize("compiler", ["gcc -std=c99", "g++ -x c++ -std=c++17"])
def test_all_c_at_the_top_compiles_together_and_passes_its_self_test(
    published, compiler
):
    need(compiler.split()[0], "g++", linux_only=True)
    assert _self_test(published[0], compiler) == "0 10 7840\n"


def test_self_test_takes_fewer_images_where_flash_is_scarce(published):
    need("gcc", "gcc", linux_only=True)
    option = "-DMNIST_CNN_INT8_GOLDEN_COUNT=1"
    assert _self_test(published[0], "gcc -std=c99", option) == "0 1 784\n"


def test_self_test_counts_the_images_that_fail(published, tmp_path):
    need("gcc", "gcc", linux_only=True)
    shutil.copytree(published[0], tmp_path, dirs_exist_ok=True)
    source = tmp_path / "mnist_cnn_int8_inference.c"
    text, count = re.subn(
        r"(bias_5\[10\].* = {\s+)", r"\g<1>1000000 + ", source.read_text()
    )
    assert count == 1
    source.write_text(text)
    assert _self_test(tmp_path, "gcc -std=c99") == "10 10 7840\n"


def test_golden_logits_are_those_of_the_runtime(published, candidate):
    folder, _ = published
    data = candidate.data
    golden = gate.golden_images(data["test_labels"], candidate.scores_i8)
    expected = tflm_logits(candidate.runtime, data["test_images"][golden])
    header = (folder / "mnist_cnn_int8_inference_golden.h").read_text()
    rows = re.findall(r"^    {((?:-?\d+, ){9}-?\d+)},$", header, re.MULTILINE)
    found = []
    for row in rows:
        found.append([int(number) for number in row.split(", ")])
    assert np.array_equal(found, expected)


def test_engine_and_the_sketch_s_c_are_the_published_ones(published):
    folder, _ = published
    engine = c_templates.FOLDER
    for name in ("cnn_int8.c", "cnn_int8.h"):
        assert (folder / name).read_bytes() == (engine / name).read_bytes()
    copies = [*(folder / "arduino").rglob("*inference.*")]
    copies += [*(folder / "arduino").rglob("cnn_int8.*")]
    assert len(copies) == 4
    for copy in copies:
        assert copy.read_bytes() == (folder / copy.name).read_bytes()


@pytest.mark.tflm
def test_notebook_6_program_with_interpreter_compiles(published, tmp_path):
    # PyPI's tflite-micro has no C++ headers. What the program uses is declared in
    # tests/tflm_stub/, so this checks the program and not TFLM.
    need("g++", "g++", linux_only=True)
    [program] = re.findall(r"```cpp\n(.*?)```", prose_of(6), re.S)
    main = "int main() { return ReadDigit(GoldenInput(0)) == -1 ? 7 : 0; }\n"
    (tmp_path / "main.cc").write_text(program + main)
    folder, _ = published
    stub = Path(__file__).parent / "tflm_stub"
    command = ["g++", "-std=c++17", *STRICT, f"-I{stub}", f"-I{folder}"]
    command += ["main.cc", folder / "mnist_cnn_int8.cc", "-o", "program"]
    _call(tmp_path, command)
    # The stub answers with zeros, so the golden vectors fail and there is no digit.
    done = subprocess.run([tmp_path / "program"], timeout=c_programs.TIMEOUT)
    assert done.returncode == 7


def test_c_files_are_formatted():
    files = list(c_templates.FOLDER.glob("*.[ch]"))
    files += c_templates.FOLDER.glob("arduino/*.ino")
    files += Path(__file__).parent.rglob("*.c")
    assert len(files) >= 6
    command = [Path(sys.executable).with_name("clang-format"), "--dry-run", "-Werror"]
    command += files
    _call(None, command)


def test_compiled_array_is_the_model(published, candidate):
    need("g++", "g++", linux_only=True)
    folder, _ = published
    loop = "for (unsigned i = 0; i < mnist_cnn_int8_tflite_len; ++i)"
    show = 'printf("%02x", mnist_cnn_int8_tflite[i]);'
    includes = '#include <stdio.h>\n#include "mnist_cnn_int8.h"\n'
    (folder / "show.cc").write_text(f"{includes}int main() {{ {loop} {show} }}\n")
    _call(folder, "g++ -std=c++11 show.cc mnist_cnn_int8.cc -o show")
    assert bytes.fromhex(_call(folder, "./show")) == candidate.model_bytes


@settings(deadline=None, max_examples=5)
@given(st.lists(st.text(), min_size=20))
def test_comment_any_text_stays_inside_the_comment(tmp_path_factory, lines):
    need("g++", "g++", linux_only=True)
    lines += ["*/ int x;", "ends with \\", "??/", "日本語/", "a\nint y;", "\x85!"]
    folder = tmp_path_factory.mktemp("comment")
    text = c_files.comment(lines)
    assert text.count("\n") == len(lines)
    (folder / "a.cc").write_text(text + "int main() {}\n", encoding="ascii")
    _call(folder, "g++ -std=c++11 -Wall -Werror -c a.cc")


@settings(deadline=None, max_examples=25)
@given(st.text("ab7é_ .-", min_size=1, max_size=40), st.binary(max_size=40))
def test_xxd_any_name_and_bytes_is_what_xxd_prints(tmp_path_factory, name, content):
    need("xxd", "xxd", linux_only=True)
    folder = tmp_path_factory.mktemp("xxd")
    name = name.lstrip("-.") or "7up"
    (folder / name).write_bytes(content)
    assert c_files.xxd(name, content) == _call(folder, ["xxd", "-i", name])


def test_command_writes_what_xxd_writes(models, tmp_path):
    need("xxd", "xxd", linux_only=True)
    (tmp_path / "mnist-cnn.tflite").write_bytes(models())
    command = [sys.executable, "-m", "helpers.c_files", "mnist-cnn.tflite", "array"]
    assert _call(tmp_path, command) == ""
    expected = _call(tmp_path, "xxd -i mnist-cnn.tflite")
    assert (tmp_path / "array").read_text() == expected


def test_command_without_its_file_ends_with_an_error(tmp_path):
    command = [sys.executable, "-m", "helpers.c_files", "missing.tflite", "array"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
