"""The numbers that pages compare with a board's memory, against a measurement."""

import pytest

from helpers import c_files, integer_arithmetic, memory, processors, tflite


@pytest.fixture(scope="module")
def measured(models, sample):
    """Return a function from a processor to what the plain C takes on it."""
    layers = integer_arithmetic.layers(tflite.read(models()))
    files = c_files.plain_c_files("model", layers)

    def run(processor):
        images = sample["test_images"][:3]
        return processors.emulate("model", files, images, processor, 2048)

    return run


@pytest.mark.parametrize(
    ("board", "flash_bytes", "ram_bytes"),
    [
        (memory.MICRO_BIT, 262_144, 16_384),  # nRF51822, 256 KB and 16 KB
        (memory.ARDUINO_UNO, 32_768, 2048),  # ATmega328P, 32 KB and 2 KB
    ],
)
def test_memory_of_a_board_is_that_of_its_data_sheet(board, flash_bytes, ram_bytes):
    assert (board.flash_bytes, board.ram_bytes) == (flash_bytes, ram_bytes)


def test_memory_of_the_model_is_what_the_emulated_micro_bit_needs(measured):
    needed = measured("cortex-m0")
    assert memory.MODEL.flash_bytes == pytest.approx(needed.flash_bytes, rel=0.01)
    assert memory.MODEL.ram_bytes == pytest.approx(needed.used_bytes, rel=0.01)


def test_instructions_are_those_of_an_emulated_cortex_m3(measured):
    counted = measured("cortex-m3").instructions
    assert counted == pytest.approx(memory.INSTRUCTIONS, rel=0.02)
