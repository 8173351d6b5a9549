"""From a photograph of a handwritten digit to the 28×28 pixels that the model reads.

Nothing here is learned. Each step is a picture of its own, so that one sees where a
photograph goes wrong: light that is uneven, ink that is pale, a second digit.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from helpers.files import TutorialError
from helpers.runs import REPOSITORY

_LONGEST = 320  # pixels: a larger photograph is reduced, which also removes noise
_PLACES = 40  # along the longer side: there the light is measured
_AROUND = 25  # places across, of which a place's light is the median
_EDGE = 9  # places: what is at the edge and half as wide is no measure of the light
_DARKEST = 96  # darker paper, such as a blackboard, is no measure of the light
_FAINTEST = 20  # steps of 255: what is nearer to the paper is no ink
_JOINED = 1 / 64  # of the longer side: parts this near, twice, are one stroke
_SMALLEST = 1 / 16  # of the longer side: what is smaller is no digit
_BELONGS = 1 / 4  # of the digit's size: parts this near are its own, such as a 5's bar
_RIVAL = 0.6  # of the digit's height: what is as high is a second digit
_BOX = 20  # pixels: the side of the square that every digit of MNIST fits
_STROKE = 1 / 8  # of the digit's size: how thick strokes are in MNIST


def steps(picture):
    """Return the way from a photograph to the model's input, as a list of pairs.

    `picture` is the path of a file that Pillow can read, or uint8 pixels of shape
    (height, width) or (height, width, 3). Each pair is a title and a picture, uint8 of
    two dimensions; the last has 28×28 pixels, light ink on dark paper. TutorialError if
    there is no picture, no digit on it, or more than one.
    """
    grey = read_grey(picture)
    contrast = even_out(grey)
    ink = find_ink(contrast)
    digit = cut_out(ink)
    thick = thicken(digit)
    return [
        ("Grey", grey),
        ("Light evened out", np.clip(128 + contrast // 2, 0, 255).astype(np.uint8)),
        ("Ink white, paper black", ink),
        ("The digit alone", digit),
        ("Strokes as in MNIST", thick),
        ("28 × 28", prepare(thick)),
    ]


def read_grey(picture):
    """Return a photograph's brightness, uint8, at most 320 pixels wide and high."""
    try:
        image = _opened(picture).convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")  # behind what is transparent
        image = Image.alpha_composite(paper, image).convert("L")
        image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BOX)
        return np.asarray(image)
    except (OSError, TypeError, ValueError, Image.DecompressionBombError) as error:
        is_array = isinstance(picture, np.ndarray)
        thing = f"An array of shape {picture.shape}" if is_array else picture
        raise TutorialError(
            f"{thing} is no picture that can be read ({error!s:.150}); expected is a "
            "photograph of one digit: save it as .jpg or .png, and give its whole path "
            f"(a relative one starts at {REPOSITORY})."
        ) from None


def _opened(picture):
    if isinstance(picture, np.ndarray):
        return Image.fromarray(picture)
    path = REPOSITORY / Path(picture).expanduser()
    image = ImageOps.exif_transpose(Image.open(path))  # upright, as it was taken
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    return image


