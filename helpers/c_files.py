"""The model as C: plainly, as ``xxd -i`` writes it, and better, for a board.

Raw ``xxd -i`` output is neither ``const`` nor aligned: on a Cortex-M the array lands in
RAM, at any address. The better form is read-only, starts at a multiple of 16 bytes, has
a header that declares it, and says what it is.

``python -m helpers.c_files model.tflite model_data.cc`` is ``xxd -i`` for all systems.
"""

import argparse
import json
import os
import re
import textwrap
from pathlib import Path

import jinja2
import numpy as np

from helpers import integer_arithmetic, tflite
from helpers.files import TutorialError
from helpers.report import rate

_HIMAX = "mnist_dynamic_quantized_28x28_tflite"  # the array's name in the WE1 SDK


def published_files(name, model_bytes, report, data, scores_i8):
    """Return by path the bytes of the files that the run `name` publishes.

    All are made from the bytes that were tested. `report` is the run's `Report`,
    `data` are the arrays of notebook 2, `scores_i8` those of all test images. The same
    arguments give the same bytes.
    """
    model, about = tflite.read(model_bytes), _about(name, report)
    golden = golden_indices(data["test_labels"], scores_i8)
    vectors = data["test_images"][golden], scores_i8[golden]
    layers = integer_arithmetic.layers(model)
    stem, symbol = f"{name}_int8", f"{identifier(name)}_int8_tflite"
    himax = "himax_we1_evb/model_data"
    texts = {
        f"{stem}.cc": _array(f"{stem}.h", symbol, model_bytes, about),
        f"{stem}.h": _array_header(f"{stem}.h", symbol),
        f"{stem}_board.h": _board_header(name, model, report, about),
        f"{stem}_golden.h": _golden_header(name, report, *vectors),
        f"{stem}_inference.c": inference_source(name, layers, about),
        f"{stem}_inference.h": inference_header(name),
        f"{himax}.cc": _array("model_data.h", _HIMAX, model_bytes, about, "int"),
        f"{himax}.h": _array_header("model_data.h", _HIMAX, "int"),
        "report.json": json.dumps(report.to_dict(), indent=1) + "\n",
    }
    files = {path: text.encode() for path, text in texts.items()}
    return {f"{stem}.tflite": bytes(model_bytes), **files}


def golden_indices(labels, scores_i8):
    """Return, for each digit, the first image that the model reads correctly."""
    right = scores_i8.argmax(axis=1) == labels
    found = [np.flatnonzero(right & (labels == digit)) for digit in range(10)]
    return np.array([indices[0] for indices in found if len(indices)], int)


def inference_header(name):
    """Return ``<name>_int8_inference.h``, which declares the one function."""
    return _render("inference.h.j2", name)


def inference_source(name, layers, about):
    """Return ``<name>_int8_inference.c``, which is C99 and C++17.

    `layers` are those of `helpers.integer_arithmetic`; `about`, lines that say what the
    model is, becomes a comment. TutorialError if an accumulator might overflow.
    """
    biases = [_bias_with_zero_point(layer) for layer in layers]
    sizes = [int(np.prod(layer.output_shape)) for layer in layers[:-1]]
    return _render(
        "inference.c.j2",
        name,
        about=comment(about),
        layers=list(zip(layers, biases, strict=True)),
        buffers=[max(sizes[first::2], default=1) for first in (0, 1)],
    )


def xxd(name, data):
    """Return what ``xxd -i name`` prints for a file of that name and content."""
    symbol = re.sub(rb"[^A-Za-z0-9]", b"_", os.fsencode(name)).decode()
    symbol = f"__{symbol}" if symbol[:1].isdigit() else symbol
    return (
        f"unsigned char {symbol}[] = {{\n{_rows(data)}}};\n"
        f"unsigned int {symbol}_len = {len(data)};\n"
    )


def identifier(name):
    """Return the name of a run or a file in letters, digits and single underscores."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def comment(lines):
    """Return `lines` as a C comment that nothing in them can end or extend."""
    # A backslash, or ??/ which means one, would continue it in the next line.
    plain = [re.sub(r"([^ -~]|[\\?])+", "?", line) for line in lines]
    return "".join(f"// {line}".rstrip() + "\n" for line in plain)


def _numbers(values):
    """Return whole numbers as indented lines for the braces of a C array."""
    text = ", ".join(str(int(value)) for value in np.ravel(values))
    return textwrap.indent(textwrap.fill(text, 82, break_on_hyphens=False), "    ")


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
    guard = f"{identifier(path).upper()}_INCLUDED"
    return (
        f"#ifndef {guard}\n#define {guard}\n\n"
        f"extern const unsigned char {symbol}[];\n"
        f"extern const {length_type} {symbol}_len;\n\n"
        f"#endif  // {guard}\n"
    )


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


def _rows(data):
    # Twelve values a row, as xxd has them.
    values = [f"0x{byte:02x}" for byte in data]
    rows = [", ".join(values[i : i + 12]) for i in range(0, len(values), 12)]
    return ",\n".join(f"  {row}" for row in rows) + "\n" if rows else ""


def _board_header(name, model, report, about):
    methods = [f"Add{kind.title().replace('_', '')}" for kind in model.operator_names]
    arena = textwrap.wrap(f"Memory for tensors: {report.model.arena_rule}", 84)
    texts = {"about": comment(about), "arena": comment(arena), "methods": methods}
    return _render("board.h.j2", name, model=model, report=report, **texts)


def _golden_header(name, report, images_i8, scores_i8):
    about = (
        "For each digit the first test image that the model reads, with the scores of "
        f"{report.runtime.name}, on a PC. On a board they settle whether the "
        "same numbers come out there. Kernels of a chip's maker may round otherwise: a "
        "tolerance of 2 is a rule of thumb for these ten images, not a bound."
    )
    about = comment(textwrap.wrap(about, 84))
    vectors = {"images": images_i8, "scores": scores_i8}
    return _render("golden.h.j2", name, about=about, **vectors)


def _render(template, name, **values):
    """Return what a template of this folder makes of a run's name and of `values`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["numbers"] = _numbers
    scope = f"{identifier(name)}_int8"
    return environment.get_template(template).render(name=name, scope=scope, **values)


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
