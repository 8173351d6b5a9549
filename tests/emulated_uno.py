"""Build a sketch as the Arduino IDE does, and run it on an emulated Arduino Uno."""

import ctypes.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import need

_HOST = Path(__file__).with_suffix(".c")
_HARDWARE = Path("/usr/share/arduino/hardware")
_BUILDER = Path("/usr/share/arduino-builder")


@dataclass(frozen=True)
class Build:
    """A built sketch, and what the builder said."""

    sketch: Path
    elf: Path
    flash_bytes: int
    static_bytes: int  # of RAM
    output: str


def need_tools():
    """Skip a test where the Arduino builder or the emulator is missing."""
    need("arduino-builder", "arduino-builder arduino-core-avr", linux_only=True)
    need("avr-gcc", "gcc-avr avr-libc", linux_only=True)
    need("gcc", "gcc", linux_only=True)
    if not _HARDWARE.exists() or not ctypes.util.find_library("simavr"):
        pytest.skip(
            "needs an Uno's core and simavr: apt-get install arduino-core-avr "
            "simavr libsimavr-dev libelf-dev"
        )


def need_compiler_of_the_measurements():
    """Skip a test of exact figures where another compiler gives other ones."""
    command = ["avr-gcc", "-dumpversion"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    if found.stdout.strip() != "5.4.0":
        pytest.skip("needs avr-gcc 5.4.0, with which the figures were measured")


def build(sketch, folder):
    """Build the sketch at the path `sketch` for an Uno, inside of `folder`."""
    folder.mkdir()
    command = [
        "arduino-builder",
        "-compile",
        f"-hardware={_HARDWARE}",
        f"-hardware={_BUILDER}",
        f"-tools={_BUILDER}",
        "-fqbn=arduino:avr:uno",
        "-ide-version=10819",
        "-warnings=all",
        # Debian's core uses a macro that its compiler knows by another name.
        "-prefs=compiler.cpp.extra_flags=-DDECIMAL_DIG=__DECIMAL_DIG__",
        f"-build-path={folder}",
        sketch,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    flash = re.search(r"Sketch uses (\d+) bytes", output)[1]
    static = re.search(r"Global variables use (\d+) bytes", output)[1]
    elf = folder / f"{sketch.name}.elf"
    return Build(sketch, elf, int(flash), int(static), output)


class EmulatedUno:
    """An Uno that runs an ELF file, with its serial port at `url`.

    Of 10,000 bytes in either direction `faults` are lost, doubled or changed.
    """

    def __init__(self, host, elf, faults=0, seed=1):
        arguments = [host, elf, str(faults), str(seed)]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        self.url = f"socket://localhost:{self._read('port')['port']}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.unplug()

    def unplug(self):
        """End the emulator, as if somebody pulled the cable."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def seen(self):
        """Return by name what the emulator counted, when the connection has ended."""
        return self._read("stack")

    def _read(self, word):
        """Return the numbers in the next line that begins with `word`, by name."""
        for line in self._process.stdout:
            if line.startswith(word):
                found = re.findall(r"(\w+) (\d+)", line)
                return {name: int(value) for name, value in found}
        raise AssertionError(f"the emulator ended before it wrote {word!r}")


def compile_host(folder):
    """Compile the emulator in `folder`; return the path of the program."""
    program = folder / "emulated_uno"
    options = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror"]
    command = [*options, _HOST, "-o", program, "-lsimavr", "-lelf"]
    subprocess.run(command, check=True)
    return program
