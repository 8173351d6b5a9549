"""A model as a C array: plainly, as `xxd -i` writes it, and better, for a board.

Raw `xxd -i` output is neither `const` nor aligned: on a Cortex-M the array lands in RAM
at any address. The better form is read-only, starts at a multiple of 16 bytes, has a
header that declares it, and says what it is.
"""

import re

from helpers.errors import TutorialError

_BYTES_PER_LINE = 12
_HEX = [f"0x{byte:02x}" for byte in range(256)]

HIMAX_SYMBOL = "mnist_dynamic_quantized_28x28_tflite"
"""The array's name in the handwriting example of the HIMAX WE1 SDK."""


def xxd(name, data):
    """Return what ``xxd -i name`` prints for a file of that name.

    Parameters
    ----------
    name : str or None
        Path as it would be typed; it becomes the name of the array. None gives the bare
        bytes, as `xxd` does for standard input.
    data : bytes
        The content of the file.

    Returns
    -------
    str
        Lines end with a newline character on every system.
    """
    if name is None:
        return _rows(data)
    symbol = xxd_symbol(name)
    return (
        f"unsigned char {symbol}[] = {{\n{_rows(data)}}};\n"
        f"unsigned int {symbol}_len = {len(data)};\n"
    )


def xxd_symbol(name):
    """Return the name that `xxd -i` gives the array made from the file `name`.

    Each byte that is not an ASCII letter or digit becomes ``_``; two of them go before
    a leading digit.
    """
    encoded = name.encode("utf-8", "surrogateescape")
    symbol = re.sub(rb"[^A-Za-z0-9]", b"_", encoded).decode()
    return f"__{symbol}" if symbol[:1].isdigit() else symbol


def identifier(name):
    """Return a C and C++ identifier made from `name` that no standard reserves.

    Parameters
    ----------
    name : str
        Such as ``"mnist_cnn_int8"``.

    Returns
    -------
    str
        Letters, digits and single underscores, beginning with a letter.

    Notes
    -----
    C++ reserves names with two underscores in a row and those that begin with one. No
    keyword can come out where the caller adds ``_tflite`` or the like.
    """
    symbol = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return symbol if symbol[:1].isalpha() else f"model_{symbol}".rstrip("_")


def array_symbol(name):
    """Return the name of the array of the run called `name`: ``name_int8_tflite``."""
    return f"{identifier(name)}_int8_tflite"


def model_header(name):
    """Return ``<name>_int8.h``, which declares the array and its length."""
    symbol = array_symbol(name)
    return guarded(
        f"{name}_int8.h",
        f"""\
#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char {symbol}[];
extern const unsigned int {symbol}_len;

#ifdef __cplusplus
}}
#endif
""",
    )


def model_source(name, model_bytes, about):
    """Return ``<name>_int8.cc``, which defines the array.

    Parameters
    ----------
    name : str
        Of the run.
    model_bytes : bytes
    about : sequence of str
        Lines that say what the model is; they become a comment whatever they contain.

    Returns
    -------
    str
    """
    return _source(
        about,
        f"{name}_int8.h",
        f"const unsigned char {array_symbol(name)}[]",
        f"const unsigned int {array_symbol(name)}_len",
        model_bytes,
    )


def himax_header():
    """Return ``model_data.h`` with the names that the WE1 SDK's example includes."""
    return guarded(
        "himax_we1_evb/model_data.h",
        f"extern const unsigned char {HIMAX_SYMBOL}[];\n"
        f"extern const int {HIMAX_SYMBOL}_len;\n",
    )


def himax_source(model_bytes, about):
    """Return ``model_data.cc`` for the WE1 SDK's example; see `model_source`."""
    return _source(
        about,
        "model_data.h",
        f"const unsigned char {HIMAX_SYMBOL}[]",
        f"const int {HIMAX_SYMBOL}_len",
        model_bytes,
    )


def comment(lines):
    """Return `lines` as a C++ comment that nothing in them can end or extend.

    Line breaks become spaces; a backslash could continue the comment into the next
    line, as could the trigraph ``??/``; what is not printable ASCII becomes ``?``.
    """
    return "".join(f"// {_harmless(line)}".rstrip() + "\n" for line in lines)


def guarded(path, body):
    """Return `body` inside an include guard named after `path`."""
    guard = f"{identifier(path).upper()}_INCLUDED"
    return f"#ifndef {guard}\n#define {guard}\n\n{body}\n#endif  // {guard}\n"


def array_bytes(source):
    """Read back the bytes of the one array in a C source that this module wrote.

    Parameters
    ----------
    source : str

    Returns
    -------
    bytes

    Raises
    ------
    TutorialError
        If there is not exactly one array, or it is not whole.
    """
    code = re.sub(r"//[^\n]*", "", source)
    arrays = re.findall(r"\[\] = \{\n([^{}]*)\};", code)
    length = re.search(r"_len = (\d+);", code)
    if len(arrays) != 1 or length is None:
        raise TutorialError(
            f"The C source has {len(arrays)} arrays where one with its length is "
            "expected; run notebook 06_test_quantized_model to write it again."
        )
    values = bytes(
        int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})\b", arrays[0])
    )
    if len(values) != int(length[1]):
        raise TutorialError(
            f"The C array has {len(values):,} bytes, but its length says {length[1]}; "
            "run notebook 06_test_quantized_model to write it again."
        )
    return values


def _source(about, header, array, length, model_bytes):
    # The header comes first: without its `extern` a C++ constant is invisible outside
    # this file and the link fails with "undefined reference".
    return (
        f'{comment(about)}\n#include "{header}"\n\n'
        f"alignas(16) {array} = {{\n{_rows(model_bytes)}}};\n\n"
        f"{length} = {len(model_bytes)};\n"
    )


def _rows(data):
    rows = (
        data[first : first + _BYTES_PER_LINE]
        for first in range(0, len(data), _BYTES_PER_LINE)
    )
    lines = ["  " + ", ".join(_HEX[byte] for byte in row) for row in rows]
    return ",\n".join(lines) + "\n" if lines else ""


def _harmless(line):
    text = re.sub(r"[\t\n\v\f\r]+", " ", str(line)).replace("\\", "/")
    text = re.sub(r"[^ -~]", "?", text)
    return re.sub(r"\?(?=\?)", "? ", text).rstrip()
