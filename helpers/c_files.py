"""The model as C: plainly, as ``xxd -i`` writes it, and better, for a board.

Raw ``xxd -i`` output is neither ``const`` nor aligned: on a Cortex-M the array lands in
RAM, at any address. The better form is read-only, starts at a multiple of 16 bytes, has
a header that declares it, and says what it is.

The network as plain C has two parts: ``c/cnn_int8.c``, which computes and is the same
for every model, and a file with the numbers of this model, written here.

``python -m helpers.c_files model.tflite model_data.cc`` is ``xxd -i`` for all systems.
"""

import argparse
import json
import math
import os
import re
import textwrap
from pathlib import Path

import numpy as np
from scipy.special import softmax

from helpers import (
    arduino,
    c_templates,
    gate,
    integer_arithmetic,
    tflite,
)
from helpers.files import TutorialError
from helpers.report import rate

_HIMAX = "mnist_dynamic_quantized_28x28_tflite"  # the array's name in the WE1 SDK


def published_files(name, model_bytes, report, data, scores_i8):
    """Return by path the bytes of the files that the run `name` publishes.

    All are made from the bytes that were tested. `report` is the run's `Report`,
    `data` are the arrays of notebook 2, `scores_i8` those of all test images. The same
    arguments give the same bytes.
    """
    model = tflite.read(model_bytes)
    layers = integer_arithmetic.layers(model)
    about = _about(name, report)
    golden = gate.golden_images(data["test_labels"], scores_i8)
    images = data["test_images"][golden]
    logits = integer_arithmetic.run(layers, images)[-1].reshape(len(images), -1)
    tolerance = rounding_tolerance(model, layers[-1], logits)
    stem = f"{name}_int8"
    symbol = f"{c_templates.c_name(name)}_tflite"
    himax = "himax_we1_evb/model_data"
    memory = static_bytes(layers)
    texts = {
        "README.md": published_readme(name, report, memory),
        f"{stem}.cc": _array(f"{stem}.h", symbol, model_bytes, about),
        f"{stem}.h": _array_header(f"{stem}.h", symbol),
        f"{stem}_board.h": _board_header(name, model, report, about),
        f"{stem}_golden.h": _golden_header(
            name, report, images, scores_i8[golden], tolerance
        ),
        f"{himax}.cc": _array("model_data.h", _HIMAX, model_bytes, about, "int"),
        f"{himax}.h": _array_header("model_data.h", _HIMAX, "int"),
        "report.json": json.dumps(report.to_dict(), indent=1) + "\n",
    }
    files = {f"{stem}.tflite": bytes(model_bytes)}
    for path, text in texts.items():
        files[path] = text.encode()
    files.update(plain_c_files(name, layers, about))
    header = _plain_c_golden_header(name, images, logits)
    files[f"{stem}_inference_golden.h"] = header.encode()
    sha256 = report.model.sha256
    files.update(arduino.sketch_files(name, files, sha256, images[0], logits[0]))
    return files


def published_readme(name, report, static_bytes):
    """Return the text of ``README.md`` for the folder that the run `name` publishes.

    `report` is the run's `Report`, `static_bytes` the memory that the plain C needs.
    """
    before, after = report.accuracy.float, report.accuracy.int8
    return c_templates.render(
        "published_readme.md.j2",
        name,
        report=report,
        before=rate(before.correct, before.images),
        after=rate(after.correct, after.images),
        sketch=arduino.sketch_path(name),
        sketch_folder=arduino.sketch_folder(name),
        has_softmax="SOFTMAX" in report.model.operators,
        static_bytes=static_bytes,
        sketch_bytes=static_bytes + arduino.SKETCH_BYTES,
    )


def plain_c_files(name, layers, about=()):
    """Return by path the bytes of the network as plain C, which is C99 and C++.

    `layers` are those of `helpers.integer_arithmetic`; `about`, lines that say what the
    model is, becomes a comment. TutorialError if a number does not fit the type that
    the C has for it.
    """
    c_layers = [_c_layer(number, layer) for number, layer in enumerate(layers, 1)]
    rows, columns, channels = layers[0].input_shape
    height, width, logits = layers[-1].output_shape
    _check_fits("The network", "layers", len(layers), 255)
    _check_fits("An image", "rows", rows, 255)
    _check_fits("The last layer", "places of its output", height * width, 1)
    values = {
        "about": comment(about),
        "layers": c_layers,
        "image_rows": rows,
        "image_columns": columns * channels,
        "logits": logits,
        "logit_scale": float(np.float32(layers[-1].output_scale)),
        "logit_zero_point": layers[-1].output_zero_point,
        "static_bytes": static_bytes(layers),
        "sure_margin": _sure_margin(layers[-1].output_scale, logits),
    }
    files = {}
    for path in c_templates.ENGINE:
        files[path] = (c_templates.FOLDER / path).read_bytes()
    for ending in ("c", "h"):
        text = c_templates.render(f"inference.{ending}.j2", name, **values)
        files[f"{name}_int8_inference.{ending}"] = text.encode()
    return files


