"""The network as plain C, without an interpreter: its source, and running it.

``inference.c.j2`` is the source without a model's numbers. To run it, ``tests/boards/``
has a program that reads images and writes logits, for this computer and, with start-up
code and linker script, for two microcontrollers that QEMU emulates.
"""

import shutil
import subprocess
import tempfile
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from helpers.c_files import comment, identifier, render
from helpers.parameters import TutorialError
from helpers.runs import REPOSITORY

HARNESS = REPOSITORY / "tests" / "boards"
BOARDS = (  # QEMU's machine, GCC's processor, clock in Hz, start of flash, flash, RAM
    ("stm32vldiscovery", "cortex-m3", 24_000_000, 0x0800_0000, 128 << 10, 8 << 10),
    ("microbit", "cortex-m0", 16_000_000, 0, 256 << 10, 16 << 10),
)
_TIMEOUT = 900  # seconds, for each compiler and each program

_FIELDS = "board processor clock_hz flash_bytes ram_bytes instructions seconds logits"
BoardRun = namedtuple("BoardRun", _FIELDS)
"""What the network took on an emulated board, and its int8 logits, (images, 10).

`flash_bytes` is the whole program: code, weights, start-up and file access. `ram_bytes`
is static memory with the image, without the stack. `instructions` is the mean of an
image: not clock cycles, which QEMU does not emulate; `seconds` is one cycle for each.
"""


def header(name):
    """Return ``<name>_int8_inference.h``, which declares the one function."""
    return render("inference.h.j2", name)


def source(name, layers, about):
    """Return ``<name>_int8_inference.c``, which is C99 and C++17.

    `layers` are those of `helpers.integer_arithmetic`; `about`, lines that say what the
    model is, becomes a comment. TutorialError if an accumulator might overflow.
    """
    biases = [_bias_with_zero_point(layer) for layer in layers]
    sizes = [int(np.prod(layer.output_shape)) for layer in layers[:-1]]
    return render(
        "inference.c.j2",
        name,
        about=comment(about),
        layers=list(zip(layers, biases, strict=True)),
        buffers=[max(sizes[first::2], default=1) for first in (0, 1)],
    )


def run_on_pc(name, c_source, images_i8, compiler=()):
    """Compile the source for this computer and return the logits of many images.

    None if there is no compiler. `compiler` may be a command with options; else it is
    the first of cc, gcc and clang.
    """
    found = [c for c in ("cc", "gcc", "clang") if shutil.which(c)]
    compiler = compiler or [*found[:1], "-std=c99", "-O2"]
    if not shutil.which(compiler[0]):
        return None
    call = compiler, "pc.c", ["program"]
    return _run(name, c_source, images_i8, *call)[0]["logits"]


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
        figures = text + data, data + bss, instructions, instructions / clock_hz
        return BoardRun(machine, processor, clock_hz, *figures, results["logits"])

    with ThreadPoolExecutor() as pool:  # each has its own processes
        return list(pool.map(run, [] if missing_tools() else boards))


def missing_tools():
    """Return a sentence that says what to install to emulate boards, or ``""``."""
    if all(map(shutil.which, ("arm-none-eabi-gcc", "qemu-system-arm"))):
        return ""
    packages = "`apt install gcc-arm-none-eabi qemu-system-arm` on Debian and Ubuntu"
    return f"Emulated boards need Arm's compiler and QEMU: {packages}."


def _run(name, c_source, images_i8, compiler, port, *commands):
    """Return a record for each image, and what the last command printed."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, stem = Path(temporary), f"{name}_int8_inference"
        (folder / f"{stem}.h").write_text(header(name))
        (folder / f"{stem}.c").write_text(c_source)
        images_i8.tofile(folder / "images.bin")
        compiler = [*compiler, "-I.", f"-DCLASSIFY={identifier(name)}_int8_classify"]
        compiler += ["-include", f"{stem}.h", f"{stem}.c", HARNESS / "run_images.c"]
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


def _bias_with_zero_point(layer):
    """Return bias − input zero point · sum of weights: what does not need the image."""
    weights = layer.weights.reshape(len(layer.bias), -1).astype(np.int64)
    bias = layer.bias - layer.input_zero_point * weights.sum(axis=1)
    largest = np.abs(bias) + 128 * np.abs(weights).sum(axis=1)
    if np.any(largest << np.maximum(layer.shift, 0) >= 2**31 - 128):
        raise TutorialError(
            f"A layer of {len(bias)} filters can reach {largest.max():,}, but plain C "
            "has 32 bits for it; train the network again with another seed."
        )
    return bias
