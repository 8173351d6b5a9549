"""The published C on emulated processors, on this computer, and as WebAssembly.

Figures of `helpers.processors` are held against programs whose figures are known, and
against GCC and QEMU, which have nothing in common with zig and unicorn.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import c_programs
import numpy as np
import pytest

from conftest import need
from helpers import c_files, c_templates, emulator, processors, tflite
from helpers import integer_arithmetic as ia
from helpers.files import TutorialError

NAME = "mnist-cnn"  # the functions are mnist_cnn_int8_…
CORTEX_M = Path(__file__).parent / "cortex_m"
NETWORKS = ["tutorial", "compact"]
RAM = {"tutorial": 2048, "compact": 4096}
STATIC = {"tutorial": (900, 1100), "compact": (1400, 1600)}  # without a whole image
FLASH = {"tutorial": (18_500, 19_600), "compact": (14_400, 15_600)}
INSTRUCTIONS = {  # an image, zig's -Os
    ("tutorial", "cortex-m3"): (0.80e6, 0.95e6),
    ("tutorial", "cortex-m0"): (1.65e6, 2.00e6),
    ("compact", "cortex-m3"): (1.95e6, 2.40e6),
    ("compact", "cortex-m0"): (3.9e6, 4.8e6),
}
# QEMU's machine, start of its flash, and the clock that its SysTick counts, in Hz.
BOARDS = {
    "cortex-m3": ("stm32vldiscovery", 0x0800_0000, 24_000_000),
    "cortex-m0": ("microbit", 0, 16_000_000),
}
BY_GCC = {  # an image
    ("tutorial", "cortex-m3", "-O2"): (0.74e6, 0.90e6),
    ("tutorial", "cortex-m3", "-Os"): (0.80e6, 1.00e6),
    ("tutorial", "cortex-m0", "-O2"): (1.30e6, 1.60e6),
    ("compact", "cortex-m3", "-O2"): (1.80e6, 2.10e6),
}
# A function with 210 instructions, of which 200 are a loop's. It keeps eight bytes on
# the stack and answers with the first ten pixels.
KNOWN = """
__attribute__((naked)) int mnist_cnn_int8_classify(const char* image, char* logits) {
  __asm__(
      "push {r4, r5}\\n"
      "movw r2, #99\\n"
      "1: subs.w r2, r2, #1\\n"
      "bpl 1b\\n"
      "ldr r4, [r0]\\n str r4, [r1]\\n"
      "ldr r4, [r0, #4]\\n str r4, [r1, #4]\\n"
      "ldrh r4, [r0, #8]\\n strh r4, [r1, #8]\\n"
      "pop {r4, r5}\\n"
      "bx lr\\n");
}
"""
FUNCTION = "int mnist_cnn_int8_classify(const char* image, char* logits)"


@pytest.fixture(scope="session")
def network(models, sample):
    """Return a function from a network's name to its C, images and TFLM's logits."""
    found = {}

    def get(name):
        if name not in found:
            runtime = tflite.tflm_or_stand_in(models(name))
            layers = ia.layers(runtime.model)
            images = sample["test_images"]
            _, logits = runtime.run_with_logits(images, layers[-1].tensor)
            found[name] = c_files.plain_c_files(NAME, layers), images, logits
        return found[name]

    return get


def _program(text, header=""):
    """Return the files of a program of a test's own in place of a network."""
    return {
        f"{NAME}_int8_inference.c": text.encode(),
        f"{NAME}_int8_inference.h": header.encode(),
    }


IMAGES = np.arange(3 * 784, dtype=np.int8).reshape(3, 28, 28, 1)


def _within(value, limits):
    return limits[0] <= value <= limits[1]


@pytest.mark.tflm
@pytest.mark.parametrize("processor", ["cortex-m3", "cortex-m0"])
@pytest.mark.parametrize("name", NETWORKS)
def test_emulated_processor_gives_the_logits_of_tflm(network, name, processor, capsys):
    files, images, logits = network(name)
    count = 200 if name == "tutorial" else 20
    run = processors.emulate(NAME, files, images[:count], processor, RAM[name])
    with capsys.disabled():
        print(f"\n{name}, zig -Os, {processor}: {_figures(run)}")
    assert np.array_equal(run.logits, logits[:count])
    assert _within(run.flash_bytes, FLASH[name])
    assert _within(run.static_bytes, STATIC[name])
    assert _within(run.stack_bytes, (100, 224))
    assert run.used_bytes == run.static_bytes + 794 + run.stack_bytes
    assert run.used_bytes <= RAM[name]
    assert _within(run.instructions, INSTRUCTIONS[name, processor])


