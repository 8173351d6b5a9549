"""The checkers of "Check yourself": each says what is wrong, not only that it is.

A checker prints one line. A stub left untouched (it returns ``...``) is no error, so a
batch run goes on; neither is a wrong answer.
"""

import numpy as np

UNTOUCHED = "Not tried yet: replace the ... by your answer and run this cell again."


def check_accuracy(accuracy):
    """Check the exercise of notebook 1.

    Parameters
    ----------
    accuracy : callable
        From two arrays of equal length to the share of equal entries in percent.
    """
    predictions, labels = np.array([7, 2, 1, 0]), np.array([7, 2, 1, 9])
    print(_verdict(lambda: accuracy(predictions, labels), _judge_accuracy))


def _judge_accuracy(answer):
    if not _is_number(answer):
        return f"It returns {_kind(answer)}, but an accuracy is one number."
    if np.isclose(answer, 75):
        return ""
    hints = {
        0.75: "That is the share, as a fraction of 1: multiply by 100 for percent.",
        3: "That is the number of right answers: divide by how many there are.",
        300: "Divide by how many answers there are: use the mean, not the sum.",
        25: "That is the share of wrong answers.",
        0.25: "That is the share of wrong answers, and a fraction of 1.",
    }
    for value, hint in hints.items():
        if np.isclose(answer, value):
            return hint
    return f"For 3 of 4 right answers it returns {answer:g}, but 75 is expected."


def check_to_board_bytes(to_board_bytes):
    """Check the exercise of notebook 2.

    Parameters
    ----------
    to_board_bytes : callable
        From an array of uint8 to the same pixels as int8, 128 subtracted.
    """
    image = np.array([[0, 1, 127], [128, 200, 255]], np.uint8)
    print(_verdict(lambda: to_board_bytes(image.copy()), _judge_board_bytes))


def _judge_board_bytes(answer):
    if not isinstance(answer, np.ndarray):
        return f"It returns {_kind(answer)}, but an array is expected."
    if answer.shape != (2, 3):
        return f"The shape changed from (2, 3) to {answer.shape}; it must stay."
    values = dict(zip((0, 1, 127, 128, 200, 255), answer.ravel().tolist(), strict=True))
    if values[0] == 128:
        return (
            "A black pixel (0) becomes 128: the subtraction wrapped around. Widen the "
            "type first, for example with .astype(np.int16)."
        )
    if values[0] == 0 and values[255] == -1:
        return (
            "A white pixel (255) becomes -1: the bytes were converted to int8 without "
            "subtracting 128, and large values wrapped around."
        )
    if values[0] == -127:
        return "A black pixel (0) becomes -127: subtract 128, not 127."
    if list(values.values()) != [-128, -127, -1, 0, 72, 127]:
        return f"Pixels 0, 128 and 255 become {values[0]}, {values[128]} and " + (
            f"{values[255]}, but -128, 0 and 127 are expected."
        )
    if answer.dtype != np.int8:
        return f"The values are right, but their type is {answer.dtype}, not int8."
    return ""


def check_same_padding(same_padding):
    """Check the first exercise of notebook 3.

    Parameters
    ----------
    same_padding : callable
        From the side of a filter (odd) to the padding that keeps a picture's size.
    """
    print(_verdict(lambda: _each(same_padding, (1, 3, 5, 7)), _judge_same_padding))


def _judge_same_padding(answers):
    for side, padding in answers.items():
        if not _is_number(padding):
            return f"For F = {side} it returns {_kind(padding)}, not a number."
        size = 28 - side + 2 * padding + 1
        if size != 28:
            return (
                f"For F = {side} it returns P = {padding:g}; a picture of 28 would "
                f"become {size:g} by the formula. Solve 28 - F + 2P + 1 = 28 for P."
            )
    return ""


def check_depthwise_parameters(depthwise_parameters):
    """Check the second exercise of notebook 3.

    Parameters
    ----------
    depthwise_parameters : callable
        From a filter's side and the number of channels to the number of parameters.
    """
    print(_verdict(lambda: depthwise_parameters(3, 16), _judge_depthwise))


