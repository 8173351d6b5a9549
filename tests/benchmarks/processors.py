"""What the published C takes on a Cortex-M3 and a Cortex-M0, by two compilers.

    python -m tests.benchmarks.processors [--runs mnist_cnn compact] [--images 200]

Compiles the plain C of published runs with zig and, where it is installed, with GCC for
Arm, for speed and for size; runs test images on processors that unicorn emulates; and
prints a table in Markdown. Flash, RAM and stack are bytes of the function alone,
without the program around it. Instructions are those for one image, no clock cycles.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers import c_templates, emulator, integer_arithmetic, runs, tflite
from helpers.processors import PROCESSORS

RAM = 8192  # more than any network of the tutorial needs
COMMON = ["-std=c99", "-ffreestanding", "-ffunction-sections", "-Wl,--gc-sections"]


@dataclass(frozen=True)
class Compiler:
    """A compiler for processors of Arm without an operating system."""

    name: str
    command: list
    underscore: bool  # whether names are written as in cortex_m3


ZIG = Compiler(
    name="zig",
    command=[
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        "thumb-freestanding-eabi",
        "-fno-sanitize=all",
    ],
    underscore=True,
)
GCC = Compiler(
    name="GCC",
    command=["arm-none-eabi-gcc", "-mthumb", "-nostartfiles", "-nolibc"],
    underscore=False,
)


def main():
    """Measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.processors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", nargs="+", default=["mnist_cnn"], metavar="NAME")
    parser.add_argument("--images", type=int, default=200)
    options = parser.parse_args()
    print(
        "| run | processor | compiler | flash | static RAM | with the image | stack | "
        "instructions | logits that differ |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name in options.runs:
        run = runs.Run(name)
        images = run.load("02_preprocessed.npz")["test_images"][: options.images]
        for processor in PROCESSORS:
            for compiler in _compilers():
                for optimize in ("-O2", "-Os"):
                    print(_row(run, images, processor, compiler, optimize))


def _compilers():
    return [ZIG, GCC] if shutil.which(GCC.command[0]) else [ZIG]


def _row(run, images_i8, processor, compiler, optimize):
    published = run.folder / runs.PUBLISHED
    model = tflite.read((published / f"{run.name}_int8.tflite").read_bytes())
    layers = integer_arithmetic.layers(model)
    expected = integer_arithmetic.run(layers, images_i8)[-1].reshape(-1, 10)
    program = _compiled(run, processor, compiler, optimize)
    ran = emulator.run(program, processor, RAM, images_i8.tobytes())
    found = np.frombuffer(bytes.fromhex(ran["logits"]), np.int8).reshape(-1, 10)
    static = program.static_bytes
    cells = [
        run.name,
        processor,
        f"{compiler.name} {optimize}",
        f"{len(program.flash):,}",
        f"{static:,}",
        f"{static + emulator.IMAGE_BYTES:,}",
        f"{ran['stack_bytes']:,}",
        f"{ran['instructions'] / 1e6:.3f} M",
        f"{np.count_nonzero(found != expected):,} of {found.size:,}",
    ]
    return f"| {' | '.join(cells)} |"


def _compiled(run, processor, compiler, optimize):
    """Return the `emulator.Program` that a compiler makes of a run's published C."""
    if compiler.underscore:
        processor = processor.replace("-", "_")
    function = f"{c_templates.c_name(run.name)}_classify"
    numbers = f"{run.name}_int8_inference"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        program = folder / "program.elf"
        for path in ("cnn_int8.c", "cnn_int8.h", f"{numbers}.c", f"{numbers}.h"):
            shutil.copy(run.folder / runs.PUBLISHED / path, folder)
        command = [*compiler.command, f"-mcpu={processor}", optimize]
        command += COMMON
        command += [f"-Wl,-e,{function}", "-T", c_templates.FOLDER / "cortex_m.ld"]
        command += [folder / "cnn_int8.c", folder / f"{numbers}.c", "-o", program]
        subprocess.run(command, check=True)
        return emulator.read_elf(program.read_bytes())


if __name__ == "__main__":
    main()
