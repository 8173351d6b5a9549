"""Write the trained network down again, in the form a microcontroller wants.

Three things change, and the numbers that come out do not:

- the batch size is fixed to 1, so that no operator has to ask for shapes at run time;
- batch normalisation is folded into the convolution before it;
- with ``head="conv"`` a dense layer over a map of k×k pixels becomes a convolution with
  a k×k kernel (the same weights, the same sums), and a softmax turns the logits into
  probabilities.
"""

import numpy as np

from helpers.errors import TutorialError

HEADS = ("conv", "dense")
"""What the parameter `head` accepts."""

LAYERS = (
    "InputLayer",
    "Conv2D",
    "DepthwiseConv2D",
    "BatchNormalization",
    "ReLU",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalAveragePooling2D",
    "Dropout",
    "Flatten",
    "Dense",
)
"""The kinds of layers that can be rebuilt."""


def deployed_graph(trained, head="conv"):
    """Rebuild a trained network for the board.

    Parameters
    ----------
    trained : keras.Sequential
        Ends with logits, as the networks of ``helpers.learn.networks`` do.
    head : {"conv", "dense"}
        ``conv``: dense layers become convolutions and a softmax is added; the output
        has shape (1, 1, 1, 10) and holds probabilities. ``dense``: dense layers stay;
        the output has shape (1, 10) and holds logits.

    Returns
    -------
    keras.Model
        Its batch size is 1. It shares no variables with `trained`.

    Raises
    ------
    TutorialError
        If `head` is unknown, or if a layer is of a kind that cannot be rebuilt.
    """
    import keras

    if head not in HEADS:
        raise TutorialError(f"head is {head!r}, expected one of: {', '.join(HEADS)}.")
    _check_layers(trained)
    inputs = keras.Input(batch_shape=(1, *trained.input_shape[1:]), name="image")
    outputs = inputs
    for kind, config, weights in _folded(trained.layers):
        if head == "conv":
            kind, config = _as_convolution(kind, config, outputs.shape)
        layer = getattr(keras.layers, kind).from_config(config)
        outputs = layer(outputs)
        shapes = [variable.shape for variable in layer.weights]
        # A dense layer's weights, row by row, are a convolution's kernel.
        layer.set_weights([w.reshape(s) for w, s in zip(weights, shapes, strict=True)])
    if head == "conv":
        outputs = keras.layers.Softmax(name="softmax")(outputs)
    # The name becomes part of every tensor's name in the flatbuffer.
    return keras.Model(inputs, outputs, name=trained.name)


def agreement(trained, deployed, images):
    """Measure how far the rebuilt network's outputs are from the trained one's.

    Parameters
    ----------
    trained, deployed : keras.Model
        The network, and what :func:`deployed_graph` made of it.
    images : ndarray, float32, shape (N, 28, 28, 1)
        Real images, in the units that the network was trained on.

    Returns
    -------
    float
        Largest absolute difference over all images and outputs: of probabilities where
        `deployed` ends with a softmax, of logits where it does not. Rounding in float32
        leaves about one part in a million.
    """
    expected = trained.predict_on_batch(images)
    if type(deployed.layers[-1]).__name__ == "Softmax":
        expected = np.exp(expected - expected.max(axis=1, keepdims=True))
        expected /= expected.sum(axis=1, keepdims=True)
    found = np.stack([deployed.predict_on_batch(image[np.newaxis]) for image in images])
    return float(np.abs(found.reshape(expected.shape) - expected).max())


def _check_layers(trained):
    kind = type(trained).__name__
    if kind != "Sequential":
        raise TutorialError(
            f"network {trained.name!r} is a {kind}, expected a keras.Sequential: only "
            "a chain of layers can be rebuilt for the board."
        )
    for layer in trained.layers:
        if type(layer).__name__ not in LAYERS:
            raise TutorialError(
                f"layer {layer.name!r} is a {type(layer).__name__}, expected one of: "
                f"{', '.join(LAYERS)}."
            )


def _folded(layers):
    """List what is left of the layers: triples of kind, configuration and weights."""
    chain = [("InputLayer", {"name": "image"}, [])]
    for layer in layers:
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            chain.append(_normalised(*chain.pop(), layer))
        elif kind not in ("InputLayer", "Dropout"):
            chain.append((kind, layer.get_config(), layer.get_weights()))
    return chain[1:]


def _normalised(kind, config, weights, normalisation):
    """Fold a batch normalisation into the layer before it.

    ``gamma · (w·x + b − mean) / deviation + beta`` is again of the form ``w'·x + b'``
    (Jacob et al. 2018, arXiv:1712.05877, section 3.2).
    """
    if kind not in ("Conv2D", "DepthwiseConv2D") or config["activation"] != "linear":
        raise TutorialError(
            f"layer {normalisation.name!r} normalises the output of "
            f"{config['name']!r}, expected it right after a convolution without an "
            "activation: only there it can be folded into the weights."
        )
    gamma, beta, mean, variance = normalisation.get_weights()
    factor = gamma / np.sqrt(variance + normalisation.epsilon)
    kernel, bias = weights if config["use_bias"] else (weights[0], 0.0)
    per_output = kernel.shape[2:] if kind == "DepthwiseConv2D" else kernel.shape[3:]
    folded = [kernel * factor.reshape(per_output), (bias - mean) * factor + beta]
    return kind, {**config, "use_bias": True}, folded


def _as_convolution(kind, config, shape):
    """Restate a layer so that height and width are kept; `shape` is its input's."""
    if kind == "Flatten":  # nothing to do: the next kernel spans the whole map
        return "Identity", {"name": config["name"]}
    if kind == "GlobalAveragePooling2D":
        return "AveragePooling2D", {"name": config["name"], "pool_size": shape[1:3]}
    if kind == "Dense":
        kept = {key: config[key] for key in ("name", "activation", "use_bias")}
        window = {"filters": config["units"], "kernel_size": shape[1:3]}
        return "Conv2D", {**kept, **window}
    return kind, config
