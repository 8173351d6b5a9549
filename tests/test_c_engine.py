"""The engine of the plain C against the integers of NumPy, on networks of no use."""

import re
from dataclasses import replace

import c_programs
import numpy as np
import pytest
from c_programs import C99, CPP17, NAME, STRICT

from conftest import need
from helpers import c_files, c_templates
from helpers.files import TutorialError

# Compares the engine's multiplication with the formula written out in 64 bits, case by
# case, as gemmlowp has it. Prints how many of the random cases differ.
MULTIPLY = r"""
#include <stdio.h>
#include "cnn_int8.c"

static int32_t written_out(int32_t value, int32_t multiplier, int shift) {
  const int left = shift > 0 ? shift : 0;
  const int right = shift > 0 ? 0 : -shift;
  const int64_t product = (int64_t)(value * ((int32_t)1 << left)) * multiplier;
  const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
  const int64_t high = (product + nudge) / ((int64_t)1 << 31);
  const int64_t half = ((int64_t)1 << right) >> 1;
  return (int32_t)(high >= 0 ? (high + half) >> right : -((half - high) >> right));
}

static uint64_t state = 88172645463325252u;

static uint32_t random_bits(int count) {  // xorshift64, by G. Marsaglia
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> (64 - count));
}

int main(void) {
  long differ = 0;
  for (long i = 0; i < 10000000; ++i) {
    int32_t multiplier = (int32_t)(0x40000000u + random_bits(30));
    if (i % 7 == 0) multiplier &= 0x7FFF0000;
    if (i % 11 == 0) multiplier = 0x40000000;
    if (i % 13 == 0) multiplier = 0x7FFFFFFF;
    const int left = i % 5 == 0 ? (int)random_bits(3) : 0;
    const int shift = left > 0 ? left : -(int)random_bits(5);
    const int32_t limit = (int32_t)(0x7FFFFF80u >> left);
    int32_t value = (int32_t)random_bits((int)random_bits(5) + 1) % limit;
    if (value < 0) value = -value;
    if (i % 3 == 0) value &= ~0xFFF;
    if (i % 17 == 0) value = limit - (int32_t)random_bits(2);
    if (random_bits(1)) value = -value;
    differ += multiply(value, multiplier, (int8_t)shift) !=
              written_out(value, multiplier, shift);
  }
  printf("%ld\n", differ);
  return 0;
}
"""
ROWS = r"""
#include <stdio.h>
#include "mnist-cnn_int8_inference.h"

static int8_t row[28];

static int next_row(int8_t* logits) {
  return fread(row, 1, 28, stdin) == 28 ? mnist_cnn_int8_row(row, logits) : -1;
}

// Breaks one image off after ten rows, reads the next one, and prints the number of the
// row with which its logits are complete, and whether later rows change them.
int main(void) {
  int8_t logits[10], kept[10];
  int complete = 0, changed = 0;
  mnist_cnn_int8_begin();
  for (int y = 0; y < 10; ++y) next_row(logits);
  mnist_cnn_int8_begin();
  for (int y = 1; y <= 28; ++y) {
    if (next_row(logits) == 1) {
      complete = y;
      for (int i = 0; i < 10; ++i) kept[i] = logits[i];
    }
  }
  for (int i = 0; i < 10; ++i) {
    changed += logits[i] != kept[i];
    printf("%d ", logits[i]);
  }
  printf("%d %d %d\n", complete, changed, mnist_cnn_int8_best(logits));
  return 0;
}
"""
BROKEN = {
    "second rounding": (r"\(\(\(uint32_t\)1 << right\) >> 1\)", "0"),
    "first rounding": (r"\(\(uint32_t\)1 << 30\) - negative", "0"),
    "a weight too few": (r"i < layer->window_bytes", "i < layer->window_bytes - 1"),
    "the window on the right": (r"input\[i \+ next\]", "input[i]"),
    "the lowest value": (r"return layer->lowest;", "return 0;"),
    "the rows that are kept": (
        r"layer->pool \* layer->row_bytes,",
        "layer->row_bytes,",
    ),
    "the largest of four": (r"larger\(c, d\)", "c"),
}


def _differing(found, expected):
    assert found.shape == expected.shape
    return int((found != expected).sum())


@pytest.mark.parametrize("compiler", [C99, CPP17], ids=["C99", "C++17"])
@pytest.mark.parametrize("seed", [4, 8, 15])  # 15: with ReLU
def test_engine_on_random_networks_gives_the_integers_of_numpy(
    tmp_path, compiler, seed
):
    need(compiler[0], compiler[0], linux_only=True)  # others may lack a sanitizer
    layers = c_programs.random_network(seed)
    images = c_programs.random_images(40, seed)
    expected = c_programs.logits(layers, images)
    assert expected.std(axis=0).max() > 50  # else equality would say little
    found = c_programs.run(tmp_path, c_programs.plain_c(layers), images, compiler)
    assert _differing(found, expected) == 0


