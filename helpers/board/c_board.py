"""Two C++ headers for any TFLM project: what the model needs, and how to test it there.

They include nothing of TFLM: what touches an interpreter or a resolver is a template.
Arrays stand in inline functions, so that several files may include the header and the
program still holds them once, and not at all if nothing uses them.
"""

import math

import numpy as np

from helpers.board.c_files import array_symbol, comment, guarded, identifier
from helpers.board.operators import resolver_method

_VALUES_PER_LINE = 14  # two lines for a row of 28 pixels


def board_header(name, model, arena, about):
    """Return ``<name>_int8_board.h``: constants, operators, arena, polarity.

    Parameters
    ----------
    name : str
        Of the run.
    model : helpers.board.model.Model
    arena : helpers.board.arena.Arena
    about : sequence of str
        Lines that say what the model is.

    Returns
    -------
    str
    """
    _, height, width, channels = model.input.shape
    operators = model.operator_names
    lines = [
        f"  ok = Added(resolver.{resolver_method(op)}()) && ok;" for op in operators
    ]
    scope = _namespace(name)
    usage = [
        "",
        f"How to use it, with {name}_int8.cc compiled into the program:",
        f"  alignas(16) static uint8_t arena[{scope}::kArenaBytes];",
        f"  static tflite::MicroMutableOpResolver<{scope}::kOperatorCount> resolver;",
        f"  {scope}::AddOperators(resolver);",
        "  static tflite::MicroInterpreter interpreter(",
        f"      tflite::GetModel({scope}::ModelBytes()), resolver, arena,",
        f"      {scope}::kArenaBytes);",
        "  interpreter.AllocateTensors();",
    ]
    body = f"""\
{comment([*about, *usage])}
#include <stdint.h>

#include "{name}_int8.h"

namespace {scope} {{

// The input: int8 values row by row, each pixel - 128. Ink is light on dark ground.
constexpr int kInputHeight = {height};
constexpr int kInputWidth = {width};
constexpr int kInputCount = {height * width * channels};
constexpr float kInputScale = {_float(model.input.scale)};
constexpr int kInputZeroPoint = {model.input.zero_point};

// The output: one int8 score for each digit; real = (score - zero point) * scale.
constexpr int kOutputCount = {math.prod(model.output.shape)};
constexpr float kOutputScale = {_float(model.output.scale)};
constexpr int kOutputZeroPoint = {model.output.zero_point};

{_arena_comment(arena)}\
constexpr int kArenaBytes = {arena.recommended};

// The operators, for tflite::MicroMutableOpResolver<kOperatorCount>.
constexpr int kOperatorCount = {len(operators)};

inline const unsigned char* ModelBytes() {{ return {array_symbol(name)}; }}

// What a resolver returns: TFLM's kTfLiteOk is 0.
template <typename Status>
inline bool Added(Status status) {{
  return static_cast<int>(status) == 0;
}}

// Adds exactly the operators that the model uses; false if one could not be added.
template <typename Resolver>
inline bool AddOperators(Resolver& resolver) {{
  bool ok = true;
{chr(10).join(lines)}
  return ok;
}}

// The byte that the model reads for a pixel of 0 (black) to 255 (white).
inline int8_t FromPixel(uint8_t pixel) {{
  return static_cast<int8_t>(static_cast<int>(pixel) - 128);
}}

// Turns dark ink on light paper, as a camera sees it, into light ink on dark ground.
inline void InvertPolarity(int8_t* image, int count) {{
  for (int i = 0; i < count; ++i) {{
    image[i] = static_cast<int8_t>(-1 - image[i]);
  }}
}}

inline float RealScore(int8_t score) {{
  return static_cast<float>(score - kOutputZeroPoint) * kOutputScale;
}}

// The digit with the highest score.
inline int BestDigit(const int8_t* scores) {{
  int best = 0;
  for (int digit = 1; digit < kOutputCount; ++digit) {{
    if (scores[digit] > scores[best]) {{
      best = digit;
    }}
  }}
  return best;
}}

}}  // namespace {scope}
"""
    return guarded(f"{name}_int8_board.h", body)


