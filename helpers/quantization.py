"""The trained network, written again in the form that a microcontroller wants.

The batch size becomes 1, batch normalization is folded into the convolution before it,
and with ``head="conv"`` dense layers become convolutions and a softmax is added. The
answers stay the same.
"""

import copy

import numpy as np

from helpers import integer_arithmetic, tflite
from helpers.files import TutorialError, quiet


def deployed_graph(trained, head="conv"):
    """Rebuild a trained network for the board, with a batch size of 1.

    `trained` is a Sequential of Conv2D, BatchNormalization, ReLU, MaxPooling2D, Flatten
    and Dense layers that ends with logits. With the head ``conv`` the result puts out
    probabilities of shape (1, 1, 1, 10), with ``dense`` logits of shape (1, 10).
    """
    import keras

    inputs = keras.Input(batch_shape=(1, *trained.input_shape[1:]), name="image")
    outputs = inputs
    for kind, config, weights in _folded(trained.layers):
        if head == "conv" and kind == "Flatten":
            continue  # the next window spans the whole map
        if head == "conv" and kind == "Dense":
            kept = {key: config[key] for key in ("name", "activation", "use_bias")}
            window = {"filters": config["units"], "kernel_size": outputs.shape[1:3]}
            kind, config = "Conv2D", {**kept, **window}
        layer = getattr(keras.layers, kind).from_config(config)
        outputs = layer(outputs)
        # A dense layer's weights, row by row, are a convolution's kernel.
        shapes = [variable.shape for variable in layer.weights]
        layer.set_weights([w.reshape(s) for w, s in zip(weights, shapes, strict=True)])
    if head == "conv":
        outputs = keras.layers.Softmax(name="softmax")(outputs)
    # The name becomes part of every tensor's name in the flatbuffer.
    return keras.Model(inputs, outputs, name=trained.name)


def _folded(layers):
    """Return kind, configuration and weights of each layer, normalizations folded.

    ``gamma · (w·x + b − mean) / deviation + beta`` is again of the form ``w'·x + b'``
    (Jacob et al. 2017, arXiv:1712.05877, section 3.2).
    """
    chain = []
    for layer in layers:
        kind, config = type(layer).__name__, layer.get_config()
        weights = layer.get_weights()
        if kind == "BatchNormalization":
            before = chain.pop() if chain else ("Input", {}, [])
            if before[0] != "Conv2D" or before[1]["activation"] != "linear":
                raise TutorialError(
                    f"Layer {layer.name!r} follows a {before[0]}, but normalization "
                    "can only be folded into a Conv2D without activation; put the "
                    "activation into a ReLU layer after it."
                )
            kind, config, (kernel, *bias) = before
            gamma, beta, mean, variance = weights
            factor = gamma / np.sqrt(variance + layer.epsilon)
            weights = [kernel * factor, (sum(bias) - mean) * factor + beta]
            config = {**config, "use_bias": True}
        chain.append((kind, config, weights))
    return chain


def compare_layers(deployed, model_bytes, images_i8, pixel_scale):
    """Return float and int8 outputs of each layer, the latter made real again.

    A list of pairs of arrays, one for each layer that `integer_arithmetic` describes:
    a convolution with its ReLU and pooling, or a Dense layer. The images are int8,
    ``pixel - 128``; the float network sees them divided by `pixel_scale`.
    """
    import keras

    weighted = [layer for layer in deployed.layers if layer.weights]
    # What goes into the next layer with weights is the whole output of the one before.
    kept = [*(layer.input for layer in weighted[1:]), weighted[-1].output]
    inner = keras.Model(deployed.input, kept)
    images = images_i8 / np.float32(pixel_scale)
    real = zip(*(inner(image[None], training=False) for image in images), strict=True)
    model, pairs = tflite.read(model_bytes), []
    layers = integer_arithmetic.layers(model)
    outputs = integer_arithmetic.run(layers, images_i8)
    for layer, reals, q in zip(layers, real, outputs, strict=True):
        tensor, floats = model.tensors[layer.tensor], np.concatenate(reals)
        restored = tensor.scale * (q.reshape(floats.shape) - float(tensor.zero_point))
        pairs.append((floats, restored))
    return pairs


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


def answers_with_bits(deployed, images_i8, pixel_scale, calibration_data, bits):
    """Return the digits that a network reads if its numbers have only 2 to 16 bits.

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
            rounded_layer.set_weights([_rounded_kernel(kernel, bits), bias])
        calibration = layer(calibration)
        images = rounded_layer(images)
        if layer.weights:
            lowest = min(float(np.min(calibration)), 0.0)
            highest = max(float(np.max(calibration)), 0.0)
            images = fake_quant(images, lowest, highest, bits)
    return np.asarray(images).reshape(len(images_i8), -1).argmax(axis=1)


def _rounded_kernel(kernel, bits):
    # The last axis are the output channels, of convolutions and of dense layers.
    import tensorflow as tf

    largest = np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -largest, largest, bits, narrow_range=True
    ).numpy()