@pytest.mark.parametrize("broken", BROKEN)
def test_engine_that_is_broken_gives_other_logits(tmp_path, broken):
    need("gcc", "gcc", linux_only=True)
    layers = c_programs.random_network(15)  # with ReLU
    images = c_programs.random_images(40)
    files = c_programs.plain_c(layers)
    pattern, replacement = BROKEN[broken]
    source, count = re.subn(pattern, replacement, files["cnn_int8.c"].decode())
    assert count >= 1
    files["cnn_int8.c"] = source.encode()
    found = c_programs.run(tmp_path, files, images, ["gcc", "-w"])
    assert _differing(found, c_programs.logits(layers, images)) > 0


def test_multiply_in_random_cases_is_the_formula_written_out(tmp_path):
    need("gcc", "gcc", linux_only=True)
    c_programs.write(c_programs.plain_c(c_programs.random_network(4)), tmp_path)
    (tmp_path / "multiply.c").write_text(MULTIPLY)
    compiler = "gcc -O2 -fsanitize=undefined -fno-sanitize-recover=all -I."
    c_programs.call(tmp_path, [*compiler.split(), "multiply.c", "-o", "program"])
    assert c_programs.call(tmp_path, ["./program"]) == b"0\n"


def test_rows_after_a_broken_off_image_give_the_logits_of_the_next(tmp_path):
    need("gcc", "gcc", linux_only=True)
    layers = c_programs.random_network(4)
    images = c_programs.random_images(3)
    c_programs.write(c_programs.plain_c(layers), tmp_path)
    (tmp_path / "rows.c").write_text(ROWS)
    command = [*C99, "rows.c", "cnn_int8.c", f"{NAME}_int8_inference.c"]
    c_programs.call(tmp_path, [*command, "-o", "program"])
    given = images[1][:10].tobytes() + images[2].tobytes()
    printed = c_programs.call(tmp_path, ["./program"], given=given)
    expected = c_programs.logits(layers, images[2:])[0]
    *logits, complete, changed, best = (int(text) for text in printed.split())
    assert logits == expected.tolist()
    assert 10 < complete <= 28
    assert changed == 0
    assert best == expected.argmax()


def test_margin_is_the_distance_of_the_two_largest_logits(tmp_path):
    need("gcc", "gcc", linux_only=True)
    c_programs.write(c_programs.plain_c(c_programs.random_network(4)), tmp_path)
    (tmp_path / "margin.c").write_text(
        "#include <stdio.h>\n"
        f'#include "{NAME}_int8_inference.h"\n'
        "int main(void) {\n"
        "  const int8_t far[10] = {-128, -128, 127, -128, -128, -128, -128, -128};\n"
        "  const int8_t equal[10] = {0, 9, 3, 9, 0, 0, 0, 0, 0, 0};\n"
        "  const int8_t near[10] = {-9, -8, -7, -9, -9, -9, -9, -9, -5, -9};\n"
        '  printf("%d %d %d ", mnist_cnn_int8_margin(far),\n'
        "         mnist_cnn_int8_margin(equal), mnist_cnn_int8_margin(near));\n"
        '  printf("%d\\n", mnist_cnn_int8_best(equal));\n'
        "  return 0;\n"
        "}\n"
    )
    command = [*C99, "margin.c", "cnn_int8.c", f"{NAME}_int8_inference.c"]
    c_programs.call(tmp_path, [*command, "-o", "program"])
    assert c_programs.call(tmp_path, ["./program"]) == b"127 0 2 1\n"


def test_header_states_the_zero_point_of_the_logits():
    layers = c_programs.random_network(4)
    header = c_programs.plain_c(layers)[f"{NAME}_int8_inference.h"].decode()
    [stated] = re.findall(r"_LOGIT_ZERO_POINT (-?\d+)\n", header)
    assert int(stated) == layers[-1].output_zero_point


def test_margin_to_be_sure_means_a_probability_of_one_half(tmp_path):
    layers = c_programs.random_network(4)
    header = c_programs.plain_c(layers)[f"{NAME}_int8_inference.h"].decode()
    [margin] = re.findall(r"_SURE_MARGIN (\d+)\n", header)
    [scale] = re.findall(r"_LOGIT_SCALE ([\d.]+)f\n", header)
    assert float(scale) == layers[-1].output_scale

    def probability(steps):  # of the largest logit, where the other nine are equal
        return 1 / (1 + 9 * np.exp(-steps * float(scale)))

    assert probability(int(margin)) >= 0.5
    assert probability(int(margin) - 1) < 0.5