def _judge_depthwise(answer):
    if not _is_number(answer):
        return f"It returns {_kind(answer)}, but a number is expected."
    hints = {
        160: "",
        144: "The biases are missing: one for each channel.",
        145: "Each channel has a bias of its own, not one for all.",
        2304: "That mixes all channels, as an ordinary convolution does; no biases.",
        2320: "That mixes all channels, as an ordinary convolution does.",
        64: "A filter has F × F weights, not F.",
    }
    return hints.get(
        answer, f"For F = 3 and 16 channels 160 is expected, not {answer}."
    )


def check_cross_entropy(cross_entropy):
    """Check the exercise of notebook 4.

    Parameters
    ----------
    cross_entropy : callable
        From ten logits (numpy.ndarray of float) and a class to the loss in nats.
    """

    def call():
        even, sure, huge = np.zeros(10), np.eye(10)[3] * 5, np.eye(10)[3] * 1000
        cases = {"even": (even, 3), "sure": (sure, 3), "wrong": (sure, 4)}
        with np.errstate(all="ignore"):
            return {
                name: cross_entropy(logits.copy(), label)
                for name, (logits, label) in (cases | {"huge": (huge, 3)}).items()
            }

    print(_verdict(call, _judge_cross_entropy))


def _judge_cross_entropy(answers):
    for answer in answers.values():
        if not _is_number(answer):
            return f"It returns {_kind(answer)}, but a loss is one number."
    if np.isclose(answers["even"], -np.log(10)):
        return "The sign is wrong: the loss is minus the logarithm, never negative."
    if np.isclose(answers["even"], np.log2(10)) or np.isclose(answers["even"], 1):
        return "Use the natural logarithm, np.log, not the one to base 2 or 10."
    if np.isclose(answers["even"], 0.1):
        return "That is the probability; take minus its logarithm."
    if not np.isclose(answers["even"], np.log(10)):
        return (
            f"For ten equal logits it returns {answers['even']:.4g}, but ln 10 = 2.303 "
            "is expected."
        )
    exact = np.log(np.exp(5) + 9)
    if not np.isclose(answers["sure"], exact - 5):
        return f"For a sure right answer expected is {exact - 5:.4f}."
    if not np.isclose(answers["wrong"], exact):
        return "For a wrong answer the label must choose which probability counts."
    if not np.isclose(answers["huge"], 0):
        return (
            "Right for ordinary logits, but a logit of 1,000 overflows: subtract the "
            "largest logit first."
        )
    return ""


def check_convolution_bytes(convolution_bytes):
    """Check the first exercise of notebook 5.

    Parameters
    ----------
    convolution_bytes : callable
        From a filter's side, input channels and output channels to bytes in int8.
    """
    print(_verdict(lambda: convolution_bytes(5, 16, 32), _judge_convolution_bytes))


def _judge_convolution_bytes(answer):
    if not _is_number(answer):
        return f"It returns {_kind(answer)}, but a number of bytes is expected."
    hints = {
        12_928: "",
        12_800: "The biases are missing: four bytes for each output channel.",
        12_832: "A bias takes four bytes in the int8 model, not one.",
        51_328: "Weights take one byte each in int8, not four.",
        51_200: "Weights take one byte each in int8, not four; biases are missing.",
        12_864: "There is a bias for each output channel, not for each input channel.",
    }
    wrong = f"For F = 5 and 16 to 32 channels 12,928 is expected, not {answer:,}."
    return hints.get(answer, wrong)


def check_calibration_set(calibration_set, deployed, data):
    """Check the second exercise of notebook 5 by converting with the chosen images.

    Parameters
    ----------
    calibration_set : callable
        From int8 training images and the pixel scale to float32 images.
    deployed : keras.Model
    data : dict
        The arrays of ``02_preprocessed.npz``.
    """
    images_i8, scale = data["train_images"], float(data["pixel_scale"])

    def judge(chosen):
        return _judge_calibration(chosen, deployed, data, scale)

    print(_verdict(lambda: calibration_set(images_i8[:2000].copy(), scale), judge))