def static_bytes(layers):
    """Return the bytes of RAM that the plain C keeps: rows, and a counter a layer."""
    c_layers = [_c_layer(number, layer) for number, layer in enumerate(layers, 1)]
    return sum(layer["kept_bytes"] for layer in c_layers) + len(c_layers)


def function(source, name):
    """Return the text of one function of a C source, with the comment above it."""
    lines = source.splitlines()
    first = 0
    while lines[first].startswith((" ", "//")) or f" {name}(" not in lines[first]:
        first += 1
    last = lines.index("}", first)
    while lines[first - 1].startswith("//"):
        first -= 1
    return "\n".join(lines[first : last + 1])


def xxd(name, data):
    """Return what ``xxd -i name`` prints for a file of that name and content."""
    symbol = re.sub(rb"[^A-Za-z0-9]", b"_", os.fsencode(name)).decode()
    if symbol[:1].isdigit():
        symbol = f"__{symbol}"
    return (
        f"unsigned char {symbol}[] = {{\n{_rows(data)}}};\n"
        f"unsigned int {symbol}_len = {len(data)};\n"
    )


def comment(lines):
    """Return `lines` as a C comment that nothing in them can end or extend."""
    text = ""
    for line in lines:
        # A backslash, or ??/ which means one, would continue it in the next line.
        plain = re.sub(r"([^ -~]|[\\?])+", "?", line)
        text += f"// {plain}".rstrip() + "\n"
    return text


def _about(name, report):
    before, after = report.accuracy.float, report.accuracy.int8
    about = [
        f"{name}: handwritten digits 0 to 9, int8, {report.model.bytes:,} bytes.",
        f"SHA-256 {report.model.sha256}",
        f"Dataset: {report.dataset.name}. Its test images, run on a PC:",
        f"  {rate(before.correct, before.images)} in float, before quantization",
        f"  {rate(after.correct, after.images)} with {report.runtime.name}",
        f"Operators: {', '.join(report.model.operators)}",
    ]
    if "SOFTMAX" not in report.model.operators:
        about.append("Outputs are logits: the WE1 SDK's example needs changes for it.")
    return about


def _array(header, symbol, data, about, length_type="unsigned int"):
    # The header comes first: without its `extern` a C++ constant is invisible outside
    # this file, and the link fails with "undefined reference".
    return (
        f'{comment(about)}\n#include "{header}"\n\n'
        f"alignas(16) const unsigned char {symbol}[] = {{\n{_rows(data)}}};\n\n"
        f"const {length_type} {symbol}_len = {len(data)};\n"
    )


def _array_header(path, symbol, length_type="unsigned int"):
    guard = f"{c_templates.identifier(path).upper()}_INCLUDED"
    return (
        f"#ifndef {guard}\n#define {guard}\n\n"
        f"extern const unsigned char {symbol}[];\n"
        f"extern const {length_type} {symbol}_len;\n\n"
        f"#endif  // {guard}\n"
    )


def _c_layer(number, layer):
    """Return by name what ``cnn_int8.h`` declares of a layer.

    TutorialError if a number does not fit: an accumulator's 32 bits, or the types and
    the 511 products of a window's row (24 bits on AVR) in ``cnn_int8.h``.
    """
    filters, rows, columns, channels = layer.weights.shape
    outputs = layer.output_shape[1]
    pool = 2 if layer.pool else 1
    window_bytes = columns * channels
    row_bytes = layer.input_shape[1] * channels
    kept_bytes = (rows + pool - 1) * row_bytes
    output_bytes = outputs * filters
    thing = f"Layer {number}"
    _check_fits(thing, "bytes in a row of a window", window_bytes, 511)
    _check_fits(thing, "weights in a filter", rows * window_bytes, 2**15 - 1)
    _check_fits(thing, "bytes in the rows it keeps", kept_bytes, 2**15 - 1)
    _check_fits(thing, "bytes in a row of its output", output_bytes, 2**15 - 1)
    _check_fits(thing, "channels", channels, 255)
    _check_fits(thing, "rows in a window", rows, 254)  # pooling keeps one more
    _check_fits(thing, "bits to shift right", int(-layer.shift.min()), 31)
    return {
        "weights": layer.weights,
        "bias": _bias_with_zero_point(number, layer),
        "multiplier": layer.multiplier,
        "shift": layer.shift,
        "kept_bytes": kept_bytes,
        "row_bytes": row_bytes,
        "window_bytes": window_bytes,
        "output_bytes": output_bytes,
        "filters": filters,
        "outputs": outputs,
        "channels": channels,
        "rows": rows,
        "pool": pool,
        "zero_point": layer.output_zero_point,
        "lowest": layer.lowest,
    }


