"""Running the plain C of `helpers.c_files`, here and on emulated microcontrollers.

``tests/boards/`` has a program that reads images and writes logits, for this computer
and, with start-up code and linker script, for two boards that QEMU emulates.
"""

import shutil
import subprocess
import tempfile
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from helpers import c_files
from helpers.files import TutorialError
from helpers.runs import REPOSITORY

HARNESS = REPOSITORY / "tests" / "boards"
BOARDS = (  # QEMU's machine, GCC's processor, clock in Hz, start of flash, flash, RAM
    ("stm32vldiscovery", "cortex-m3", 24_000_000, 0x0800_0000, 128 << 10, 8 << 10),
    ("microbit", "cortex-m0", 16_000_000, 0, 256 << 10, 16 << 10),
)
_TIMEOUT = 900  # seconds, for each compiler and each program

_FIELDS = "board processor clock_hz flash_bytes ram_bytes instructions logits"
BoardRun = namedtuple("BoardRun", _FIELDS)
"""What the network took on an emulated board, and its int8 logits, (images, 10).

`flash_bytes` is the whole program: code, weights, start-up and file access. `ram_bytes`
is static memory with the image, without the stack. `instructions` is the mean of an
image: not clock cycles, which QEMU does not emulate.
"""


def run_on_pc(name, c_source, images_i8, compiler=()):
    """Compile the source for this computer and return the logits of many images.

    None if no compiler works; `compiler` may be a command with options.
    """
    found = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    # Without Apple's developer tools, macOS' cc only says how to install them.
    works = found and not subprocess.run([found, "-v"], capture_output=True).returncode
    if not (compiler or works):
        return None
    compiler = compiler or [found, "-std=c99", "-O2"]
    return _run(name, c_source, images_i8, compiler, "pc.c", ["program"])[0]["logits"]


def run_on_boards(name, c_source, images_i8, boards=BOARDS):
    """Compile the source for emulated boards and run it there on many images.

    Returns a list of `BoardRun`, empty if `missing_tools` has something to say.
    """

    def run(board):
        machine, processor, clock_hz, start, flash, ram = board
        compiler = ["arm-none-eabi-gcc", "-std=c99", "-O2", f"-mcpu={processor}"]
        compiler += ["-mthumb", "-ffreestanding", "-nostartfiles", "-nolibc"]
        compiler += ["-T", HARNESS / "board.ld", f"-Wl,--defsym=flash_start={start}"]
        compiler += [f"-Wl,--defsym=flash_size={flash},--defsym=ram_size={ram}"]
        # With shift=0 an instruction takes 1 ns of the time that the clock counts.
        qemu = ["qemu-system-arm", "-M", machine, "-icount", "shift=0", "-semihosting"]
        qemu += ["-display", "none", "-monitor", "none", "-kernel", "program"]
        calls = compiler, "board.c", qemu, ["arm-none-eabi-size", "program"]
        results, size = _run(name, c_source, images_i8, *calls)
        text, data, bss = map(int, size.splitlines()[1].split()[:3])
        instructions = round(results["ticks"].mean() * 1e9 / clock_hz)
        figures = clock_hz, text + data, data + bss, instructions
        return BoardRun(machine, processor, *figures, results["logits"])

    with ThreadPoolExecutor() as pool:  # each has its own processes
        return list(pool.map(run, [] if missing_tools() else boards))


def missing_tools():
    """Return a sentence that says what to install to emulate boards, or ``""``."""
    if all(map(shutil.which, ("arm-none-eabi-gcc", "qemu-system-arm"))):
        return ""
    return "To emulate boards (Debian): apt install gcc-arm-none-eabi qemu-system-arm"


def _run(name, c_source, images_i8, compiler, port, *commands):
    """Return a record for each image, and what the last command printed."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, stem = Path(temporary), f"{name}_int8_inference"
        (folder / f"{stem}.h").write_text(c_files.inference_header(name))
        (folder / f"{stem}.c").write_text(c_source)
        images_i8.tofile(folder / "images.bin")
        function = f"{c_files.identifier(name)}_int8_classify"
        compiler = [*compiler, "-I.", "-include", f"{stem}.h", f"-DCLASSIFY={function}"]
        compiler += [f"{stem}.c", HARNESS / "run_images.c"]
        for command in ([*compiler, HARNESS / port, "-o", "program"], *commands):
            printed = _call(command, folder)
        record = [("logits", "i1", 10), ("ticks", "<u4")]
        return np.fromfile(folder / "results.bin", record), printed


def _call(command, folder):
    what = f"{command[0]}, called to compile or run the plain C file,"
    command = [folder / "program.exe" if c == "program" else c for c in command]
    options = {"cwd": folder, "capture_output": True, "errors": "replace"}
    try:
        done = subprocess.run(command, timeout=_TIMEOUT, check=True, **options)
    except (OSError, subprocess.SubprocessError) as error:
        said = " ".join(str(getattr(error, "stderr", "") or error).split())
        raise TutorialError(f"{what} failed: {said[:400]}") from error
    return done.stdout
