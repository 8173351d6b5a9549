"""The sketch, built as the Arduino IDE does and run on an emulated Uno, is TFLM."""

import binascii
import hashlib
import re
import shutil
import subprocess
from pathlib import PurePosixPath

import c_programs
import emulated_uno
import numpy as np
import pytest
import serial

from conftest import need, tflm_logits
from helpers import arduino, board, c_files, integer_arithmetic, runs, tflite
from helpers.files import TutorialError

IMAGE = np.arange(784).astype(np.int8)
LOGITS = np.arange(-5, 5)
SHA256 = "0123456789abcdef" * 4


def _files(name):
    files = {path: path.encode() for path in arduino.c_names(name)}
    return arduino.sketch_files(name, files, SHA256, IMAGE, LOGITS)


@pytest.mark.parametrize("name", ["mnist_cnn", "mnist-cnn", "n" * 64])
def test_sketch_folder_has_a_name_that_the_ide_takes(name):
    folders = {PurePosixPath(path).parent for path in _files(name)}
    [only] = folders
    top, folder = only.parts
    assert top == "arduino"
    assert f"arduino/{folder}/{folder}.ino" in _files(name)
    # arduino.github.io/arduino-cli, "Sketch specification"
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", folder)


def test_sketch_folder_holds_only_what_version_1_8_of_the_ide_builds():
    suffixes = {PurePosixPath(path).suffix for path in _files("mnist_cnn")}
    assert suffixes == {".ino", ".c", ".h"}


def test_sketch_for_other_models_is_the_same_file():
    sketch = _files("mnist_cnn")["arduino/mnist_cnn/mnist_cnn.ino"]
    assert _files("other")["arduino/other/other.ino"] == sketch


@pytest.mark.tflm
def test_c_files_of_the_sketch_are_the_published_ones(sketch):
    published = sketch.sketch.parents[2]
    names = arduino.c_names("mnist-cnn")
    assert len(names) == 4
    for name in names:
        copied = (sketch.sketch.parent / name).read_bytes()
        assert copied == (published / name).read_bytes()


@pytest.mark.tflm
def test_sketch_builds_without_warnings_and_fits_an_uno(sketch, capsys):
    with capsys.disabled():
        print(f"\nUno: {sketch.flash_bytes:,} bytes of flash, {sketch.static_bytes:,}")
    warnings = [line for line in sketch.output.splitlines() if "warning" in line]
    assert [line for line in warnings if "/cores/arduino/" not in line] == []
    assert 20_000 < sketch.flash_bytes <= 26_000
    assert 1_100 < sketch.static_bytes <= 1_400


