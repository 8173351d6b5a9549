"""The checkers of "Check yourself": each says what is wrong, not only that it is.

A checker prints one line and never raises, so a batch run goes on. Its cases hold a
label, arguments, the right answer, a hint for wrong ones, and hints for typical ones.
"""

import copy

import numpy as np

UNTOUCHED = "Not tried yet: replace the ... by your answer and run this cell again."


def check_accuracy(accuracy):
    """Notebook 1: from two arrays to the share of equal entries in percent."""
    arguments = np.array([7, 2, 1, 0]), np.array([7, 2, 1, 9])
    hints = {
        0.75: "That is a fraction of 1: multiply by 100 for percent.",
        3: "That is the number of right answers: divide by how many there are.",
        25: "That is the share of wrong answers.",
    }
    _check(accuracy, ("3 of 4 right answers", arguments, 75, "", hints))


def check_to_board_bytes(to_board_bytes):
    """Notebook 2: from uint8 pixels to the same pixels as int8, 128 subtracted."""
    image = np.array([[0, 1, 127], [128, 200, 255]], np.uint8)
    right = np.array([[-128, -127, -1], [0, 72, 127]], np.int8)
    hints = {
        (128, 129, 255, 0, 72, 127): "A black pixel (0) becomes 128: the subtraction "
        "wrapped around. Widen the type first, for example by .astype(np.int16).",
        (0, 1, 127, -128, -56, -1): "A white pixel (255) becomes -1: nothing was "
        "subtracted, and values above 127 wrapped around.",
        (-127, -126, 0, 1, 73, 127): "A black pixel becomes -127: subtract 128.",
    }
    _check(to_board_bytes, (f"pixels {image.tolist()}", (image,), right, "", hints))


def check_same_padding(same_padding):
    """Notebook 3: from a filter's side (odd) to the padding that keeps the size."""
    hint = "Solve 28 - F + 2P + 1 = 28 for P."
    _check(same_padding, *((f"F = {f}", (f,), f // 2, hint) for f in (1, 3, 5, 7)))


def check_depthwise_parameters(depthwise_parameters):
    """Notebook 3: from a filter's side and the channels to the number of parameters."""
    hints = {
        144: "The biases are missing: one for each channel.",
        2304: "That mixes all channels, as an ordinary convolution does; no biases.",
        2320: "That mixes all channels, as an ordinary convolution does.",
    }
    _check(depthwise_parameters, ("F = 3 and 16 channels", (3, 16), 160, "", hints))


def check_sgd_step(sgd_step):
    """Notebook 4: from weight, gradient and learning rate to the weight one step on."""
    hints = {
        2.05: "That goes uphill: the gradient points up, so subtract it.",
        1.5: "The learning rate is missing: multiply the gradient by it.",
        1.9: "The gradient is missing: the steeper the slope, the larger the step.",
        0.05: "That is the step alone: subtract it from the weight.",
    }
    _check(
        sgd_step,
        ("weight 2, gradient 0.5 and rate 0.1", (2.0, 0.5, 0.1), 1.95, "", hints),
        ("gradient -3", (1.0, -3.0, 0.2), 1.6, "Then downhill is a larger weight."),
    )


def check_cross_entropy(cross_entropy):
    """Notebook 4: from ten logits and a class to the loss in nats."""
    hints = {
        -np.log(10): "The sign is wrong: the loss is minus the logarithm.",
        np.log2(10): "Use np.log, the natural logarithm, not the one to base 2.",
        1: "Use np.log, the natural logarithm, not the one to base 10.",
        0.1: "That is the probability; take minus its logarithm.",
    }
    even, three, loss = np.zeros(10), np.eye(10)[3], np.log(np.exp(5) + 9)
    _check(
        cross_entropy,
        ("ten equal logits", (even, 3), np.log(10), "", hints),
        ("logit 5 for the right digit, else 0", (5 * three, 3), loss - 5, ""),
        ("logit 5 for a wrong digit", (5 * three, 4), loss, "Use the label."),
        ("logit 1,000", (1000 * three, 3), 0, "Subtract the largest logit first."),
        ("logit 1,000, wrong digit", (1000 * three, 4), 1000, "Simplify log(a / b)."),
    )


def check_convolution_bytes(convolution_bytes):
    """Notebook 5: from a filter's side, channels in and channels out to bytes."""
    hints = {
        12_800: "The biases are missing: four bytes for each output channel.",
        12_832: "A bias takes four bytes in the int8 model, not one.",
        51_328: "Weights take one byte each in int8, not four.",
    }
    case = "5 × 5, 16 to 32 channels", (5, 16, 32), 12_928, "", hints
    _check(convolution_bytes, case)


def check_calibration_set(calibration_set, converter, data):
    """Notebook 5: from int8 training images and the pixel scale to float32 images."""
    from helpers import tflite
    from helpers.files import quiet

    images_i8, scale = data["train_images"][:2000], np.float32(data["pixel_scale"])

    def try_out(images):
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32)] for image in images[:500]
        )
        with quiet():
            model = tflite.LiteRT(converter.convert())
        digits = model.run(data["test_images"][:500]).argmax(axis=1)
        return np.mean(digits == data["test_labels"][:500]), model.model.input.scale

    def judge(chosen, *_):
        if chosen.shape[1:] != (28, 28, 1) or not len(chosen):
            return f"It returns {_kind(chosen)}, but (N, 28, 28, 1) is expected."
        right, step = try_out(chosen)
        found = f"The model made with it reads {right:.0%} of 500 test images"
        if not np.isclose(step, 1 / scale, rtol=0.02):
            found += f"; its input scale is {step:.4g}, not {1 / scale:.4g}"
            return f"{found}: scale as for training, all values from paper to ink."
        return f"{found}: show it what digits produce." if right < 0.7 else ""

    _check(calibration_set, ("", (images_i8, scale), judge, ""))


