"""The checkers of "Check yourself": each says what is wrong, not only that it is.

A checker prints one line, whatever the learner's function does, and a batch run goes
on.
"""

import copy
from dataclasses import dataclass, field

import numpy as np

UNTOUCHED = "Not tried yet: replace the ... by your answer and run this cell again."
RIGHT = "Right!"


@dataclass(frozen=True)
class Case:
    """One call of the learner's function, and what is said to its answers."""

    label: str  # what the arguments are, in words
    arguments: tuple
    right: list  # numbers or arrays; none where a function judges the answer
    hint: str = ""  # what is said to any other answer
    mistakes: dict = field(default_factory=dict)  # hints by answers of typical mistakes


def check_accuracy(accuracy):
    """Notebook 1: from two arrays to the share of equal entries in percent."""
    case = Case(
        "3 of 4 right answers",
        arguments=(np.array([7, 2, 1, 0]), np.array([7, 2, 1, 9])),
        right=[75],
        mistakes={
            0.75: "That is a fraction of 1: multiply by 100 for percent.",
            3: "That is the number of right answers: divide by how many there are.",
            25: "That is the share of wrong answers.",
        },
    )
    _check(accuracy, case)


def check_to_board_bytes(to_board_bytes):
    """Notebook 2: from uint8 pixels to the same pixels as int8, 128 subtracted."""
    image = np.array([[0, 1, 127], [128, 200, 255]], np.uint8)
    case = Case(
        f"pixels {image.tolist()}",
        arguments=(image,),
        right=[np.array([[-128, -127, -1], [0, 72, 127]], np.int8)],
        mistakes={
            (128, 129, 255, 0, 72, 127): "A black pixel (0) becomes 128: the "
            "subtraction wrapped around. Widen the type first, for example by "
            ".astype(np.int16).",
            (0, 1, 127, -128, -56, -1): "A white pixel (255) becomes -1: nothing was "
            "subtracted, and values above 127 wrapped around.",
            (-127, -126, 0, 1, 73, 127): "A black pixel becomes -127: subtract 128.",
        },
    )
    _check(to_board_bytes, case)