def _figures(run):
    return (
        f"{run.flash_bytes:,} bytes of flash, {run.static_bytes:,} of static RAM, "
        f"{run.used_bytes:,} with image, logits and {run.stack_bytes} of stack; "
        f"{run.instructions:,} instructions an image"
    )


@pytest.mark.tflm
@pytest.mark.parametrize("name", NETWORKS)
def test_header_states_the_static_memory(network, name):
    files, images, _ = network(name)
    header = files[f"{NAME}_int8_inference.h"].decode()
    [stated] = re.findall(r"_STATIC_BYTES (\d+)\n", header)
    run = processors.emulate(NAME, files, images[:1], "cortex-m3", RAM[name])
    assert _within(run.static_bytes - int(stated), (0, 3))  # for alignment


@pytest.mark.tflm
@pytest.mark.parametrize("name", NETWORKS)
def test_this_computer_gives_the_logits_of_tflm(network, name):
    files, images, logits = network(name)
    assert np.array_equal(processors.run_here(NAME, files, images), logits)


def test_known_program_has_its_known_figures():
    run = processors.emulate(NAME, _program(KNOWN), IMAGES, "cortex-m3", 1024)
    assert run.logits.tolist() == IMAGES.reshape(3, -1)[:, :10].tolist()
    assert run.instructions == 2 + 2 * 100 + 8
    assert run.stack_bytes == 8
    assert run.static_bytes == 0
    assert run.flash_bytes == 28 + 2  # its instructions, and a trap after them
    assert run.processor == "cortex-m3"


def test_variables_of_a_program_are_static_bytes():
    text = f"static char kept[100];\n{FUNCTION} {{\n"
    text += "  kept[image[0] & 63] = 1;\n  logits[0] = kept[image[1] & 63];\n"
    text += "  return 0;\n}\n"
    run = processors.emulate(NAME, _program(text), IMAGES, "cortex-m0", 1024)
    assert run.static_bytes == 100


def test_all_processors_run_the_same_images():
    text = f"{FUNCTION} {{\n  logits[0] = image[1];\n  return 0;\n}}\n"
    ran = processors.emulate_all(NAME, _program(text), IMAGES, 1024)
    assert [run.processor for run in ran] == ["cortex-m3", "cortex-m0"]
    for run in ran:
        assert run.logits[:, 0].tolist() == IMAGES.reshape(3, -1)[:, 1].tolist()


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        # Volatile, so that a compiler leaves them in.
        ("*(volatile char*)0x20000400 = 1;", "stopped: Invalid memory write"),
        ("logits[0] = *(volatile char*)0x1FFFFFFF;", "stopped: Invalid memory read"),
        ("*(volatile char*)0x100 = 1;", "stopped: Write to write-protected memory"),
        ("volatile char big[500];\n  big[image[0] & 255] = 0;", "its stack ran into"),
        (
            "volatile char big[3000];\n  big[image[0] & 3] = 0;",
            "stopped: Invalid memory",
        ),
        ("static char big[300];\n  logits[0] = big[image[0]]++;", "1,094 bytes of RAM"),
        (  # no byte is left for the stack
            "static char big[230];\n  logits[0] = big[image[0] & 127]++;",
            "needs 1,024 bytes of RAM and a stack",
        ),
        ("static char given = 3;\n  logits[0] = given++;", "variables with a value"),
    ],
)
def test_program_beyond_its_memory_is_one_sentence(body, finding):
    text = f"{FUNCTION} {{\n  {body}\n  return 0;\n}}\n"
    expected = rf"On an emulated cortex-m3 with 1,024 bytes.*{finding}.*; give it more"
    with pytest.raises(TutorialError, match=expected):
        processors.emulate(NAME, _program(text), IMAGES, "cortex-m3", 1024)


def test_stack_that_is_too_deep_for_a_later_image_is_noticed():
    # Instructions are counted, and every write is looked at, for the first image alone.
    text = "static __attribute__((noinline)) void deep(void) {\n"
    text += "  volatile char big[240];\n"
    text += "  for (int i = 0; i < 240; ++i) big[i] = 1;\n}\n"
    text += f"{FUNCTION} {{\n  if (image[0] != 0) deep();\n"
    text += "  logits[0] = 0;\n  return 0;\n}\n"
    assert IMAGES[0, 0, 0, 0] == 0 and IMAGES[1, 0, 0, 0] != 0
    with pytest.raises(TutorialError, match="its stack ran into its variables"):
        processors.emulate(NAME, _program(text), IMAGES, "cortex-m3", 1024)