def _judge_calibration(chosen, deployed, data, scale):
    if not isinstance(chosen, np.ndarray) or chosen.shape[1:] != (28, 28, 1):
        return f"It returns {_kind(chosen)}; expected are images of 28 × 28 × 1."
    if not len(chosen):
        return "There is no image in it."
    from helpers.board.runtimes import LiteRT
    from helpers.learn.conversion import convert

    def share_right(images):  # scaled already
        runtime = LiteRT(convert(deployed, images[:500], 1.0))
        scores = runtime.run(data["test_images"][:500])
        right = np.mean(scores.argmax(axis=1) == data["test_labels"][:500])
        return right, runtime.model.input.scale

    right, input_scale = share_right(chosen)
    found = f"The model that comes of it reads {100 * right:.0f} % of 500 test images"
    if not np.isclose(input_scale, 1 / scale, rtol=0.02):
        return (
            f"{found}, and its input scale is {input_scale:.4g} instead of "
            f"{1 / scale:.4g}: scale the images as for training, and let all values "
            "from paper to ink occur in them."
        )
    usual, _ = share_right(data["train_images"][:100] / np.float32(scale))
    if right < usual - 0.03:
        return f"{found}: they do not show the ranges that digits produce."
    return ""


def check_weakest_digit(weakest_digit, labels, predictions):
    """Check the first exercise of notebook 6.

    Parameters
    ----------
    weakest_digit : callable
        From true digits and answers to the digit that is missed most often.
    labels, predictions : numpy.ndarray of int, shape (images,)
    """

    def judge(answer):
        return _judge_weakest_digit(answer, labels, predictions)

    print(_verdict(lambda: weakest_digit(labels, predictions), judge))


def _judge_weakest_digit(answer, labels, predictions):
    if not _is_number(answer) or answer not in range(10):
        return f"It returns {_kind(answer)}, but one digit from 0 to 9 is expected."
    wrong = labels != predictions
    missed = np.bincount(labels[wrong], minlength=10)
    shares = missed / np.bincount(labels, minlength=10)
    if shares[answer] == shares.max():
        return ""
    if shares[answer] == shares.min():
        return f"{answer} is the digit that is missed least often."
    if np.bincount(predictions[wrong], minlength=10).argmax() == answer:
        return f"{answer} is given wrongly most often: group by the true digit instead."
    if missed.argmax() == answer:
        return f"{answer} has most mistakes, but also more images: compare shares."
    return f"The model misses {100 * shares[answer]:.1f} % of the {answer}; " + (
        "another digit is missed more often."
    )


def check_read_answer(read_answer):
    """Check the second exercise of notebook 6.

    Parameters
    ----------
    read_answer : callable
        From ten output bytes (int8) to a digit, or -1.
    """
    sure, unsure = np.full(10, -128, np.int8), np.full(10, -103, np.int8)
    sure[7], unsure[3], unsure[5] = 100, -20, -10
    half = np.full(10, -128, np.int8)
    half[2] = half[4] = 0  # both exactly one half
    cases = {"sure": sure, "unsure": unsure, "half": half}

    def call():
        return {name: read_answer(bytes_.copy()) for name, bytes_ in cases.items()}

    print(_verdict(call, _judge_read_answer))


def _judge_read_answer(answers):
    for answer in answers.values():
        if not _is_number(answer):
            return f"It returns {_kind(answer)}, but a digit or -1 is expected."
    if answers["sure"] != 7:
        return (
            f"For a 7 with byte 100 it returns {answers['sure']}: the answer is the "
            "index of the largest byte."
        )
    if answers["unsure"] != -1:
        return (
            "The largest byte, -10, is a probability of 0.46: below one half, so -1 is "
            "expected."
        )
    if answers["half"] != -1:
        return "Byte 0 is a probability of exactly one half, and that is not above it."
    return ""


def _verdict(call, judge):
    try:
        answer = call()
    except Exception as error:  # the learner's code may do anything
        return f"Not yet. It stops with {type(error).__name__}: {error}"
    answers = answer.values() if isinstance(answer, dict) else [answer]
    if any(value is ... or value is None for value in answers):
        return UNTOUCHED
    wrong = judge(answer)
    return f"Not yet. {wrong}" if wrong else "Right!"


def _each(function, inputs):
    return {value: function(value) for value in inputs}


def _is_number(value):
    return np.ndim(value) == 0 and np.issubdtype(np.asarray(value).dtype, np.number)


def _kind(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"a {type(value).__name__}"