def check_same_padding(same_padding):
    """Notebook 3: from a filter's side (odd) to the padding that keeps the size."""
    hint = "Solve 28 - F + 2P + 1 = 28 for P."
    cases = [Case(f"F = {side}", (side,), [side // 2], hint) for side in (1, 3, 5, 7)]
    _check(same_padding, *cases)


def check_depthwise_parameters(depthwise_parameters):
    """Notebook 3: from a filter's side and the channels to the number of parameters."""
    case = Case(
        "F = 3 and 16 channels",
        arguments=(3, 16),
        right=[160],
        mistakes={
            144: "The biases are missing: one for each channel.",
            2304: "That mixes all channels, as an ordinary convolution does, and "
            "has no biases.",
            2320: "That mixes all channels, as an ordinary convolution does.",
        },
    )
    _check(depthwise_parameters, case)


def check_sgd_step(sgd_step):
    """Notebook 4: from weight, gradient and learning rate to the weight one step on."""
    ordinary = Case(
        "weight 2, gradient 0.5 and rate 0.1",
        arguments=(2.0, 0.5, 0.1),
        right=[1.95],
        mistakes={
            2.05: "That goes uphill: the gradient points up, so subtract it.",
            1.5: "The learning rate is missing: multiply the gradient by it.",
            1.9: "The gradient is missing: the steeper the slope, the larger the step.",
            0.05: "That is the step alone: subtract it from the weight.",
        },
    )
    negative = Case(
        "gradient -3",
        arguments=(1.0, -3.0, 0.2),
        right=[1.6],
        hint="Then downhill is a larger weight.",
    )
    _check(sgd_step, ordinary, negative)


def check_cross_entropy(cross_entropy):
    """Notebook 4: from ten logits and a class to the loss in nats."""
    even = Case(
        "ten equal logits",
        arguments=(np.zeros(10), 3),
        right=[np.log(10)],
        mistakes={
            -np.log(10): "The sign is wrong: the loss is minus the logarithm.",
            np.log2(10): "Use np.log, the natural logarithm, not the one to base 2.",
            1: "Use np.log, the natural logarithm, not the one to base 10.",
            0.1: "That is the probability; take minus its logarithm.",
        },
    )
    five = np.zeros(10)
    five[3] = 5
    large = np.zeros(10)
    large[3] = 1000
    loss = np.log(np.exp(5) + 9)  # of any digit with logit 0
    _check(
        cross_entropy,
        even,
        Case("logit 5 for the right digit, else 0", (five, 3), [loss - 5]),
        Case("logit 5 for a wrong digit", (five, 4), [loss], "Use the label."),
        Case("logit 1,000", (large, 3), [0], "Subtract the largest logit first."),
        Case("logit 1,000, wrong digit", (large, 4), [1000], "Simplify log(a / b)."),
    )


def check_convolution_bytes(convolution_bytes):
    """Notebook 5: from a filter's side, channels in and channels out to bytes."""
    case = Case(
        "5 × 5, 16 to 32 channels",
        arguments=(5, 16, 32),
        right=[12_928],
        mistakes={
            12_800: "The biases are missing: four bytes for each output channel.",
            12_832: "A bias takes four bytes in the int8 model, not one.",
            51_328: "Weights take one byte each in int8, not four.",
        },
    )
    _check(convolution_bytes, case)


def check_calibration_set(calibration_set, converter, data):
    """Notebook 5: from int8 training images and the pixel scale to float32 images.

    `converter` is the one of the notebook, which stays as it is, and `data` the arrays
    of notebook 2. What the learner chooses is compared with the first 100 images.
    """
    images_i8 = data["train_images"][:2000]
    scale = np.float32(data["pixel_scale"])

    def judge(chosen, case):
        if chosen.shape[1:] != (28, 28, 1) or not len(chosen):
            return f"It returns {_kind(chosen)}, but (N, 28, 28, 1) is expected."
        runtime = _calibrated(converter, chosen[:500])
        share = _share_read(runtime, data)
        found = f"The model made with it reads {share:.0%} of 500 training images"
        # One step of the input is a pixel, or less if no image has both ends.
        widest = 1 / scale
        narrowest = np.ptp(images_i8.astype(int)) / 255 * widest
        step = runtime.model.input.scale
        if not 0.9 * narrowest < step < 1.1 * widest:
            return (
                f"{found}; its input scale is {step:.4g}, not {narrowest:.4g}: scale "
                "as for training, all values from paper to ink."
            )
        good = _share_read(_calibrated(converter, images_i8[:100] / scale), data)
        if share < good - 0.1:
            return f"{found}, not {good:.0%}: show it what digits produce."
        return ""

    case = Case("the training images", (images_i8, scale), right=[])
    _check(calibration_set, case, judge=judge)


def _calibrated(converter, images):
    """Return the model, on LiteRT, that a converter makes with calibration images."""
    from helpers import quantization, tflite

    model_bytes = quantization.convert_with(converter, images.astype(np.float32))
    return tflite.LiteRT(model_bytes)


def _share_read(runtime, data):
    """Return which share of the last 500 training images a model reads correctly."""
    answers = runtime.run(data["train_images"][-500:]).argmax(axis=1)
    return np.mean(answers == data["train_labels"][-500:])


def check_weakest_digit(weakest_digit, labels, predictions):
    """Notebook 6: from true digits and answers to the digit missed most often."""
    wrong = labels != predictions
    missed = np.bincount(labels[wrong], minlength=10)
    given = np.bincount(predictions[wrong], minlength=10)
    shares = missed / np.bincount(labels, minlength=10)
    mistakes = dict.fromkeys(range(10), "Another digit is missed more often.")
    # Later lines say more of the same digit, and win.
    mistakes[shares.argmin()] = "It is the digit that is missed least often."
    mistakes[given.argmax()] = (
        "It is given wrongly most often: group by the true digit."
    )
    mistakes[missed.argmax()] = (
        "It has most mistakes, but also more images: compare shares."
    )
    case = Case(
        "these answers",
        arguments=(labels, predictions),
        right=np.flatnonzero(shares == shares.max()).tolist(),
        mistakes=mistakes,
    )
    _check(weakest_digit, case)


def check_read_answer(read_answer):
    """Notebook 6: from ten output bytes (int8) to a digit, or -1 if none is likely."""
    sure = np.full(10, -128, np.int8)
    sure[7] = 100
    unsure = np.full(10, -103, np.int8)
    unsure[3] = -20
    unsure[5] = -10
    half = np.full(10, -128, np.int8)
    half[2] = 0
    half[4] = 0
    _check(
        read_answer,
        Case(
            "byte 100 at place 7",
            arguments=(sure,),
            right=[7],
            hint="Return the index of the largest byte.",
        ),
        Case(
            "-10 as the largest byte",
            arguments=(unsure,),
            right=[-1],
            hint="That is 0.46, below one half.",
        ),
        Case(
            "0 as the largest byte",
            arguments=(half,),
            right=[-1],
            hint="One half is not above one half.",
        ),
    )


def _check(function, *cases, judge=None):
    """Print what is wrong with the first answer that is not right.

    `judge`, from an answer and its case to what is wrong or '', is `_compare` if it is
    left out.
    """
    print(_verdict(function, cases, judge or _compare))


def _verdict(function, cases, judge):
    for case in cases:
        arguments = copy.deepcopy(case.arguments)  # the function may change them
        try:
            with np.errstate(all="ignore"):
                answer = np.asarray(function(*arguments))
            if answer.size == 1 and answer.item() is ...:
                return UNTOUCHED
            problem = judge(answer, case)
        except Exception as error:  # the learner's code may do anything
            return f"Not yet. It stops with {error!r}."
        if problem:
            return f"Not yet. {problem}"
    return RIGHT


def _compare(answer, case):
    expected = np.asarray(case.right[0])
    if answer.dtype.kind not in "iuf" or answer.shape != expected.shape:
        return f"It returns {_kind(answer)}, but {_kind(expected)} is expected."
    if any(np.allclose(answer, right) for right in case.right):
        if expected.ndim and answer.dtype != expected.dtype:
            return f"Its type is {answer.dtype}, but must be {expected.dtype}."
        return ""
    for mistake, hint in case.mistakes.items():
        if np.allclose(answer.ravel(), mistake):
            return hint
    found = np.round(answer, 4).tolist()
    wanted = np.round(expected, 4).tolist()
    problem = f"For {case.label} it returns {found}, but {wanted} is expected."
    return f"{problem} {case.hint}".rstrip()


def _kind(value):
    """Say what a value is: an array's shape, or a single item as Python writes it."""
    if np.ndim(value):
        return f"an array of shape {np.shape(value)}"
    return repr(np.asarray(value).tolist())[:80]
