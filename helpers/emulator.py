"""A program of its own that emulates a Cortex-M: `helpers.processors` starts it.

    python -m helpers.emulator PROGRAM.ELF PROCESSOR RAM_BYTES

It reads images, 784 int8 pixels each, from standard input, runs the program's entry
function on each, and prints as JSON what that took and the logits, or an error.

The processor is emulated by `unicorn <https://www.unicorn-engine.org>`_, QEMU's
processors as a library, under the GPLv2. It runs in this process alone, is no part of
what is published, and a crash in it ends nothing else.

There is no start-up code and no operating system: flash and RAM are mapped, an image is
written into RAM, four registers are set, and the processor runs until the function
returns. An access outside the mapped memory ends the run with an error.
"""

import json
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import unicorn
from unicorn import arm_const

IMAGE_BYTES = 784
LOGITS = 10
_FLASH = 0  # this and the next two as in c/cortex_m.ld
_FLASH_BYTES = 128 * 1024
_RAM = 0x2000_0000
_RETURN = _FLASH + _FLASH_BYTES - 2  # an address where no code is
_PAINT = b"\xa5"  # what RAM that nothing has used is filled with
_COLLISION = "needs more RAM: its stack ran into its variables"
_LOAD = 1  # type of a segment that belongs into memory, in the ELF specification


@dataclass(frozen=True)
class Program:
    """What an ELF file puts into memory."""

    flash: bytes  # code and constants, from address 0
    static_bytes: int  # variables, from the start of RAM; all begin as 0
    entry: int  # address of the function, plus 1, which stands for Thumb code


class EmulatorError(Exception):
    """What the program did that its processor and memory do not allow."""


def read_elf(content):
    """Return the `Program` in the bytes of a 32-bit ELF file.

    Source: "Tool Interface Standard (TIS) Executable and Linking Format", version 1.2.
    """
    entry, table = struct.unpack_from("<II", content, 24)  # e_entry, e_phoff
    header_bytes, count = struct.unpack_from("<HH", content, 42)  # e_phentsize, e_phnum
    flash = b""
    static_bytes = 0
    for number in range(count):
        header = struct.unpack_from("<8I", content, table + number * header_bytes)
        kind, offset, address, _, file_bytes, memory_bytes, _, _ = header
        if kind != _LOAD:
            continue
        if address < _RAM:
            flash = content[offset : offset + file_bytes]
        elif file_bytes > 0:
            raise EmulatorError("has variables with a value, which nothing would set")
        else:
            static_bytes = memory_bytes
    return Program(flash, static_bytes, entry)


class Microcontroller:
    """A processor with flash and a little RAM, in which a program lies.

    RAM holds, from its start, the program's variables, an image, and the logits; from
    its end, the stack grows downwards.
    """

    def __init__(self, program, processor, ram_bytes):
        self._program = program
        self._image = _RAM + program.static_bytes
        self._logits = self._image + IMAGE_BYTES
        self._free = self._logits + LOGITS  # where RAM is free for the stack
        self._end = _RAM + ram_bytes
        if self._free >= self._end:
            needed = self._free - _RAM
            raise EmulatorError(f"needs {needed:,} bytes of RAM and a stack")
        self._machine = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        cpu = "UC_CPU_ARM_" + processor.upper().replace("-", "_")
        self._machine.ctl_set_cpu_model(getattr(arm_const, cpu))
        code = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        self._machine.mem_map(_FLASH, _FLASH_BYTES, code)
        self._machine.mem_write(_FLASH, program.flash)
        data = unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE
        self._machine.mem_map(_RAM, ram_bytes, data)
        self._machine.mem_write(self._free, _PAINT * (self._end - self._free))

    def classify(self, image):
        """Run the program's function on an image; return its ten logits.

        Both are the bytes of int8 numbers.
        """
        machine = self._machine
        machine.mem_write(self._image, image)
        # The registers of a call, by the "Procedure Call Standard for the Arm
        # Architecture": two arguments, the stack, and where to return to.
        machine.reg_write(arm_const.UC_ARM_REG_R0, self._image)
        machine.reg_write(arm_const.UC_ARM_REG_R1, self._logits)
        machine.reg_write(arm_const.UC_ARM_REG_SP, self._end)
        machine.reg_write(arm_const.UC_ARM_REG_LR, _RETURN | 1)
        try:
            machine.emu_start(self._program.entry, _RETURN)
        except unicorn.UcError as error:
            raise EmulatorError(f"stopped: {error}") from error
        if self.stack_bytes() >= self._end - self._free:
            raise EmulatorError(_COLLISION)
        return bytes(machine.mem_read(self._logits, LOGITS))

    def count_and_check(self, image):
        """Return how many instructions an image takes, and check the whole stack.

        EmulatorError if the stack, however far apart its bytes are, reaches the
        variables. Both are slow, and hardly depend on the image.
        """
        times = {}  # how often each block of instructions ran, by address and bytes
        collisions = []  # addresses of variables that were written to as stack

        def count(machine, address, size, _):
            times[address, size] = times.get((address, size), 0) + 1

        def check(machine, kind, address, size, value, _):
            # Written at the stack's end or above it, and yet where the variables are.
            if address >= machine.reg_read(arm_const.UC_ARM_REG_SP):
                collisions.append(address)

        machine = self._machine
        counter = machine.hook_add(unicorn.UC_HOOK_BLOCK, count)
        checker = machine.hook_add(
            unicorn.UC_HOOK_MEM_WRITE, check, begin=_RAM, end=self._free - 1
        )
        self.classify(image)
        machine.hook_del(counter)
        machine.hook_del(checker)
        if collisions:
            raise EmulatorError(_COLLISION)
        total = 0
        for (address, size), runs in times.items():
            total += runs * instructions_in(machine.mem_read(address, size))
        return total

    def stack_bytes(self):
        """Return how much of the RAM's end has been written to, by painted memory."""
        memory = self._machine.mem_read(self._free, self._end - self._free)
        return len(memory.lstrip(_PAINT))


def instructions_in(code):
    """Return how many Thumb instructions there are in bytes of code.

    An instruction has four bytes if its upper byte, the second one, begins with 11101,
    11110 or 11111, else two ("Armv7-M Architecture Reference Manual", A5.1).
    """
    count = 0
    place = 0
    while place < len(code):
        place += 4 if code[place + 1] >> 3 >= 0b11101 else 2
        count += 1
    return count


def run(program, processor, ram_bytes, images):
    """Return by name what a `Program` takes, and its logits in hexadecimal.

    `images` are the bytes of all images. EmulatorError if it cannot be run.
    """
    # A processor that has counted stays slow, so another one runs the images.
    counting = Microcontroller(program, processor, ram_bytes)
    instructions = counting.count_and_check(images[:IMAGE_BYTES])
    chip = Microcontroller(program, processor, ram_bytes)
    logits = b""
    for start in range(0, len(images), IMAGE_BYTES):
        logits += chip.classify(images[start : start + IMAGE_BYTES])
    stack_bytes = chip.stack_bytes()
    return {
        "flash_bytes": len(program.flash),
        "static_bytes": program.static_bytes,
        "stack_bytes": stack_bytes,
        "used_bytes": program.static_bytes + IMAGE_BYTES + LOGITS + stack_bytes,
        "instructions": instructions,
        "logits": logits.hex(),
    }


def main():
    """Run what the command line names."""
    path, processor, ram_bytes = sys.argv[1:]
    images = sys.stdin.buffer.read()
    try:
        program = read_elf(Path(path).read_bytes())
        found = run(program, processor, int(ram_bytes), images)
    except EmulatorError as error:
        found = {"error": str(error)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
