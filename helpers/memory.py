"""How much memory two well-known boards have, and how much the network here needs.

Every page that compares these numbers takes them from here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """What a board has, or what a program needs, in bytes."""

    name: str
    flash_bytes: int  # keeps its content without power: program and weights
    ram_bytes: int  # working memory: picture, intermediate results, stack
    is_needed: bool = False  # by a program; else a board has it


# From their makers' pages: https://tech.microbit.org/hardware/1-5-revision/ and
# https://docs.arduino.cc/hardware/uno-rev3/.
MICRO_BIT = Memory("BBC micro:bit", 256 * 1024, 16 * 1024)
ARDUINO_UNO = Memory("Arduino Uno", 32 * 1024, 2 * 1024)

# The tutorial's network as plain C, with a whole picture in RAM, on the micro:bit's
# processor, as `helpers.processors` emulates it. tests/test_memory.py holds this, and
# the number of instructions, against a measurement.
MODEL = Memory("this network", 19_032, 2_031, is_needed=True)
INSTRUCTIONS = 880_000  # for one image on a Cortex-M3, rounded

MEMORIES = [MODEL, ARDUINO_UNO, MICRO_BIT]