def _refused(layer, sentence):
    layers = c_programs.random_network(4)
    with pytest.raises(TutorialError, match=sentence):
        c_files.plain_c_files(NAME, [layer(layers[0]), *layers[1:]])


def test_network_whose_accumulator_could_overflow_is_refused():
    bias = np.full(8, 2**31 - 1000)
    _refused(
        lambda layer: replace(layer, bias=bias, shift=np.zeros(8, int)),
        r"An accumulator of layer 1 can reach 2,14.*, but plain C has 32 bits",
    )


def _with_largest_sum(layer, largest):
    """Return a layer whose accumulators can reach `largest`, and not more."""
    weights = layer.weights.reshape(len(layer.bias), -1).astype(int)
    products = 128 * np.abs(weights).sum(axis=1)
    of_zero_point = layer.input_zero_point * weights.sum(axis=1)
    bias = largest - products + of_zero_point
    return replace(layer, bias=bias, shift=np.zeros(len(bias), int))


def test_network_whose_products_could_overflow_is_refused():
    # The bias alone fits, by far.
    _refused(
        lambda layer: _with_largest_sum(layer, 2**31 - 128),
        r"An accumulator of layer 1 can reach 2,147,483,520, but plain C has 32 bits",
    )


def test_network_whose_accumulators_fit_to_the_last_bit_is_accepted():
    first, *others = c_programs.random_network(4)
    layers = [_with_largest_sum(first, 2**31 - 129), *others]
    assert c_files.plain_c_files(NAME, layers)


def test_network_whose_shifted_accumulator_could_overflow_is_refused():
    _refused(
        lambda layer: replace(layer, shift=np.full(8, 20)),
        r"An accumulator of layer 1 can reach",
    )


def test_network_with_long_windows_is_refused():
    # 24 bits hold 511 products of two bytes, and no more.
    assert 511 * 128 * 128 < 2**23 <= 512 * 128 * 128
    _refused(
        lambda layer: replace(layer, weights=np.zeros((8, 2, 2, 256), np.int8)),
        r"Layer 1 has 512 bytes in a row of a window, but the plain C has room for 511",
    )


def test_network_with_wide_rows_is_refused():
    _refused(
        lambda layer: replace(layer, input_shape=(28, 9000, 1)),
        r"Layer 1 has 45,000 bytes in the rows it keeps, .* room for 32,767",
    )


def test_network_with_high_windows_is_refused():
    _refused(
        lambda layer: replace(layer, weights=np.zeros((8, 255, 1, 1), np.int8)),
        r"Layer 1 has 255 rows in a window, but the plain C has room for 254",
    )


def test_network_for_high_images_is_refused():
    _refused(
        lambda layer: replace(layer, input_shape=(256, 28, 1)),
        r"An image has 256 rows, but the plain C has room for 255",
    )


def test_network_of_too_many_layers_is_refused():
    with pytest.raises(TutorialError, match=r"has 256 layers, .* has room for 255"):
        c_files.plain_c_files(NAME, c_programs.random_network(4)[:1] * 256)


def test_network_with_more_than_one_answer_is_refused():
    layers = c_programs.random_network(4)[:-2]
    with pytest.raises(TutorialError, match=r"The last layer has .* places"):
        c_files.plain_c_files(NAME, layers)


def test_engine_needs_stdint_alone():
    for path in c_templates.ENGINE:
        text = c_programs.plain_c(c_programs.random_network(4))[path].decode()
        included = re.findall(r"#include (\S+)", text)
        assert set(included) <= {"<stdint.h>", "<avr/pgmspace.h>", '"cnn_int8.h"'}


def test_engine_without_a_c_library_links(tmp_path):
    need("arm-none-eabi-gcc", "gcc-arm-none-eabi", linux_only=True)
    c_programs.write(c_programs.plain_c(c_programs.random_network(4)), tmp_path)
    compiler = "arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb -std=c99 -ffreestanding"
    compiler += " -nolibc -nostartfiles -Wl,-e,mnist_cnn_int8_classify"
    command = compiler.split()
    command += ["cnn_int8.c", f"{NAME}_int8_inference.c"]
    for optimize in ("-O2", "-O3", "-Os"):
        c_programs.call(tmp_path, [*command, optimize, "-o", "program.elf"])


@pytest.mark.parametrize("standard", ["c99", "c2x", "c++11", "c++20"])
def test_engine_compiles_without_warnings_from_c99_to_cpp20(tmp_path, standard):
    need("g++", "g++", linux_only=True)
    c_programs.write(c_programs.plain_c(c_programs.random_network(4)), tmp_path)
    language = "c++" if "++" in standard else "c"
    command = ["gcc", "-fsyntax-only", "-Wshadow", "-x", language, f"-std={standard}"]
    command += STRICT
    c_programs.call(tmp_path, [*command, "cnn_int8.c", f"{NAME}_int8_inference.c"])