@pytest.mark.tflm
def test_sketch_compiles_for_a_32_bit_board(sketch, tmp_path):
    # There is no such core here, so Arduino.h is a stand-in that declares what the
    # sketch uses. The IDE's own step, which adds prototypes, has been done by `sketch`.
    need("arm-none-eabi-g++", "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib")
    source = sketch.elf.parent / "sketch" / f"{sketch.sketch.name}.cpp"
    shutil.copy(source, tmp_path / "sketch.cpp")
    (tmp_path / "Arduino.h").write_text(ARDUINO_H)
    command = ["arm-none-eabi-g++", "-std=gnu++11", "-fsyntax-only", "-mcpu=cortex-m0"]
    command += ["-Wall", "-Wextra", "-Werror", "-Wconversion", "-I."]
    command += [f"-I{sketch.sketch.parent}", "sketch.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


ARDUINO_H = r"""#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define PROGMEM
#define memcpy_P memcpy
#define memcmp_P memcmp
#define F(text) (text)
#define HEX 16
struct Print {
  virtual size_t write(uint8_t) = 0;
  size_t write(const char*);
  size_t print(const char*);
  size_t print(char);
  size_t print(unsigned char, int = 10);
  size_t print(int, int = 10);
  size_t print(unsigned long, int = 10);
  size_t println();
};
struct SerialPort : Print {
  void begin(unsigned long);
  int available();
  int read();
  size_t write(uint8_t);
};
extern SerialPort Serial;
unsigned long millis();
unsigned long micros();
"""


def _answers(running, images, sha256, patience=5):
    """Return what an `EmulatedUno` answers for images, after its greeting."""
    with serial.serial_for_url(running.url, timeout=patience) as port:
        board.check_model(port, "name", sha256)
        return [board.read(port, image) for image in images]


@pytest.mark.tflm
@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_images_on_an_emulated_uno_give_the_logits_of_tflm(
    count, uno, sketch, candidate, capsys
):
    images = candidate.data["test_images"][:count]
    sha256 = hashlib.sha256(candidate.model_bytes).hexdigest()
    with uno() as running:
        answers = _answers(running, images, sha256)
        stack = running.seen()["stack"]
    logits = np.array([answer.logits for answer in answers])
    digits = [answer.digit for answer in answers]
    milliseconds = [answer.microseconds / 1000 for answer in answers]
    with capsys.disabled():
        print(f"\nUno: {np.mean(milliseconds):.1f} ms, {stack} bytes of stack")
    assert np.array_equal(logits, tflm_logits(candidate.runtime, images))
    assert digits == logits.argmax(axis=1).tolist()
    # 4.4 million clock cycles at least: 179,360 products take more than 20 each.
    assert 275 < min(milliseconds) <= max(milliseconds) <= 450
    # What published/README.md says that the sketch needs, beside the network.
    network = c_files.static_bytes(integer_arithmetic.layers(candidate.runtime.model))
    beside = sketch.static_bytes + stack - network
    assert arduino.SKETCH_BYTES - 60 <= beside <= arduino.SKETCH_BYTES


def _measured(pattern):
    """Return the numbers of a sentence in the measurements."""
    text = (runs.REPOSITORY / "tests" / "benchmarks" / "README.md").read_text("utf-8")
    found = re.search(pattern, text)
    return [int(number.replace(",", "")) for number in found.groups()]


@pytest.mark.tflm
def test_figures_of_an_uno_are_those_of_the_measurements(uno, sketch, candidate):
    emulated_uno.need_compiler_of_the_measurements()
    sha256 = hashlib.sha256(candidate.model_bytes).hexdigest()
    with uno() as running:
        [answer] = _answers(running, candidate.data["test_images"][:1], sha256)
        stack = running.seen()["stack"]
    milliseconds, flash, ram = _measured(
        r"takes (\d+) milliseconds an image and ([\d,]+) bytes of flash, "
        r"with ([\d,]+) bytes of RAM"
    )
    assert answer.microseconds / 1000 == pytest.approx(milliseconds, rel=0.02)
    assert sketch.flash_bytes == pytest.approx(flash, rel=0.02)
    assert sketch.static_bytes + stack == pytest.approx(ram, rel=0.02)


@pytest.fixture(scope="module")
def compact_sketch(sample, models, tmp_path_factory):
    """Return the `Build` of a sketch with the compact network, and its model."""
    emulated_uno.need_tools()
    model_bytes = models("compact")
    layers = integer_arithmetic.layers(tflite.read(model_bytes))
    image = sample["test_images"][:1]
    logits = integer_arithmetic.run(layers, image)[-1].ravel()
    plain_c = c_files.plain_c_files("compact", layers)
    files = arduino.sketch_files("compact", plain_c, SHA256, image.ravel(), logits)
    folder = tmp_path_factory.mktemp("compact")
    c_programs.write(files, folder)
    build = emulated_uno.build(folder / arduino.sketch_path("compact"), folder / "uno")
    return build, model_bytes


@pytest.mark.tflm
def test_compact_on_an_emulated_uno_gives_the_logits_of_tflm_in_a_second(
    uno, compact_sketch, sample, capsys
):
    build, model_bytes = compact_sketch
    images = sample["test_images"][:10]
    with uno(build=build) as running:
        answers = _answers(running, images, SHA256)
        stack = running.seen()["stack"]
    logits = np.array([answer.logits for answer in answers])
    milliseconds = [answer.microseconds / 1000 for answer in answers]
    with capsys.disabled():
        print(
            f"\ncompact on an Uno: {build.flash_bytes:,} bytes of flash, "
            f"{build.static_bytes:,} of RAM and {stack} of stack, "
            f"{np.mean(milliseconds):.1f} ms"
        )
    assert np.array_equal(logits, tflm_logits(tflite.TFLM(model_bytes), images))
    assert 700 < min(milliseconds) <= max(milliseconds) <= 1000
    assert build.static_bytes + stack <= 2048


@pytest.mark.tflm
def test_figures_of_compact_on_an_uno_are_those_of_the_measurements(
    uno, compact_sketch, sample
):
    emulated_uno.need_compiler_of_the_measurements()
    build, _ = compact_sketch
    with uno(build=build) as running:
        [answer] = _answers(running, sample["test_images"][:1], SHA256)
        stack = running.seen()["stack"]
    flash, ram, milliseconds = _measured(
        r"takes ([\d,]+) bytes of flash, ([\d,]+) bytes of RAM .* "
        r"(\d+) milliseconds an image; `pytest"
    )
    assert answer.microseconds / 1000 == pytest.approx(milliseconds, rel=0.02)
    assert build.flash_bytes == pytest.approx(flash, rel=0.02)
    assert build.static_bytes + stack == pytest.approx(ram, rel=0.02)


@pytest.mark.tflm
@pytest.mark.parametrize(("faults", "seed"), [(20, 1), (50, 2)])
def test_bytes_lost_doubled_and_changed_cost_no_right_logit(
    uno, candidate, faults, seed
):
    images = candidate.data["test_images"][:8]
    sha256 = hashlib.sha256(candidate.model_bytes).hexdigest()
    with uno(faults, seed) as running:
        answers = _answers(running, images, sha256, patience=0.5)
        seen = running.seen()
    logits = [answer.logits for answer in answers]
    assert np.array_equal(logits, tflm_logits(candidate.runtime, images))
    assert min(seen["dropped"], seen["doubled"], seen["changed"]) >= 10


def _row(number, pixel="00"):
    content = bytes([number]) + bytes.fromhex(pixel) * 28
    return f":{content.hex()}{binascii.crc_hqx(content, 0xFFFF):04x}"


# Each line that the host sends, and how the line begins that must come back.
CONVERSATIONS = {
    "rows": [(f"{_row(0)}\n", "next 1*"), (f"{_row(1)}\n", "next 2*")],
    "an end of line as in Windows": [(f"{_row(0)}\r\n", "next 1*")],
    "a row twice": [
        (f"{_row(0)}\n", "next 1*"),
        (f"{_row(1)}\n", "next 2*"),
        (f"{_row(1)}\n", "next 2*"),
        (f"{_row(2)}\n", "next 3*"),
    ],
    "a new image": [
        (f"{_row(0)}\n", "next 1*"),
        (f"{_row(1)}\n", "next 2*"),
        (f"{_row(0)}\n", "next 1*"),
    ],
    "a row out of turn": [(f"{_row(0)}\n", "next 1*"), (f"{_row(2)}\n", "again 1*")],
    "a row that no image has": [(f"{_row(28)}\n", "again 0*")],
    "a changed check sum": [(f"{_row(0)[:-1]}7\n", "again 0*")],
    "a changed pixel": [(f":0001{_row(0)[5:]}\n", "again 0*")],
    "a character that is no hex digit": [(f"{_row(0)[:-1]}x\n", "again 0*")],
    "half a row": [(_row(0)[:40], "again 0*"), (f"{_row(0)}\n", "next 1*")],
    "no end of line": [(_row(0), "again 0*"), (f"{_row(0)}\n", "next 1*")],
    "a digit too many": [(f"{_row(0)}0\n", "again 0*")],
    "a digit too few": [(f":{_row(0)[2:]}\n", "again 0*")],
    "no colon": [(f"{_row(0)[1:]}\n", "again 0*")],
    "empty lines": [("\n\r\n\n?", "digits 1, mnist-cnn ")],
    "a new row within a row": [(f"{_row(0)[:9]}{_row(0)}\n", "next 1*")],
    "a question within a row": [
        (f"{_row(0)[:9]}?", "digits 1, mnist-cnn "),
        (f"{_row(0)}\n", "next 1*"),
    ],
}


@pytest.mark.tflm
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_board_replies_as_the_protocol_says(uno, name):
    with uno() as running, serial.serial_for_url(running.url, timeout=5) as port:
        assert port.readline().startswith(b"digits 1, mnist-cnn ")
        assert port.readline().startswith(b"digit ")  # of the image that it carries
        for sent, expected in CONVERSATIONS[name]:
            port.write(sent.encode())
            reply = port.readline().decode()
            assert reply.startswith(expected)
            if expected.startswith("digits"):
                port.readline()  # the last answer, for people


@pytest.mark.tflm
def test_row_that_comes_twice_is_taken_once(uno, candidate):
    rows = candidate.data["test_images"][0].reshape(28, 28)
    with uno() as running, serial.serial_for_url(running.url, timeout=5) as port:
        port.readline()
        port.readline()
        for number, pixels in enumerate(rows):
            content = bytes([number]) + pixels.tobytes()
            line = f":{content.hex()}{binascii.crc_hqx(content, 0xFFFF):04x}\n"
            for _ in range(2):
                port.write(line.encode())
                reply = port.readline().decode()
    [logits] = re.findall(r"logits([ 0-9-]+),", reply)
    expected = tflm_logits(candidate.runtime, candidate.data["test_images"][:1])[0]
    assert [int(value) for value in logits.split()] == expected.tolist()


@pytest.mark.tflm
def test_sketch_with_a_wrong_logit_says_that_its_self_test_failed(
    uno, sketch, candidate, tmp_path
):
    folder = tmp_path / sketch.sketch.parent.name
    shutil.copytree(sketch.sketch.parent, folder)
    header = folder / "model.h"
    *before, logits = header.read_text().split("PROGMEM = {\n")
    first = int(logits.split(",")[0])
    wrong = logits.replace(str(first), str(-1 - first), 1)
    header.write_text("PROGMEM = {\n".join([*before, wrong]))
    build = emulated_uno.build(folder / sketch.sketch.name, tmp_path / "uno")
    sha256 = hashlib.sha256(candidate.model_bytes).hexdigest()
    refused = pytest.raises(TutorialError, match="computes other logits than it should")
    with uno(build=build) as running, refused:
        _answers(running, [], sha256)
