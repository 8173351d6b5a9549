"""The trained network, written again in the form that a microcontroller wants.

The batch size becomes 1, batch normalization is folded into the convolution before it,
and with ``head="conv"`` dense layers become convolutions and a softmax is added. The
answers stay the same.
"""

import copy
from dataclasses import dataclass

import numpy as np

from helpers import integer_arithmetic, tflite
from helpers.files import TutorialError, quiet


def deployed_graph(trained, head="conv"):
    """Rebuild a trained network for the board, with a batch size of 1.

    `trained` is a Sequential of Conv2D, BatchNormalization, ReLU, MaxPooling2D, Flatten
    and Dense layers that ends with logits. With the head ``conv`` the result puts out
    probabilities of shape (1, 1, 1, 10), with ``dense`` logits of shape (1, 10).
    TutorialError if a normalization does not follow a convolution.
    """
    import keras

    inputs = keras.Input(batch_shape=(1, *trained.input_shape[1:]), name="image")
    outputs = inputs
    for part in _folded(trained.layers):
        if head == "conv" and part.kind == "Flatten":
            continue  # the next window spans the whole map
        if head == "conv" and part.kind == "Dense":
            part = _as_convolution(part, window=outputs.shape[1:3])
        layer = getattr(keras.layers, part.kind).from_config(part.config)
        outputs = layer(outputs)
        # A dense layer's weights, row by row, are a convolution's kernel.
        shaped = []
        for weights, variable in zip(part.weights, layer.weights, strict=True):
            shaped.append(weights.reshape(variable.shape))
        layer.set_weights(shaped)
    if head == "conv":
        outputs = keras.layers.Softmax(name="softmax")(outputs)
    # The name becomes part of every tensor's name in the flatbuffer.
    return keras.Model(inputs, outputs, name=trained.name)


@dataclass(frozen=True)
class _Part:
    """A layer of the network for the board, before it is built."""

    kind: str  # the name of its class in Keras
    config: dict  # as its `get_config` gives it
    weights: list  # kernel and bias; none for layers without weights


def _as_convolution(dense, window):
    """Return a Dense layer as a convolution whose window spans its whole input."""
    config = {
        "name": dense.config["name"],
        "activation": dense.config["activation"],
        "use_bias": dense.config["use_bias"],
        "filters": dense.config["units"],
        "kernel_size": window,
    }
    return _Part("Conv2D", config, dense.weights)


def _folded(layers):
    """Return the `_Part` of each layer, with normalizations folded."""
    chain = []
    for layer in layers:
        if type(layer).__name__ == "BatchNormalization":
            before = chain.pop() if chain else _Part("Input", {}, [])
            chain.append(_with_normalization(before, layer))
        else:
            kind = type(layer).__name__
            chain.append(_Part(kind, layer.get_config(), layer.get_weights()))
    return chain


def _with_normalization(before, layer):
    """Return a convolution that also does what the normalization after it does.

    ``gamma · (w·x + b − mean) / deviation + beta`` is again of the form ``w'·x + b'``
    (Jacob et al. 2017, arXiv:1712.05877, section 3.2).
    """
    if before.kind != "Conv2D" or before.config["activation"] != "linear":
        raise TutorialError(
            f"Layer {layer.name!r} follows a {before.kind}, but normalization "
            "can only be folded into a Conv2D without activation; put the "
            "activation into a ReLU layer after it."
        )
    kernel = before.weights[0]
    bias = before.weights[1] if before.config["use_bias"] else 0
    gamma, beta, mean, variance = layer.get_weights()
    factor = gamma / np.sqrt(variance + layer.epsilon)
    weights = [kernel * factor, (bias - mean) * factor + beta]
    return _Part("Conv2D", {**before.config, "use_bias": True}, weights)


def compare_layers(deployed, model_bytes, images_i8, pixel_scale):
    """Return float and int8 outputs of each layer, the latter made real again.

    A list of pairs of arrays, one for each layer that `integer_arithmetic` describes:
    a convolution with its ReLU and pooling, or a Dense layer. The images are int8,
    ``pixel - 128``; the float network sees them divided by `pixel_scale`.
    """
    model = tflite.read(model_bytes)
    layers = integer_arithmetic.layers(model)
    integers = integer_arithmetic.run(layers, images_i8)
    reals = _outputs(deployed, images_i8 / np.float32(pixel_scale))
    pairs = []
    for layer, real, integer in zip(layers, reals, integers, strict=True):
        tensor = model.tensors[layer.tensor]
        from_zero = integer.reshape(real.shape) - float(tensor.zero_point)
        pairs.append((real, tensor.scale * from_zero))
    return pairs


def _outputs(deployed, images):
    """Return what each layer with weights hands to the next one, for all images."""
    import keras

    weighted = [layer for layer in deployed.layers if layer.weights]
    # What goes into the next layer with weights is the whole output of the one before.
    kept = [layer.input for layer in weighted[1:]]
    kept.append(weighted[-1].output)
    inner = keras.Model(deployed.input, kept)
    found = [[] for _ in kept]
    for image in images:
        outputs = inner(image[None], training=False)
        for values, output in zip(found, outputs, strict=True):
            values.append(output)
    return [np.concatenate(values) for values in found]


def convert_with(converter, images):
    """Return what a converter makes of these calibration images, and leave it as it is.

    `converter` is a `tf.lite.TFLiteConverter` with all its settings, and `images` are
    float32 (images, 28, 28, 1), scaled as for training.
    """

    def representative_dataset():
        for image in images:
            yield [image[None]]

    trial = copy.copy(converter)
    trial.representative_dataset = representative_dataset
    with quiet():
        return trial.convert()


def scores_with_bits(deployed, images_i8, pixel_scale, calibration_data, bits):
    """Return the logits of a network whose numbers have only 2 to 16 bits.

    Weights are rounded to ``2**bits - 1`` values with a scale for each output channel,
    inputs and activations to ``2**bits`` values between the smallest and the largest
    that `calibration_data` (float32, scaled as for training) cause there. The images
    are int8, ``pixel - 128``. Sums and biases stay float32. This is TensorFlow's *fake
    quantization* (Jacob et al. 2017, arXiv:1712.05877, section 3): with 8 bits it reads
    what the converted model reads, but for a few borderline cases.
    """
    import keras
    import tensorflow as tf

    fake_quant = tf.quantization.fake_quant_with_min_max_vars
    rounded = keras.models.clone_model(deployed)
    calibration = calibration_data
    images = images_i8 / np.float32(pixel_scale)
    images = fake_quant(images, -128 / pixel_scale, 127 / pixel_scale, bits)
    for layer, rounded_layer in zip(deployed.layers, rounded.layers, strict=True):
        if isinstance(layer, keras.layers.InputLayer | keras.layers.Softmax):
            continue  # softmax does not change which score is largest
        if layer.weights:
            kernel, bias = layer.get_weights()
            rounded_layer.set_weights([round_weights(kernel, bits), bias])
        calibration = layer(calibration)
        images = rounded_layer(images)
        if layer.weights:
            lowest = min(float(np.min(calibration)), 0.0)
            highest = max(float(np.max(calibration)), 0.0)
            images = fake_quant(images, lowest, highest, bits)
    return np.asarray(images).reshape(len(images_i8), -1)


def round_weights(kernel, bits):
    """Round weights to ``2**bits - 1`` values, symmetric about 0, for each channel.

    The last axis of `kernel` are the output channels; the largest weight of each stays
    as it is.
    """
    import tensorflow as tf

    largest = np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -largest, largest, bits, narrow_range=True
    ).numpy()