def golden_header(name, golden, runtime_name, board_runtime=True):
    """Return ``<name>_int8_golden.h``: the golden vectors and a self-test.

    Parameters
    ----------
    name : str
        Of the run.
    golden : helpers.board.golden.Golden
    runtime_name : str
        What computed the scores.
    board_runtime : bool
        Whether that is the board's own runtime.

    Returns
    -------
    str
    """
    count = len(golden.digits)
    exact = (
        "A board with TFLM's reference kernels gives exactly these bytes."
        if board_runtime
        else "It stands in for TensorFlow Lite Micro: allow a tolerance of 2."
    )
    about = [
        f"Test images, one a digit, with the scores that {runtime_name} gives.",
        exact,
        "Kernels of a chip's maker may round otherwise: there allow a tolerance of 2.",
    ]
    body = f"""\
{comment(about)}
#include <stdint.h>

#include "{name}_int8_board.h"

namespace {_namespace(name)} {{

constexpr int kGoldenCount = {count};

inline int GoldenDigit(int index) {{
  static const int8_t kDigits[{count}] = {{
{_numbers(golden.digits)}  }};
  return kDigits[index];
}}

inline const int8_t* GoldenInput(int index) {{
  static const int8_t kImages[{count}][{golden.images[0].size}] = {{
{_rows(golden.images)}  }};
  return kImages[index];
}}

inline const int8_t* GoldenOutput(int index) {{
  static const int8_t kScores[{count}][{golden.scores[0].size}] = {{
{_rows(golden.scores)}  }};
  return kScores[index];
}}

// Runs the golden images on a tflite::MicroInterpreter whose tensors are allocated.
// Returns how many of them failed: a score further than `tolerance` from the golden
// one, another digit, or no answer at all. 0 means that the board computes what this
// computer computed; call it once at start-up.
template <typename Interpreter>
inline int GoldenFailures(Interpreter& interpreter, int tolerance = 0) {{
  int failures = 0;
  for (int index = 0; index < kGoldenCount; ++index) {{
    int8_t* input = interpreter.input(0)->data.int8;
    for (int i = 0; i < kInputCount; ++i) {{
      input[i] = GoldenInput(index)[i];
    }}
    bool ok = static_cast<int>(interpreter.Invoke()) == 0;
    const int8_t* scores = interpreter.output(0)->data.int8;
    for (int i = 0; ok && i < kOutputCount; ++i) {{
      const int difference = scores[i] - GoldenOutput(index)[i];
      ok = difference <= tolerance && -difference <= tolerance;
    }}
    ok = ok && BestDigit(scores) == GoldenDigit(index);
    failures += ok ? 0 : 1;
  }}
  return failures;
}}

}}  // namespace {_namespace(name)}
"""
    return guarded(f"{name}_int8_golden.h", body)


def _namespace(name):
    return f"{identifier(name)}_int8"


def _arena_comment(arena):
    used = (
        [f"Memory for tensors: {arena.used:,} bytes in use on a 64-bit computer."]
        if arena.used is not None
        else ["Memory for tensors."]
    )
    sentence = f"Recommended: {arena.recommended:,} bytes. {arena.rule}"
    return comment([*used, *_wrapped(sentence)])


def _wrapped(sentence, width=84):
    lines = [""]
    for word in sentence.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _float(value):
    """Write a float32 with as many digits as identify it, as a C literal."""
    digits = str(np.float32(value))
    return f"{digits}f" if "." in digits or "e" in digits else f"{digits}.0f"


def _rows(arrays):
    return "".join(f"    {{\n{_numbers(np.ravel(row), 6)}    }},\n" for row in arrays)


def _numbers(values, indent=4):
    values = [str(int(value)) for value in values]
    lines = (
        ", ".join(values[first : first + _VALUES_PER_LINE])
        for first in range(0, len(values), _VALUES_PER_LINE)
    )
    return "".join(f"{' ' * indent}{line},\n" for line in lines)
