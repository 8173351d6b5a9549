"""How many digits the recipes read, in int8: clean, as a camera sees them, and foreign.

    python -m tests.benchmarks.accuracy [--recipes default compact] [--seeds 1 2 3]

Trains each recipe with each seed by the batch command, runs the published model on
TensorFlow Lite Micro's reference kernels, and prints mean ± standard deviation in
percent as a table in Markdown. The rows are

- all test images under every effect of `helpers.camera`;
- 1,000 synthetic photographs of test images, prepared by `helpers.photograph`;
- handwriting from elsewhere: scikit-learn's `load_digits`, 1,797 images of 8×8 pixels,
  prepared as the drawing pad prepares a drawing.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
from scipy import ndimage
from tqdm import tqdm

from helpers import camera, photograph, tflite
from helpers.files import TutorialError
from helpers.runs import REPOSITORY, Run

RECIPES = {
    "original": ["--recipe=original"],
    "default": [],
    "default15": ["--epochs=15"],
    "compact": ["--network=compact", "--epochs=60"],
}
PHOTOGRAPHS = "1,000 synthetic photographs"
FOREIGN = "load_digits, prepared by the pad"


def main():
    """Measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    found = {}
    with tqdm(total=len(options.recipes) * len(options.seeds), unit="run") as bar:
        for recipe in options.recipes:
            found[recipe] = []
            for seed in options.seeds:
                found[recipe].append(accuracies(recipe, seed))
                bar.update()
    print(table(found))


def accuracies(recipe, seed):
    """Train a recipe; return its accuracy in percent by caption of the pictures."""
    model, data = train(recipe, seed)
    labels = data["test_labels"]
    found = {}
    for caption, images_i8 in camera.pictures(data["test_images"]):
        found[caption] = share(model, images_i8, labels)
    found[PHOTOGRAPHS] = share_of_photographs(model, data["test_images"], labels)
    foreign_i8, foreign_labels = foreign_handwriting()
    found[FOREIGN] = share(model, foreign_i8, foreign_labels)
    return found


def train(recipe, seed):
    """Return the published model, on a runtime, and the arrays of notebook 2."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARTIFACTS_DIR"] = folder
        command = [sys.executable, "-m", "helpers.train_and_quantize", "--no-pages"]
        command += RECIPES[recipe]
        command += [f"--seed={seed}", "--max-accuracy-drop=100"]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        run = Run("mnist_cnn")
        data = run.load("02_preprocessed.npz")
        published = run.folder / "published"
        model_bytes = (published / "mnist_cnn_int8.tflite").read_bytes()
    return tflite.tflm_or_stand_in(model_bytes), data


def share(model, images_i8, labels):
    """Return the share of right answers in percent."""
    return 100 * float(np.mean(model.run(images_i8).argmax(axis=1) == labels))


def share_of_photographs(model, images_i8, labels, images=1000):
    """Return the share of right answers to synthetic photographs in percent.

    They are evenly spread over the test images, and each has its own seed. One that
    cannot be prepared counts as a wrong answer.
    """
    right = 0
    for seed, place in enumerate(range(0, len(labels), len(labels) // images)):
        image_u8 = (images_i8[place, ..., 0] ^ -128).view(np.uint8)
        picture = photograph.synthetic(image_u8, seed)
        try:
            _, seen_u8 = photograph.steps(picture)[-1]
        except TutorialError:
            continue
        answer = model.run(to_i8(seen_u8[None])).argmax()
        right += int(answer == labels[place])
    return 100 * right / images


def foreign_handwriting():
    """Return scikit-learn's digits as the pad would see them, and their labels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    prepared = []
    for image in digits.images:
        large = ndimage.zoom(np.pad(image / 16, 1), 10)
        ink = np.where(large > 0.4, large.clip(0, 1), 0)  # no faint ink
        prepared.append(photograph.prepare(np.rint(255 * ink).astype(np.uint8)))
    return to_i8(np.stack(prepared)), digits.target


def to_i8(images_u8):
    """Return uint8 images (N, 28, 28) as the model reads them: ``pixel - 128``."""
    return (images_u8 ^ 0x80).view(np.int8)[..., None]


def table(found):
    """Return the accuracies of `found`, by recipe a list of runs, in Markdown."""
    lines = [f"| pictures | {' | '.join(found)} |", "|---|" + "---|" * len(found)]
    for caption in [*camera.EFFECTS, PHOTOGRAPHS, FOREIGN]:
        cells = []
        for runs in found.values():
            cells.append(spread([run[caption] for run in runs]))
        lines.append(f"| {caption} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values):
    """Return mean ± standard deviation; that of a sample, if it is one."""
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0
    return f"{np.mean(values):.2f} ± {deviation:.2f}"


if __name__ == "__main__":
    main()