def even_out(grey):
    """Return by how much each pixel is lighter than the paper around it, as int.

    0 is paper, whatever light falls on it, and -255 is black. The paper's brightness is
    the median of the places around, because there is more paper than ink.
    """
    step = max(1, max(grey.shape) // _PLACES)
    places = grey[::step, ::step].astype(float)
    places = ndimage.median_filter(places, _EDGE)
    medians = ndimage.median_filter(places, _AROUND, mode="nearest")
    larger = np.divide(grey.shape, medians.shape)
    paper = ndimage.zoom(medians, larger, order=1, mode="nearest", grid_mode=True)
    contrast = 255 * (grey - paper) / np.maximum(paper, _DARKEST)
    return np.rint(contrast).astype(int)


def find_ink(contrast):
    """Return the ink, uint8: 255 is ink and 0 is paper, whichever of them was lighter.

    `contrast` is what `even_out` gives. What lies on the other side of the paper's
    brightness, or differs from it less than a quarter as much as the ink, is paper.
    TutorialError if nothing differs from the paper.
    """
    noise = 1.4826 * np.median(np.abs(contrast))  # as a standard deviation
    least = max(_FAINTEST, 4 * noise)
    darkest, lightest = np.percentile(contrast, (0.2, 99.8))
    if max(-darkest, lightest) <= least:
        raise TutorialError(
            "The photograph shows no ink: nothing differs from the paper; take one of "
            "a digit, with more light or a darker pen."
        )
    depth = contrast if lightest > -darkest else -contrast
    full = np.percentile(depth[depth > least], 90)
    ink = 255 * (depth / full - 0.25) / 0.5
    return np.clip(ink, 0, 255).astype(np.uint8)


@dataclass
class _Part:
    """Connected ink."""

    mask: np.ndarray  # bool, of the picture's shape
    height: int
    size: int  # height or width, whichever is larger


def cut_out(ink):
    """Return the picture of the one digit: all its parts, and nothing else.

    TutorialError if there is no digit, or a second one.
    """
    smallest = _SMALLEST * max(ink.shape)
    parts = [part for part in _parts(ink > 127) if part.size > smallest]
    if not parts:
        raise TutorialError(
            "The photograph shows no digit, only spots or what reaches its edge; take "
            "one of a whole digit, with paper around it, from nearer and with a darker "
            "pen."
        )
    main = max(parts, key=lambda part: part.size)
    around = _widened(main.mask, round(_BELONGS * main.size))
    is_digit = main.mask
    for part in parts:
        if part is not main and part.height > _RIVAL * main.height:
            raise TutorialError(
                "The photograph shows more than one digit; cut it, or cover the rest, "
                "until one is left."
            )
        if around[part.mask].any():
            is_digit = is_digit | part.mask
    [box] = ndimage.find_objects(is_digit.astype(int))
    return np.where(is_digit, ink, 0).astype(np.uint8)[box]


def _parts(inked):
    """Return the `_Part` of each group of inked pixels that nearly touch.

    What touches the edge of the photograph is none of them: it is the end of the paper,
    or a finger.
    """
    joined = _widened(inked, round(_JOINED * max(inked.shape)))
    framed = np.pad(joined, 1, constant_values=True)  # one part of all at the edge
    labels, count = ndimage.label(framed, np.ones((3, 3)))
    boxes = ndimage.find_objects(labels)
    found = []
    for number in range(2, count + 1):  # 1 is the frame
        rows, columns = boxes[number - 1]
        height = rows.stop - rows.start
        width = columns.stop - columns.start
        mask = labels[1:-1, 1:-1] == number
        found.append(_Part(mask, height, max(height, width)))
    return found


def _widened(mask, pixels):
    """Return the mask with all that is at most so many pixels away from it."""
    return ndimage.maximum_filter(mask.astype(np.uint8), 2 * pixels + 1) > 0


def thicken(digit):
    """Return the digit with strokes at least as thick, for its size, as in MNIST.

    A thin pen's strokes would turn grey, or vanish, when the digit is made small.
    """
    inked = digit > 127
    # In a long stroke the mean distance to its edge is a quarter of its thickness.
    distances = ndimage.distance_transform_edt(np.pad(inked, 1))[1:-1, 1:-1]
    thickness = 4 * distances[inked].mean()
    missing = round(_STROKE * max(digit.shape) - thickness)
    if missing < 1:
        return digit
    around = np.pad(digit, missing)
    return ndimage.grey_dilation(around, size=(missing + 1, missing + 1))


def prepare(ink):
    """Scale a digit to MNIST's 20×20 box and centre it, as MNIST's authors did.

    `ink` is uint8 of any size, light on paper that is exactly 0; the result is uint8 of
    28×28. The drawing pad does the same, byte for byte.
    """
    picture = np.zeros((28, 28), np.uint8)
    inked = ndimage.find_objects((ink > 0).astype(int))
    if not inked:
        return picture
    digit = ink[inked[0]]
    longest = max(digit.shape)
    height, width = (_scaled(side, longest) for side in digit.shape)
    digit = box_average(digit, height, width)
    if digit.any():  # else it was too faint
        middle = np.floor(np.add(ndimage.center_of_mass(digit), 0.5)).astype(int)
        top, left = np.clip(14 - middle, 0, (28 - height, 28 - width))
        picture[top : top + height, left : left + width] = digit
    return picture


def _scaled(side, longest):
    """Return a side's length when the longest becomes 20; halves are rounded up."""
    return max(1, (2 * _BOX * side + longest) // (2 * longest))


def box_average(picture, height, width):
    """Return a picture in another size: each new pixel is the mean of its area.

    In whole numbers, halves rounded up, so that another language gives the same bytes.
    """
    rows, columns = picture.shape
    sums = np.repeat(picture.astype(int), height, axis=0)
    sums = sums.reshape(height, rows, columns).sum(axis=1)
    sums = np.repeat(sums, width, axis=1)
    sums = sums.reshape(height, width, columns).sum(axis=2)
    area = rows * columns
    return ((2 * sums + area) // (2 * area)).astype(np.uint8)


def synthetic(image_u8, seed):
    """Return a photograph of a digit as a pencil draws it, uint8 (240, 320, 3).

    `image_u8` is a digit of 28×28 pixels, light ink on dark paper. `seed` decides the
    digit's size and place, the pencil, the paper's texture, the light, a shadow and the
    camera's noise.
    """
    random = np.random.default_rng(seed)
    height, width = 240, 320
    large = ndimage.zoom(image_u8 / 255, random.uniform(3, 7), order=3)
    thinner = random.uniform(0.3, 0.5)
    strokes = np.clip((large - thinner) / 0.4, 0, 1)
    top = random.integers(height - len(strokes) + 1)
    left = random.integers(width - len(strokes) + 1)
    ink = np.zeros((height, width))
    ink[top : top + len(strokes), left : left + len(strokes)] = strokes

    texture = ndimage.gaussian_filter(random.normal(0, 1, ink.shape), 1.5)
    paper = random.uniform(0.75, 0.95) * (1 + 0.05 * texture)
    graphite = random.uniform(0.35, 0.6) * (1 + texture)  # the light that it swallows
    light = 0.75 + random.uniform(0, 0.4) * _ramp(random, ink.shape)
    edge = random.uniform(-0.2, 0.2)
    softness = random.uniform(0.02, 0.1)
    depth = random.uniform(0.1, 0.4)
    beyond = 1 / (1 + np.exp((_ramp(random, ink.shape) - edge) / softness))
    shadow = 1 - depth * beyond

    brightness = 255 * light * shadow * paper * (1 - np.clip(ink * graphite, 0, 1))
    focus = ndimage.gaussian_filter(brightness, 0.7)
    coloured = focus[..., None] * (1, 0.97, 0.9)  # the yellow light of a lamp
    noisy = coloured + random.normal(0, 3, coloured.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _ramp(random, shape):
    """Return how far each pixel lies in a random direction, -0.6 to 0.6."""
    height, width = shape
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width] / width
    down = y - height / width / 2
    right = x - 0.5
    return np.cos(angle) * right + np.sin(angle) * down
