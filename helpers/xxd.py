"""``xxd -i`` in Python, for systems that have no xxd.

``python -m helpers.xxd mnist_cnn_int8.tflite model_data.cc`` writes byte for byte what
``xxd -i mnist_cnn_int8.tflite model_data.cc`` writes.
"""

import argparse
import sys
from pathlib import Path

from helpers.board.c_files import xxd
from helpers.errors import TutorialError
from helpers.files import explained, write_atomically

_SIZE_LIMIT = 256 * 2**20  # bytes; as C it takes six times as much


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the program if left out.

    Returns
    -------
    int
        0, or 1 after a message on standard error.
    """
    options = _parser().parse_args(arguments)
    try:
        text = _convert(options.infile, options.name, options.outfile)
    except TutorialError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if text is not None:  # bytes, so that Windows keeps the newlines
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    return 0


def _convert(infile, name, outfile):
    data = _read(infile)
    if name is None and infile != "-":
        name = infile
    text = xxd(name, data).encode()
    if outfile is None:
        return text
    if infile != "-" and Path(outfile).exists() and Path(outfile).samefile(infile):
        raise TutorialError(
            f"{outfile} is the input itself; give the C file another name, for example "
            "model_data.cc."
        )
    _write(Path(outfile), text)
    return None


def _write(path, text):
    if path.exists() and not path.is_file():  # a device or a pipe must not be replaced
        with explained("write", path):
            path.write_bytes(text)
    else:
        write_atomically(path.resolve(), text)  # a link stays one


def _read(infile):
    if infile == "-":
        return sys.stdin.buffer.read()
    try:
        if Path(infile).stat().st_size > _SIZE_LIMIT:
            raise TutorialError(
                f"{infile} has over {_SIZE_LIMIT:,} bytes, too many for a C array."
            )
        return Path(infile).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise TutorialError(
            f"Cannot read {infile}: {reason}; give the path of the file to convert, "
            "for example mnist_cnn_int8.tflite."
        ) from error


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m helpers.xxd",
        description="Write a file as a C array, exactly as 'xxd -i' does.",
        epilog="The array is named after infile as it is typed, each character other "
        "than a letter or digit replaced by _; its length has that name with _len. It "
        "is neither const nor aligned: for a microcontroller take the "
        "<name>_int8.cc and .h that notebook 06 writes.",
    )
    parser.add_argument("infile", help="file to convert; - reads standard input")
    parser.add_argument(
        "outfile", nargs="?", help="C file to write; standard output if left out"
    )
    parser.add_argument("-n", "--name", help="name the array after this instead")
    parser.add_argument(
        "-i", "--include", action="store_true", help="accepted, as this is all it does"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
