"""A whole int8 network computed by NumPy with integers: an independent second opinion.

It shares no code with any runtime; that it gives the same bytes as TensorFlow Lite
Micro is what the tests assert.
"""

import math

import numpy as np

from helpers.board import integer_arithmetic as layers
from helpers.board.fixed_point import quantize_multiplier, requantize
from helpers.board.flatbuffer import read_model
from helpers.board.integer_softmax import softmax
from helpers.errors import TutorialError

# What NumPy raises when shapes, strides or indices make no sense: the file is damaged.
_MISFITS = (
    ValueError,
    IndexError,
    TypeError,
    AttributeError,
    ArithmeticError,
    KeyError,
)

_BLOCK = 500  # images at a time, which keeps the memory below 200 MB


class Integers:
    """A model run by integer arithmetic in NumPy.

    Parameters
    ----------
    model_bytes : bytes
        An int8 `.tflite` with a fixed batch of 1.

    Attributes
    ----------
    name : str
        For people: what computed the numbers.
    """

    def __init__(self, model_bytes):
        self.model = read_model(model_bytes)
        self._output = self.model.output.index
        self.name = f"integer arithmetic (NumPy {np.__version__})"

    def run(self, images_i8, progress=None):
        """Return the int8 scores of many images.

        Parameters
        ----------
        images_i8 : ndarray of int8, shape (images, 28, 28, 1)
        progress : callable, optional
            Called with the number of images done since the last call.

        Returns
        -------
        ndarray of int8, shape (images, classes)
        """
        scores = []
        for first in range(0, len(images_i8), _BLOCK):
            block = images_i8[first : first + _BLOCK]
            values = self._tensors(block)[self._output]
            scores.append(values.reshape(len(block), -1))
            if progress is not None:
                progress(len(block))
        classes = math.prod(self.model.output.shape)
        return np.concatenate([np.zeros((0, classes), np.int8), *scores])

    def intermediates(self, images_i8):
        """Return every tensor that the network computes, in order.

        Parameters
        ----------
        images_i8 : ndarray of int8, shape (images, 28, 28, 1)

        Returns
        -------
        dict of int to ndarray of int8
            Index of the tensor to its values, first axis: the images.
        """
        blocks = [
            self._tensors(images_i8[first : first + _BLOCK])
            for first in range(0, len(images_i8), _BLOCK)
        ]
        return {
            index: np.concatenate([block[index] for block in blocks])
            for index in blocks[0]
        }

    def _tensors(self, images_i8):
        source = self.model.input
        if images_i8.dtype != np.int8 or images_i8.shape[1:] != source.shape[1:]:
            raise TutorialError(
                f"The model reads {source.dtype} images of shape "
                f"{list(source.shape[1:])}, but these are {images_i8.dtype} of shape "
                f"{list(images_i8.shape[1:])}."
            )
        tensors = {source.index: images_i8}
        for operator in self.model.operators:
            if operator.name not in _STEPS:
                raise TutorialError(
                    f"{operator.name} is not among the operators that the integer "
                    f"arithmetic knows ({', '.join(sorted(_STEPS))})."
                )
            try:
                step = _Step(self.model, operator, tensors)
                with np.errstate(divide="raise", over="raise", invalid="raise"):
                    values = _STEPS[operator.name](step)
                if step.output.shape != (1, *values.shape[1:]):
                    raise ValueError(
                        f"shape {[1, *values.shape[1:]]} computed, "
                        f"{list(step.output.shape)} stated"
                    )
                tensors[operator.outputs[0]] = values
            except _MISFITS as error:
                raise TutorialError(
                    f"A {operator.name} cannot be computed, because its tensors and "
                    f"options do not fit together: {error}."
                ) from error
        if self._output not in tensors:
            raise TutorialError("No operator of the model computes its output.")
        del tensors[source.index]
        return tensors


class _Step:
    """One operator with what it reads: values, scales, options."""

    def __init__(self, model, operator, computed):
        self.options = operator.options
        self.inputs = [
            model.tensors[index] if index >= 0 else None for index in operator.inputs
        ]
        self.output = model.tensors[operator.outputs[0]]
        self.values = [
            None if tensor is None else computed.get(tensor.index, tensor.data)
            for tensor in self.inputs
        ]

    @property
    def stride(self):
        return self.options["stride_height"], self.options["stride_width"]

    @property
    def range(self):
        return layers.activation_range(
            self.options["activation"],
            np.float32(self.output.scale),
            self.output.zero_point,
        )

    def bias(self):
        values = [*self.values, None][2]
        return np.int32(0) if values is None else values


def _convolution(layer):
    def compute(step):
        source, weights = step.inputs[:2]
        accumulators = layer(
            step.values[0],
            source.zero_point,
            weights.data,
            step.bias(),
            step.stride,
            step.options["padding"],
            (step.options["dilation_height"], step.options["dilation_width"]),
        )
        real = source.scale * weights.scales.astype(np.float64) / step.output.scale
        return requantize(
            accumulators,
            *quantize_multiplier(real),
            step.output.zero_point,
            *step.range,
        )

    return compute


def _fully_connected(step):
    source, weights = step.inputs[:2]
    vectors = step.values[0].reshape(len(step.values[0]), weights.shape[1])
    accumulators = layers.fully_connected(
        vectors, source.zero_point, weights.data, step.bias()
    )
    if len(weights.scales) == 1:  # there the runtime multiplies in single precision
        product = np.float64(np.float32(source.scale) * weights.scales)
    else:
        product = source.scale * weights.scales.astype(np.float64)
    factor = quantize_multiplier(product / step.output.scale)
    return requantize(accumulators, *factor, step.output.zero_point, *step.range)


def _pool(layer):
    def compute(step):
        size = step.options["filter_height"], step.options["filter_width"]
        pooled = layer(step.values[0], size, step.stride, step.options["padding"])
        return np.clip(pooled, *step.range)

    return compute


def _mean(step):
    [source, axes] = step.inputs
    averaged = layers.mean(
        step.values[0],
        tuple(int(axis) for axis in np.ravel(axes.data)),
        source.zero_point,
        source.scale / step.output.scale,
        step.output.zero_point,
    )
    return averaged.reshape(len(averaged), *step.output.shape[1:])


def _add(step):
    tensors = [*step.inputs, step.output]
    return layers.add(
        *step.values,
        [tensor.scale for tensor in tensors],
        [tensor.zero_point for tensor in tensors],
        *step.range,
    )


def _reshape(step):
    return step.values[0].reshape(len(step.values[0]), *step.output.shape[1:])


def _softmax(step):
    return softmax(step.values[0], step.inputs[0].scale, step.options["beta"])


_STEPS = {
    "CONV_2D": _convolution(layers.conv_2d),
    "DEPTHWISE_CONV_2D": _convolution(layers.depthwise_conv_2d),
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _pool(layers.max_pool_2d),
    "AVERAGE_POOL_2D": _pool(layers.average_pool_2d),
    "MEAN": _mean,
    "ADD": _add,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
}
