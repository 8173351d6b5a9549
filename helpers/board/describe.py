"""A `.tflite` file in a few aligned lines of text."""

from helpers.board.operators import NAMES, resolver_method


def summary_lines(model):
    """Describe a model for people.

    Parameters
    ----------
    model : helpers.board.model.Model

    Returns
    -------
    list of str
        Inputs and outputs with their quantisation, each operator with its output, and
        what a ``MicroMutableOpResolver`` must register.
    """
    ends = [("input", index) for index in model.inputs]
    ends += [("output", index) for index in model.outputs]
    tensors = [("", "shape", "type", "scale", "zero point")]
    for what, index in ends:
        tensor = model.tensors[index]
        scale, zero_point = _one(tensor.scales, ".6g"), _one(tensor.zero_points, "d")
        tensors.append((what, _shape(tensor), tensor.dtype, scale, zero_point))
    steps = [("operator", "output shape", "type")]
    for operator in model.operators:
        outputs = [model.tensors[index] for index in operator.outputs]
        shapes = ", ".join(_shape(tensor) for tensor in outputs)
        dtypes = ", ".join(dict.fromkeys(tensor.dtype for tensor in outputs))
        steps.append((_short(operator.name), shapes, dtypes))
    names = model.operator_names
    return [
        f"{model.byte_count:,} bytes, {len(model.operators)} operators",
        "",
        *_aligned(tensors),
        "",
        *_aligned(steps),
        "",
        f"to register in MicroMutableOpResolver<{len(names)}>: "
        f"{', '.join(map(_registration, names))}",
    ]


def _registration(name):
    # Those that are custom, or too new for this program, have no method that it knows.
    return resolver_method(name) if name in NAMES else _short(name)


def _one(values, code):
    if len(values) == 1:
        return format(values[0], code)
    return f"{len(values)} values" if len(values) else "none"


def _shape(tensor):
    return str(list(tensor.shape))


def _short(name):
    return name if len(name) <= 40 else f"{name[:39]}…"


def _aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
