"""Run a model from elsewhere in a process of its own, which may crash or hang.

The runtimes are native code: a hostile file can bring down the process that loads it.
Here that is a child, whose end becomes one sentence.
"""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np

from helpers.board.arena import Arena, recommended_arena
from helpers.board.runtimes import TFLM, LiteRT, board_runtime
from helpers.errors import TutorialError
from helpers.paths import python_path

RUNTIMES = ("board", "tflm", "litert", "litert_reference")
_MEMORY_LIMIT = 4 * 2**30  # bytes of address space, where the system can limit it


def run_in_child(model_bytes, images_i8, runtime="board", timeout_seconds=60.0):
    """Return the int8 scores of images, computed in a child process.

    Parameters
    ----------
    model_bytes : bytes
        A `.tflite` that need not be trusted.
    images_i8 : ndarray of int8, shape (images, 28, 28, 1)
    runtime : {"board", "tflm", "litert", "litert_reference"}
        ``"board"`` is TFLM where available, else LiteRT's reference kernels.
    timeout_seconds : float
        After this the child is killed.

    Returns
    -------
    ndarray of int8, shape (images, classes)

    Raises
    ------
    TutorialError
        If the model is refused, or the child crashes, hangs or answers nonsense.
    """
    if runtime not in RUNTIMES:
        raise TutorialError(
            f"runtime is {runtime!r}, but may be {', '.join(RUNTIMES)}."
        )
    scores = _ask(runtime, timeout_seconds, model_bytes, images_i8)
    count = len(images_i8)
    if scores.dtype != np.int8 or scores.ndim != 2 or len(scores) != count:
        raise TutorialError(
            f"Running the model gave {scores.dtype} of shape {scores.shape} where int8 "
            f"scores of {count} images are expected."
        )
    return scores


def arena_in_child(model_bytes, timeout_seconds=60.0):
    """Return what `recommended_arena` finds, measured in a child process.

    Parameters
    ----------
    model_bytes : bytes
        A `.tflite` with int8 input that need not be trusted.
    timeout_seconds : float
        After this the child is killed.

    Returns
    -------
    helpers.board.arena.Arena

    Raises
    ------
    TutorialError
        As `run_in_child`.
    """
    answer = _ask("arena", timeout_seconds, model_bytes, np.zeros(0, np.int8))
    try:
        return Arena(**json.loads(str(answer)))
    except (ValueError, TypeError) as problem:
        raise _unreadable() from problem


def _ask(task, timeout_seconds, model_bytes, images_i8):
    """Return the array that a child answers with."""
    request = _pack(model=np.frombuffer(model_bytes, np.uint8), images=images_i8)
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "helpers.board.child", task],
            input=request,
            capture_output=True,
            timeout=timeout_seconds,
            env=os.environ | {"PYTHONPATH": python_path()},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TutorialError(
            f"Running the model took over {timeout_seconds:g} s and was stopped; the "
            "file is probably damaged."
        ) from None
    if child.returncode != 0:
        raise TutorialError(
            f"Running the model crashed the process that tried it "
            f"({_ending(child.returncode)}); the file is probably damaged."
        )
    try:
        with np.load(io.BytesIO(child.stdout), allow_pickle=False) as arrays:
            error, answer = str(arrays["error"]), arrays["answer"]
    except (ValueError, KeyError, OSError, EOFError) as problem:
        raise _unreadable() from problem
    if error:
        raise TutorialError(error)
    return answer


def _unreadable():
    return TutorialError(
        "Running the model gave no readable answer; the file is probably damaged."
    )


def _ending(status):
    if status < 0:
        try:
            return f"signal {signal.Signals(-status).name}"
        except ValueError:
            return f"signal {-status}"
    return f"status {status}"


def _pack(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _limit_memory():
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # macOS counts shared libraries and refuses
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = _MEMORY_LIMIT if hard < 0 else min(_MEMORY_LIMIT, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _answer(task, model_bytes, images_i8):
    if task == "arena":
        arena = recommended_arena(model_bytes)
        return np.array(json.dumps(dataclasses.asdict(arena)))
    makers = {
        "board": board_runtime,
        "tflm": TFLM,
        "litert": LiteRT,
        "litert_reference": lambda data: LiteRT(data, reference=True),
    }
    return makers[task](model_bytes).run(images_i8)


def _main():
    """Read the request from standard input; write the answer to standard output."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints must not mix with the answer
    _limit_memory()
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as request:
        model_bytes, images_i8 = request["model"].tobytes(), request["images"]
    error, answered = "", np.zeros(0)
    try:
        answered = _answer(sys.argv[1], model_bytes, images_i8)
    except TutorialError as refused:
        error = str(refused)
    with answer:
        answer.write(_pack(error=np.array(error), answer=answered))


if __name__ == "__main__":
    _main()