def check_weakest_digit(weakest_digit, labels, predictions):
    """Notebook 6: from true digits and answers to the digit missed most often."""
    wrong = labels != predictions
    missed, given = (np.bincount(a[wrong], minlength=10) for a in (labels, predictions))
    shares = missed / np.bincount(labels, minlength=10)
    hints = dict.fromkeys(range(10), "Another digit is missed more often.")
    hints |= {
        missed.argmax(): "It has most mistakes, but also more images: compare shares.",
        given.argmax(): "It is given wrongly most often: group by the true digit.",
        shares.argmin(): "It is the digit that is missed least often.",
    } | dict.fromkeys(np.flatnonzero(shares == shares.max()), "")  # these are right
    case = "these answers", (labels, predictions), shares.argmax(), "", hints
    _check(weakest_digit, case)


def check_read_answer(read_answer):
    """Notebook 6: from ten output bytes (int8) to a digit, or -1 if none is likely."""
    sure, unsure, half = (np.full(10, byte, np.int8) for byte in (-128, -103, -128))
    sure[7], unsure[3], unsure[5], half[2], half[4] = 100, -20, -10, 0, 0
    _check(
        read_answer,
        ("byte 100 at place 7", (sure,), 7, "Return the index of the largest byte."),
        ("-10 as the largest byte", (unsure,), -1, "That is 0.46, below one half."),
        ("0 as the largest byte", (half,), -1, "One half is not above one half."),
    )


def _check(function, *cases):
    """Print what is wrong with the first case that is."""
    print(next(filter(None, (_verdict(function, *case) for case in cases)), "Right!"))


def _verdict(function, label, arguments, right, hint, hints=None):
    try:
        with np.errstate(all="ignore"):
            answer = np.asarray(function(*copy.deepcopy(arguments)))
        if answer.size == 1 and answer.item() is ...:
            return UNTOUCHED
        judge = right if callable(right) else _compare
        problem = judge(answer, label, right, hint, hints or {})
    except Exception as error:  # the learner's code may do anything
        return f"Not yet. It stops with {error!r}."
    return f"Not yet. {problem}" if problem else ""


def _compare(answer, label, right, hint, hints):
    if answer.dtype.kind not in "iuf" or answer.shape != np.shape(right):
        return f"It returns {_kind(answer)}, but {_kind(right)} is expected."
    for value, particular in hints.items():
        if np.allclose(answer.ravel(), value):
            return particular
    if not np.allclose(answer, right):
        found, expected = (np.round(value, 4).tolist() for value in (answer, right))
        return f"For {label} it returns {found}, but {expected} is expected. {hint}"
    is_typed = np.ndim(right) == 0 or answer.dtype == right.dtype
    return "" if is_typed else f"Its type is {answer.dtype}, but must be {right.dtype}."


def _kind(value):
    item = repr(np.asarray(value).tolist())
    return f"an array of shape {np.shape(value)}" if np.ndim(value) else item[:80]
