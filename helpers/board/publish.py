"""The files that a run publishes, all made from the bytes that were tested."""

import json
import math
from dataclasses import dataclass

import numpy as np

from helpers.board.c_board import board_header, golden_header
from helpers.board.c_files import (
    array_bytes,
    himax_header,
    himax_source,
    model_header,
    model_source,
)
from helpers.board.flatbuffer import read_model
from helpers.board.operators import resolver_method
from helpers.board.runtimes import STAND_IN_NOTICE
from helpers.errors import TutorialError
from helpers.files import sha256
from helpers.paths import check_name

HIMAX_FOLDER = "himax_we1_evb"

_HIMAX_OPERATORS = {"CONV_2D", "RELU", "MAX_POOL_2D", "SOFTMAX"}


@dataclass(frozen=True)
class Result:
    """What the test of the candidate found, as the files tell it.

    Attributes
    ----------
    dataset : str
        Name of the data that trained and tested it.
    total : int
        Test images.
    float_correct, board_correct : int
        Of them classified correctly by the float model and by `runtime_name`.
    runtime_name : str
        The runtime that ran the candidate on all of them.
    board_runtime : bool
        Whether that is TensorFlow Lite Micro and not its stand-in.
    """

    dataset: str
    total: int
    float_correct: int
    board_correct: int
    runtime_name: str
    board_runtime: bool


def files_to_publish(name, model_bytes, result, golden, arena, report):
    """Make every file that is published.

    Parameters
    ----------
    name : str
        Of the run, such as ``"mnist_cnn"``.
    model_bytes : bytes
        The candidate, which has passed the gate.
    result : Result
    golden : helpers.board.golden.Golden
    arena : helpers.board.arena.Arena
    report : dict
        What ``report.json`` says besides: dicts, lists, texts and finite numbers. What
        it has under ``dataset`` or ``accuracy`` is added to what stands there.

    Returns
    -------
    dict of str to bytes
        By path in the published folder. The same arguments give the same bytes.

    Raises
    ------
    TutorialError
        If the model cannot be read, or an array does not hold the model's bytes.
    """
    check_name(name)
    model_bytes = bytes(model_bytes)
    model = read_model(model_bytes, "The candidate")
    about = about_lines(name, model_bytes, model, result, arena)
    himax_about = [*about, *himax_lines(model)]
    sources = {
        f"{name}_int8.cc": model_source(name, model_bytes, about),
        f"{HIMAX_FOLDER}/model_data.cc": himax_source(model_bytes, himax_about),
    }
    for path, source in sources.items():
        if array_bytes(source) != model_bytes:
            raise TutorialError(
                f"The array in {path} is not the model that was tested."
            )
    texts = sources | {
        f"{name}_int8.h": model_header(name),
        f"{name}_int8_board.h": board_header(name, model, arena, about),
        f"{name}_int8_golden.h": golden_header(
            name, golden, result.runtime_name, result.board_runtime
        ),
        f"{HIMAX_FOLDER}/model_data.h": himax_header(),
        "report.json": _report(report, model_bytes, model, result, golden, arena),
    }
    files = {path: text.encode("utf-8") for path, text in texts.items()}
    return dict(sorted({f"{name}_int8.tflite": model_bytes, **files}.items()))


def about_lines(name, model_bytes, model, result, arena):
    """Return the lines that say in each C file what the model is.

    Parameters
    ----------
    As for `files_to_publish`; `model` is what `read_model` gives for `model_bytes`.

    Returns
    -------
    list of str
    """
    lines = [
        f"{name}: handwritten digits 0 to 9, an int8 TensorFlow Lite model of "
        f"{len(model_bytes):,} bytes.",
        f"SHA-256 {sha256(model_bytes)}",
        f"Dataset: {result.dataset}. Test images classified correctly:",
        f"  {_rate(result.board_correct, result.total)} on {result.runtime_name}",
        f"  {_rate(result.float_correct, result.total)} in float, before quantization",
        f"Input:  {_tensor(model.input)}",
        f"Output: {_tensor(model.output)}",
        f"Operators: {', '.join(model.operator_names)}",
        f"Tensor arena: {arena.recommended:,} bytes recommended",
    ]
    if not result.board_runtime:
        lines.append(f"NOT tested on the board's runtime. {STAND_IN_NOTICE}")
    return lines


def himax_lines(model):
    """Return what the handwriting example of the HIMAX WE1 SDK needs for `model`.

    Parameters
    ----------
    model : helpers.board.model.Model
        One that passed `check_model`.

    Returns
    -------
    list of str
    """
    missing = sorted(set(model.operator_names) - _HIMAX_OPERATORS)
    if not missing and "SOFTMAX" in model.operator_names:
        return ["For the handwriting example of the HIMAX WE1 SDK: copy, build, flash."]
    calls = " ".join(f"resolver.{resolver_method(name)}();" for name in missing)
    lines = ["The handwriting example of the HIMAX WE1 SDK needs changes for it:"]
    if missing:
        lines.append(f"  its resolver lacks {', '.join(missing)}: {calls}")
        count = 4 + len(missing)
        lines.append(f"  and its type becomes MicroMutableOpResolver<{count}>.")
    if "SOFTMAX" not in model.operator_names:
        lines.append(
            "  its responder calls a digit unknown unless its score is above 0,"
        )
        lines.append("  but these scores are logits: take the digit with the highest.")
    return lines


def _report(report, model_bytes, model, result, golden, arena):
    facts = {
        "dataset": {"name": result.dataset, "test_images": result.total},
        "accuracy": {
            "float": {"correct": result.float_correct, "images": result.total},
            "board": {"correct": result.board_correct, "images": result.total},
        },
        "board_runtime": {
            "name": result.runtime_name,
            "is_board_runtime": result.board_runtime,
        },
        "model": {
            "bytes": len(model_bytes),
            "sha256": sha256(model_bytes),
            "operators": model.operator_names,
            "input": _quantization(model.input),
            "output": _quantization(model.output),
            "arena_bytes": arena.used,
            "smallest_arena_bytes": arena.smallest,
            "recommended_arena_bytes": arena.recommended,
            "arena_rule": arena.rule,
        },
        "golden_digits": list(golden.digits),
    }
    for key, value in report.items():
        known = facts.get(key, {})
        if key in facts and (
            not isinstance(known, dict) or known.keys() & value.keys()
        ):
            raise ValueError(f"report may not set {key} to what was measured here")
        facts[key] = known | value if key in facts else value
    text = json.dumps(
        facts,
        indent=1,
        sort_keys=True,
        allow_nan=False,
        default=_plain,
    )
    return f"{text}\n"


def _plain(value):
    """Give JSON the Python number inside a NumPy one."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"report.json cannot hold a {type(value).__name__}")


def _quantization(tensor):
    return {
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
    }


def _tensor(tensor):
    return (
        f"{tensor.dtype}, shape {list(tensor.shape)}, {math.prod(tensor.shape)} bytes, "
        f"scale {tensor.scale:.9g}, zero point {tensor.zero_point}"
    )


def _rate(correct, total):
    return f"{correct:,} of {total:,} ({100 * correct / total:.2f} %)"
