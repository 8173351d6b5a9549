"""Published files of a real candidate, for the tests of C and of publishing."""

import numpy as np

from helpers.board.arena import recommended_arena
from helpers.board.golden import choose_golden, predictions
from helpers.board.publish import Result, files_to_publish
from helpers.board.runtimes import board_runtime


def published(name, model_bytes, sample, report=None):
    """Return the published files, and the golden vectors in them."""
    images, labels = sample["test_images"], sample["test_labels"]
    runtime = board_runtime(model_bytes)
    scores = runtime.run(images)
    correct = int(np.sum(predictions(scores) == labels))
    result = Result(
        "mnist_5k",
        len(labels),
        correct,
        correct,
        runtime.name,
        runtime.is_board_runtime,
    )
    golden = choose_golden(images, labels, scores)
    arena = recommended_arena(model_bytes)
    files = files_to_publish(name, model_bytes, result, golden, arena, report or {})
    return files, golden
