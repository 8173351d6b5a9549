"""Make the moving picture of the drawing pad that README and notebook 1 show.

``python tests/make_pictures.py`` opens the page of the run ``mnist_cnn``, which
``python -m helpers.train_and_quantize`` writes, in a headless browser, draws digits
with the mouse as a hand would, and keeps what the page shows:
``images/draw_digit.gif``.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright import sync_api
from scipy import interpolate

sys.path.insert(0, str(Path(__file__).parent))
import browser

from helpers import runs

# Strokes of points (x, y), from 0 to 1, through which the pen goes in a curve.
THREE = [
    [(0.3, 0.25), (0.47, 0.15), (0.65, 0.22), (0.66, 0.36), (0.48, 0.47)],
    [(0.48, 0.47), (0.68, 0.54), (0.71, 0.7), (0.56, 0.84), (0.28, 0.79)],
]
FOUR = [
    [(0.36, 0.18), (0.33, 0.34), (0.28, 0.53), (0.5, 0.56), (0.75, 0.54)],
    [(0.62, 0.2), (0.61, 0.45), (0.58, 0.66), (0.57, 0.86)],
]
EIGHT = [
    [
        (0.64, 0.26),
        (0.48, 0.17),
        (0.37, 0.29),
        (0.5, 0.47),
        (0.64, 0.63),
        (0.62, 0.79),
        (0.46, 0.84),
        (0.36, 0.7),
        (0.5, 0.5),
        (0.63, 0.37),
        (0.65, 0.26),
    ]
]
DIGITS = {3: THREE, 4: FOUR, 8: EIGHT}
STEPS = 3  # pictures from one of these points to the next
MOVES = 5  # of the mouse for each picture: the curve is smooth
MOVING = 80  # milliseconds that a picture is shown while the pen moves
READ = 2200  # when the digit is complete
CLEARED = 600  # before the next one
WIDTH = 852  # of the pictures, in pixels
COLORS = 128


@dataclass
class Frame:
    """A picture of the moving picture, and how long it is shown, in milliseconds."""

    picture: Image.Image
    milliseconds: int


class Camera:
    """Takes pictures of a page's drawing pad while a digit is drawn on it."""

    def __init__(self, page):
        self.page = page
        self.pad = page.locator(".draw-digit")
        self.frames = []

    def take(self, milliseconds):
        """Keep what the pad shows once it has read the drawing, down to the verdict."""
        self.page.evaluate("() => new Promise(requestAnimationFrame)")
        self.page.evaluate("() => new Promise(requestAnimationFrame)")
        path = runs.artifacts_root() / "frame.png"
        self.page.screenshot(path=path, animations="disabled", clip=self._clip())
        with Image.open(path) as picture:
            self.frames.append(Frame(picture.convert("RGB"), milliseconds))
        path.unlink()

    def _clip(self):
        """Return the place of the pad on the page, down to its verdict."""
        place = self.pad.bounding_box()
        verdict = self.pad.locator(".verdict").bounding_box()
        place["height"] = verdict["y"] + verdict["height"] - place["y"]
        return place

    def draw(self, strokes):
        """Draw strokes and take a picture after each step of the pen."""
        paper = self.pad.locator("canvas").first.bounding_box()
        for stroke in strokes:
            for number, (x, y) in enumerate(curve(stroke)):
                self.page.mouse.move(
                    paper["x"] + x * paper["width"], paper["y"] + y * paper["height"]
                )
                if number == 0:
                    self.page.mouse.down()
                if number % MOVES == 0:
                    self.take(MOVING)
            self.page.mouse.up()

    def read(self, digit):
        """Show for a while what the model reads; it has to be the digit drawn."""
        verdict = self.pad.locator(".verdict").text_content()
        if f" {digit} (" not in verdict:
            sys.exit(
                f"The pad says {verdict!r} of a {digit}; change the strokes of it."
            )
        self.take(READ)

    def clear(self):
        """Clear the pad."""
        self.pad.get_by_role("button", name="Clear").click()
        self.page.mouse.move(0, 0)
        self.take(CLEARED)


def curve(points):
    """Return points, (n, 2), on a smooth curve through the points of a stroke."""
    places = np.array(points)
    knots = np.linspace(0, 1, len(places))
    spline = interpolate.make_interp_spline(knots, places, k=3)
    return spline(np.linspace(0, 1, MOVES * STEPS * (len(places) - 1) + 1))


def film(chromium, address, digits):
    """Return the frames of a pad on which digits are drawn."""
    page = chromium.new_page(viewport={"width": WIDTH + 40, "height": 900})
    page.goto(address)
    page.locator(".draw-digit .verdict").wait_for(state="attached")
    camera = Camera(page)
    for digit in digits:
        camera.clear()
        camera.draw(DIGITS[digit])
        camera.read(digit)
    return camera.frames


def reduced(picture):
    """Return a picture in few colours, of which white is white and black black."""
    method = Image.Quantize.MAXCOVERAGE
    return picture.quantize(COLORS, method=method, dither=Image.Dither.NONE)


def save_moving(frames, path):
    """Save frames as an animated GIF."""
    # Reduced as one picture, so that all frames have the same colours.
    width, height = frames[0].picture.size
    strip = Image.new("RGB", (width, height * len(frames)))
    for number, frame in enumerate(frames):
        strip.paste(frame.picture, (0, number * height))
    strip = reduced(strip)
    pictures = []
    for number in range(len(frames)):
        top = number * height
        pictures.append(strip.crop((0, top, width, top + height)))
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=[frame.milliseconds for frame in frames],
        loop=0,
        optimize=True,
    )


def main():
    """Film the pad of the run ``mnist_cnn``."""
    page = runs.artifacts_root() / "mnist_cnn" / "report" / "index.html"
    if not page.exists():
        sys.exit(f"{page} is missing; run python -m helpers.train_and_quantize first.")
    images = runs.REPOSITORY / "images"
    with sync_api.sync_playwright() as driver:
        chromium = browser.launch(driver.chromium, sync_api.Error)
        if chromium is None:
            sys.exit(f"No browser can be started: this {browser.HOW}.")
        moving = film(chromium, page.as_uri(), DIGITS)
        chromium.close()
    # A page that does not move shows the first picture: a digit that was read.
    first = [frame.milliseconds for frame in moving].index(READ)
    moving = moving[first:] + moving[:first]
    save_moving(moving, images / "draw_digit.gif")


if __name__ == "__main__":
    main()
