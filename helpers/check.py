"""Look at any `.tflite`, try it on digits: ``python -m helpers.check model.tflite``.

The file need not be trusted: it is read without native code, each offset checked, and
the board's runtime runs it in a process of its own.
"""

import argparse
import math
import stat
import sys
from pathlib import Path

import numpy as np

from helpers.batch.guard import Parser, guarded
from helpers.board.child import arena_in_child, run_in_child
from helpers.board.describe import summary_lines
from helpers.board.flatbuffer import SIZE_LIMIT, read_model
from helpers.board.golden import predictions
from helpers.board.model_checks import check_model
from helpers.board.publish import himax_lines
from helpers.board.runtimes import STAND_IN_NOTICE, tflm_is_available
from helpers.errors import TutorialError
from helpers.learn.datasets import load_sample
from helpers.paths import printable, shown

_ABOUT = """\
Say what is in a .tflite file and what a board needs to run it. If it reads digits, try
it on 1,000 of them on the board's runtime. The file need not be trusted: native code
runs it in a process of its own."""
_EXIT = """exit status:
  0    the model could be read and run, and passed every check
  1    it was refused or failed a check (the sentences say why)
  2    the command line is wrong"""


def main(arguments=None):
    """Check the file that the command line names.

    Parameters
    ----------
    arguments : list of str, optional
        ``sys.argv[1:]`` unless given.

    Returns
    -------
    int
        Exit status: 0 when all is well, 1 when the model is refused or fails a check, 2
        when the command line is wrong, 128 and the signal's number when stopped.
    """
    return guarded(
        lambda stopping: _check(_parser().parse_args(arguments).model),
        advice="nothing was written; run it again",
    )


def _check(path):
    model_bytes = _read(path)
    model = read_model(model_bytes, shown(path), "get it again from where it came")
    print(shown(path), *summary_lines(model), sep="\n", flush=True)
    checks = check_model(model_bytes, head=None, pixel_scale=None)
    failed = [check for check in checks if not check.passed]
    if failed:
        print("", *failed, sep="\n", flush=True)
    if _is_int8(model):
        print("\nrunning it in a process of its own ...", flush=True)
        arena = arena_in_child(model_bytes)
        how = "recommended" if arena.used else "estimated"
        print(f"tensor arena: {arena.recommended:,} bytes {how}", flush=True)
        if _reads_digits(model):
            print(*_trial(model_bytes), sep="\n", flush=True)
    if failed:
        raise TutorialError(
            f"{shown(path)} fails {len(failed)} of {len(checks)} checks, marked FAIL "
            "above; notebook 05_quantize_model shows how to convert one that passes."
        )
    print("", *himax_lines(model), sep="\n")
    return 0


def _read(path):
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe could wait for ever
            raise TutorialError(
                f"{shown(path)} is not a file; give the path of a .tflite file."
            )
        if status.st_size > SIZE_LIMIT:
            raise TutorialError(
                f"{shown(path)} has {status.st_size:,} bytes, over the limit of "
                f"{SIZE_LIMIT:,}; that is not a model for a microcontroller."
            )
        with open(path, "rb") as file:
            return file.read(SIZE_LIMIT + 1)  # it may be growing
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = printable(str(getattr(error, "strerror", None) or error))
        raise TutorialError(
            f"Cannot read {shown(path)}: {reason}; give the path of a .tflite file."
        ) from error


def _is_int8(model):
    ends = [model.tensors[index].dtype for index in (*model.inputs, *model.outputs)]
    return len(model.inputs) == len(model.outputs) == 1 and set(ends) == {"int8"}


def _reads_digits(model):
    outputs = math.prod(model.output.shape)
    return model.input.shape == (1, 28, 28, 1) and outputs == 10


def _trial(model_bytes):
    _, (images, labels) = load_sample()
    images_i8 = (images.astype(np.int16) - 128).astype(np.int8)[..., None]
    correct = np.sum(predictions(run_in_child(model_bytes, images_i8)) == labels)
    on_board = tflm_is_available()
    yield (
        f"sample digits: {correct:,} of {len(labels):,} right "
        f"({100 * correct / len(labels):.1f} %) on "
        f"{'TensorFlow Lite Micro' if on_board else 'LiteRT'}"
    )
    yield "  (light ink on dark paper, each byte pixel - 128; these are training images"
    yield "  of MNIST: a model that was trained on all of it has seen them)"
    if not on_board:
        yield STAND_IN_NOTICE


def _parser():
    parser = Parser(
        prog="python -m helpers.check",
        description=_ABOUT,
        epilog=_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", help=f"the .tflite file, {SIZE_LIMIT // 2**20} MiB at most"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