def _bias_with_zero_point(number, layer):
    """Return bias − input zero point · sum of weights: what does not need the image."""
    weights = layer.weights.reshape(len(layer.bias), -1).astype(np.int64)
    bias = layer.bias - layer.input_zero_point * weights.sum(axis=1)
    largest = np.abs(bias) + 128 * np.abs(weights).sum(axis=1)
    shifted = largest * 2.0 ** np.maximum(layer.shift, 0)
    if shifted.max() >= 2**31 - 128:
        raise TutorialError(
            f"An accumulator of layer {number} can reach {shifted.max():,.0f}, but "
            "plain C has 32 bits for it; train the network again with another seed."
        )
    return bias


def _check_fits(thing, what, found, largest):
    if found > largest:
        raise TutorialError(
            f"{thing} has {found:,} {what}, but the plain C has room for "
            f"{largest:,}; make it smaller in notebook 3."
        )


def _sure_margin(scale, logits):
    """Return the steps between two logits that make the larger one likely.

    If the largest of n logits is ln(n − 1) above each of the others, softmax gives it a
    probability of one half or more.
    """
    return math.ceil(math.log(logits - 1) / scale)


def _rows(data):
    # Twelve values a row, as xxd has them.
    values = [f"0x{byte:02x}" for byte in data]
    rows = [", ".join(values[i : i + 12]) for i in range(0, len(values), 12)]
    return ",\n".join(f"  {row}" for row in rows) + "\n" if rows else ""


def _board_header(name, model, report, about):
    methods = []
    for kind in model.operator_names:
        methods.append(f"Add{kind.title().replace('_', '')}")
    used = report.model.arena_used
    headroom = report.model.arena_recommended - used
    arena = (
        f"Memory for tensors: {report.model.arena_rule} So {headroom:,} bytes are "
        "headroom: try with less where RAM is scarce. Part of it are pointers, so "
        "a 32-bit processor needs less than a 64-bit computer; for the default network "
        "of this tutorial a 32-bit build used 9,236 bytes."
    )
    return c_templates.render(
        "board.h.j2",
        name,
        about=comment(about),
        model=model,
        arena=comment(textwrap.wrap(arena, 84)),
        arena_used=used,
        arena_headroom=headroom,
        methods=methods,
    )


def _golden_header(name, report, images_i8, scores_i8, tolerance):
    about = (
        "Test images that the model reads, for each digit the one that is hardest for "
        f"it, with the scores of {report.runtime.name}, on a PC. On a board they tell "
        "whether the same numbers come out there. Kernels of a chip's maker may round "
        "otherwise. If every logit is one step off, before the softmax, a score of "
        f"these images changes by up to {tolerance}: that is kGoldenTolerance. A "
        "larger difference, or another digit, is a fault."
    )
    return c_templates.render(
        "golden.h.j2",
        name,
        about=comment(textwrap.wrap(about, 84)),
        images=images_i8,
        scores=scores_i8,
        tolerance=tolerance,
    )


def _plain_c_golden_header(name, images_i8, logits_i8):
    """Return ``<name>_int8_inference_golden.h``: images, their logits and a self-test.

    The gate holds such logits against TensorFlow Lite Micro's.
    """
    about = (
        "Test images that the network reads, for each digit the one that is hardest "
        "for it, and their logits. Every processor has to give the same logits, bit "
        "for bit."
    )
    return c_templates.render(
        "inference_golden.h.j2",
        name,
        about=comment(textwrap.wrap(about, 84)),
        images=images_i8,
        logits=logits_i8,
    )


def rounding_tolerance(model, logits_layer, logits_i8):
    """Return by how much a score changes at most if every logit is one step off.

    In steps of the output of a `helpers.tflite.Model`, for the logits, int8
    (images, 10), of some images. That is what other roundings do to a logit.
    `logits_layer` is the last of `helpers.integer_arithmetic.layers`.
    """
    if model.output.index == logits_layer.tensor:
        return 1  # the scores are the logits
    expected = softmax(logits_i8 * logits_layer.output_scale, axis=1)
    largest = 0.0
    for digit in range(logits_i8.shape[1]):
        for step in (-1, 1):  # this one moves one way, and all others the other way
            moved = logits_i8.astype(int) - step
            moved[:, digit] += 2 * step
            found = softmax(moved * logits_layer.output_scale, axis=1)
            largest = max(largest, np.abs(found - expected).max())
    return math.ceil(largest / model.output.scale)


def main():
    """Write a file as a C array, exactly as ``xxd -i`` does."""
    parser = argparse.ArgumentParser("python -m helpers.c_files", None, main.__doc__)
    parser.add_argument("infile", help="file to convert, for example a .tflite")
    parser.add_argument("outfile", help="C file to write")
    options = parser.parse_args()
    try:
        text = xxd(options.infile, Path(options.infile).read_bytes())
        Path(options.outfile).write_bytes(text.encode())
    except OSError as error:
        parser.exit(1, f"error: {error}\n")


if __name__ == "__main__":
    main()