def test_source_that_does_not_compile_is_one_sentence():
    with pytest.raises(TutorialError, match=r"compiler zig ended with .* error: "):
        processors.run_here(NAME, _program("not C"), IMAGES)


def test_program_that_does_not_end_is_one_sentence(monkeypatch):
    text = f"{FUNCTION} {{\n  for (;;) *(volatile char*)logits = 1;\n}}\n"
    run = subprocess.run

    def run_for_a_second(command, **options):
        if "helpers.emulator" in command:
            options["timeout"] = 1
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", run_for_a_second)
    with pytest.raises(TutorialError, match="The emulator did not end within 600 s"):
        processors.emulate(NAME, _program(text), IMAGES, "cortex-m3", 1024)


def _shadow(monkeypatch, folder, package, text):
    """Let processes of their own find another package than the one installed."""
    (folder / f"{package}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_emulator_that_crashes_is_one_sentence(monkeypatch, tmp_path):
    _shadow(monkeypatch, tmp_path, "unicorn", "import os\nos.abort()\n")
    with pytest.raises(TutorialError, match=r"emulator ended with code .*; run pip"):
        processors.emulate(NAME, _program(KNOWN), IMAGES, "cortex-m3", 1024)


def test_compiler_that_cannot_start_is_one_sentence(monkeypatch, tmp_path):
    _shadow(monkeypatch, tmp_path, "ziglang", "raise SystemExit('Illegal instruction')")
    expected = r"zig ended with code 1 .*Illegal instruction'; run pip install .*TMPDIR"
    with pytest.raises(TutorialError, match=expected):
        processors.run_here(NAME, _program(KNOWN), IMAGES)


def test_folder_that_forbids_programs_is_one_sentence(monkeypatch):
    run = subprocess.run

    def refuse(command, **options):
        if Path(command[0]).name == "program.exe":
            raise PermissionError(13, "Permission denied")
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", refuse)
    text = f"{FUNCTION} {{ return 0; }}\n"
    header = f"#include <stdint.h>\n{FUNCTION.replace('char', 'int8_t')};\n"
    header += "#define MNIST_CNN_INT8_IMAGE_BYTES 784\n"
    header += "#define MNIST_CNN_INT8_LOGITS 10\n"
    text = header + text.replace("char", "int8_t")
    with pytest.raises(TutorialError, match=r"Permission denied; set .*TMPDIR"):
        processors.run_here(NAME, _program(text, header), IMAGES)


def test_folder_that_is_not_there_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(TutorialError, match=r"TMPDIR"):
        processors.webassembly(NAME, _program(KNOWN))


def test_webassembly_exports_the_function(network):
    module = processors.webassembly(NAME, network("tutorial")[0])
    assert module.startswith(b"\0asm\1\0\0\0")
    assert b"mnist_cnn_int8_classify" in module
    assert len(module) < 25_000


def test_what_is_compiled_is_byte_for_byte_what_is_published(monkeypatch, network):
    files = {"mnist-cnn_int8.cc": b"not C", "arduino/a.c": b"not here"}
    files.update(network("tutorial")[0])
    compiled = []
    run = subprocess.run

    def look(command, **options):
        found = {}
        for path in Path(options["cwd"]).glob("*.[ch]"):
            found[path.name] = path.read_bytes()
        if "ziglang" in command:
            compiled.append(found)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", look)
    images = np.zeros((1, 28, 28, 1), np.int8)
    processors.emulate(NAME, files, images, "cortex-m3", 2048)
    processors.run_here(NAME, files, images)
    processors.webassembly(NAME, files)
    assert compiled == [network("tutorial")[0]] * 3


@pytest.mark.parametrize(
    ("units", "instructions"),
    [
        ([], 0),
        ([0x4770, 0x4770], 2),  # bx lr, twice
        ([0xF000, 0xF800, 0x4770], 2),  # bl, bx lr
        ([0xE7FE, 0xE800, 0x0000, 0xFFFF, 0xFFFF], 3),  # b, and two of 32 bits
    ],
)
def test_instructions_of_16_and_32_bits_are_counted(units, instructions):
    assert emulator.instructions_in(np.array(units, "<u2").tobytes()) == instructions


def _gcc(processor, optimize, files):
    """Return a command that compiles the plain C for a processor of Arm."""
    options = "-mthumb -std=c99 -ffreestanding -nostartfiles -nolibc -I."
    options += " -ffunction-sections -Wl,--gc-sections"
    command = ["arm-none-eabi-gcc", f"-mcpu={processor}", optimize]
    command += options.split()
    command += [path for path in files if path.endswith(".c")]
    return command


@dataclass(frozen=True)
class OnQemu:
    """What the plain C took on a board that QEMU emulates, and what it answered."""

    logits: np.ndarray
    flash_bytes: int
    static_bytes: int  # with the image
    instructions: int


def _on_qemu(folder, files, images_i8, processor, optimize, ram_bytes):
    """Compile the plain C with GCC and run it on a board that QEMU emulates."""
    machine, flash_start, clock_hz = BOARDS[processor]
    c_programs.write(files, folder)
    images_i8.tofile(folder / "images.bin")
    command = _gcc(processor, optimize, files)
    command += ["-include", f"{NAME}_int8_inference.h"]
    command += ["-DCLASSIFY=mnist_cnn_int8_classify", CORTEX_M / "start.c"]
    command += ["-T", CORTEX_M / "link.ld", f"-Wl,--defsym=flash_start={flash_start}"]
    command += [f"-Wl,--defsym=flash_size={128 << 10},--defsym=ram_size={ram_bytes}"]
    c_programs.call(folder, [*command, "-o", "program.elf"])
    # With shift=0 an instruction takes 1 ns of the time that the clock counts.
    qemu = f"qemu-system-arm -M {machine} -icount shift=0 -semihosting -display none"
    qemu += " -monitor none -kernel program.elf"
    c_programs.call(folder, qemu.split())
    results = np.fromfile(folder / "results.bin", [("logits", "i1", 10), ("t", "<u4")])
    size = c_programs.call(folder, ["arm-none-eabi-size", "program.elf"])
    text, data, bss = (int(number) for number in size.split()[6:9])
    return OnQemu(
        logits=results["logits"],
        flash_bytes=text + data,
        static_bytes=data + bss,
        instructions=round(results["t"].mean() * 1e9 / clock_hz),
    )


@pytest.mark.tflm
@pytest.mark.parametrize(("name", "processor", "optimize"), BY_GCC)
def test_gcc_and_qemu_agree(network, tmp_path, name, processor, optimize, capsys):
    need("arm-none-eabi-gcc", "gcc-arm-none-eabi", linux_only=True)
    need("qemu-system-arm", "qemu-system-arm", linux_only=True)
    files, images, logits = network(name)
    count = 200 if name == "tutorial" else 40
    ram_bytes = RAM[name] + 160  # the program that reads the files needs some, too
    run = _on_qemu(tmp_path, files, images[:count], processor, optimize, ram_bytes)
    with capsys.disabled():
        print(
            f"\n{name}, GCC {optimize}, {processor}: {run.flash_bytes:,} bytes of "
            f"flash, {run.static_bytes:,} of static RAM with the image; "
            f"{run.instructions:,} instructions an image"
        )
    assert np.array_equal(run.logits, logits[:count])
    assert _within(run.flash_bytes, FLASH[name])
    assert _within(run.static_bytes - 784, STATIC[name])
    assert run.static_bytes <= 1900 or name == "compact"
    assert _within(run.instructions, BY_GCC[name, processor, optimize])


@pytest.mark.tflm
def test_unicorn_counts_as_many_instructions_as_qemu(network, tmp_path):
    need("arm-none-eabi-gcc", "gcc-arm-none-eabi", linux_only=True)
    need("qemu-system-arm", "qemu-system-arm", linux_only=True)
    files, images, _ = network("tutorial")
    by_qemu = _on_qemu(tmp_path, files, images[:1], "cortex-m3", "-O2", 4096)
    command = _gcc("cortex-m3", "-O2", files)
    command += ["-Wl,-e,mnist_cnn_int8_classify", "-o", "function.elf"]
    command += ["-T", c_templates.FOLDER / "cortex_m.ld"]
    c_programs.call(tmp_path, command)
    program = emulator.read_elf((tmp_path / "function.elf").read_bytes())
    chip = emulator.Microcontroller(program, "cortex-m3", 2048)
    by_unicorn = chip.count_and_check(images[0].tobytes())
    assert abs(by_unicorn - by_qemu.instructions) <= 100  # its clock has steps of 42
