"""How many digits the recipes read, in int8, clean and as a camera sees them.

    python -m tests.benchmarks.accuracy [--recipes default compact] [--seeds 1 2 3]

Trains each recipe with each seed by the batch command, runs the published model on
TensorFlow Lite Micro's reference kernels over all test images under every effect, and
prints mean ± standard deviation in percent as a table in Markdown. The last row is
handwriting from elsewhere: scikit-learn's `load_digits`, 1,797 images of 8×8 pixels,
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

from helpers import camera, tflite
from helpers.runs import REPOSITORY, Run

RECIPES = {
    "original": ["--recipe=original"],
    "default": [],
    "default15": ["--epochs=15"],
    "compact": ["--network=compact", "--epochs=45"],
}
FOREIGN = "load_digits, prepared by the pad"


def accuracies(recipe, seed):
    """Train a recipe; return its accuracy in percent by caption of the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARTIFACTS_DIR"] = folder
        command = [sys.executable, "-m", "helpers.train_and_quantize", "--no-pages"]
        options = [*RECIPES[recipe], f"--seed={seed}", "--max-accuracy-drop=100"]
        subprocess.run(
            [*command, *options], cwd=REPOSITORY, check=True, capture_output=True
        )
        run = Run("mnist_cnn")
        data = run.load("02_preprocessed.npz")
        model = tflite.tflm_or_stand_in(run.published("mnist_cnn_int8.tflite"))
    pictures = list(camera.pictures(data["test_images"]))
    found = {
        caption: share(model, images, data["test_labels"])
        for caption, images in pictures
    }
    return found | {FOREIGN: share(model, *foreign_handwriting())}


def share(model, images_i8, labels):
    """Return the share of right answers in percent."""
    return 100 * float(np.mean(model.run(images_i8).argmax(axis=1) == labels))


def foreign_handwriting():
    """Return scikit-learn's digits as the pad would see them, and their labels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    large = [ndimage.zoom(np.pad(image / 16, 1), 10) for image in digits.images]
    cut = [np.where(image > 0.4, image.clip(0, 1), 0) for image in large]  # faint ink
    inks = [np.rint(255 * image).astype(np.uint8) for image in cut]
    pictures = np.stack([normalise(ink) for ink in inks])
    images_i8 = (pictures.astype(np.int16) - 128).astype(np.int8)
    return images_i8[..., None], digits.target


def normalise(ink):
    """Scale a digit to MNIST's 20×20 box and centre it, as the drawing pad does.

    `ink` is uint8 of any size, light on paper that is exactly 0; the result is 28×28.
    """
    picture = np.zeros((28, 28), np.uint8)
    inked = ndimage.find_objects((ink > 0).astype(int))
    if not inked:
        return picture
    digit = ink[inked[0]]
    longest = max(digit.shape)
    size = [max(1, (2 * 20 * n + longest) // (2 * longest)) for n in digit.shape]
    digit = _box_average(digit, *size)
    if digit.any():  # else it was too faint
        middle = np.floor(np.add(ndimage.center_of_mass(digit), 0.5)).astype(int)
        top, left = np.clip(14 - middle, 0, np.subtract(28, size))
        picture[top : top + size[0], left : left + size[1]] = digit
    return picture


def _box_average(picture, height, width):
    # Each new pixel is the mean of the area that it covers. In whole numbers, halves
    # rounded up, so that the page's script comes to the same bytes.
    rows, columns = picture.shape
    sums = np.repeat(picture.astype(int), height, 0).reshape(height, rows, -1).sum(1)
    sums = np.repeat(sums, width, 1).reshape(height, width, columns).sum(2)
    return ((2 * sums + picture.size) // (2 * picture.size)).astype(np.uint8)


def main():
    """Measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    found = {recipe: [] for recipe in options.recipes}
    with tqdm(total=len(options.recipes) * len(options.seeds), unit="run") as bar:
        for recipe in options.recipes:
            for seed in options.seeds:
                found[recipe].append(accuracies(recipe, seed))
                bar.update()
    print("| pictures |", " | ".join(found), "|")
    print("|---|" + "---|" * len(found))
    for caption in [*camera.EFFECTS, FOREIGN]:
        texts = []
        for runs in found.values():
            cell = [one[caption] for one in runs]
            spread = np.std(cell, ddof=len(cell) > 1)  # of a sample, if it is one
            texts.append(f"{np.mean(cell):.2f} ± {spread:.2f}")
        print(f"| {caption} |", " | ".join(texts), "|")


if __name__ == "__main__":
    main()
