"""How far an int8 model drifts from the float network, layer by layer."""

from dataclasses import dataclass

import numpy as np

from helpers.board.runtimes import LiteRT

_SHAPE_ONLY = ("InputLayer", "Identity", "Flatten", "Dropout")


@dataclass(frozen=True)
class Stage:
    """What one operator puts out, in float and in int8.

    Attributes
    ----------
    name : str
        Of the operator, with its place.
    real : numpy.ndarray of float32
        From the float network.
    restored : numpy.ndarray of float32
        The int8 values times the scale; the shape of `real`.
    scale : float
    zero_point : int
    """

    name: str
    real: np.ndarray
    restored: np.ndarray
    scale: float
    zero_point: int

    @property
    def error(self):
        """Root mean square of the difference as a share of that of `real`."""
        difference = self.restored - self.real
        return float(np.sqrt(np.mean(difference**2) / np.mean(self.real**2)))


def compare_layers(deployed, model_bytes, images_i8, pixel_scale):
    """Compare every operator's output with that of the float network.

    Parameters
    ----------
    deployed : keras.Model
        The float network that was converted; its batch size is 1.
    model_bytes : bytes
        What it was converted to.
    images_i8 : numpy.ndarray of int8, shape (images, 28, 28, 1)
    pixel_scale : float

    Returns
    -------
    list of Stage
        In the order of the operators.
    """
    import keras

    layers = [la for la in deployed.layers if type(la).__name__ not in _SHAPE_ONLY]
    # The converter builds a ReLU of its own into the operator before it.
    kept = [
        layer
        for layer, following in zip(layers, [*layers[1:], None], strict=True)
        if type(following).__name__ != "ReLU"
    ]
    inner = keras.Model(deployed.input, [layer.output for layer in kept])
    images = images_i8.astype(np.float32) / pixel_scale
    answers = [inner(image[None], training=False) for image in images]
    runtime = LiteRT(model_bytes)
    bytes_of = runtime.intermediates(images_i8)
    operators = [op for op in runtime.model.operators if op.name != "RESHAPE"]
    stages = []
    for number, operator in enumerate(operators):
        tensor = runtime.model.tensors[operator.outputs[0]]
        real = np.stack([np.asarray(answer[number])[0] for answer in answers])
        found = bytes_of[tensor.index].astype(np.float32).reshape(real.shape)
        restored = tensor.scale * (found - tensor.zero_point)
        name = f"{number + 1} · {operator.name}"
        stages.append(Stage(name, real, restored, tensor.scale, tensor.zero_point))
    return stages
