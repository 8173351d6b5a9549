"""What a `.tflite` file holds, as plain data: a model, its operators, its tensors."""

from dataclasses import dataclass, field

import numpy as np

from helpers.errors import TutorialError


@dataclass(frozen=True)
class Tensor:
    """One tensor: an activation, or weights and biases that the file holds.

    Attributes
    ----------
    index : int
        Its place in the file's list of tensors.
    name : str
    dtype : str
        NumPy's name of its type, such as ``"int8"``.
    shape : tuple of int
    shape_signature : tuple of int
        The shape with -1 where it is free; empty if all of it is fixed.
    scales, zero_points : ndarray
        float32 and int64; empty if not quantised, one entry if per tensor, one for each
        index of `quantized_dimension` if per channel.
    quantized_dimension : int
    data : ndarray or None
        The stored values in `shape`, read-only; None for an activation.
    """

    index: int
    name: str
    dtype: str
    shape: tuple
    shape_signature: tuple
    scales: np.ndarray = field(repr=False)
    zero_points: np.ndarray = field(repr=False)
    quantized_dimension: int
    data: np.ndarray | None = field(repr=False)

    @property
    def scale(self):
        """The one scale of a tensor quantised as a whole (float32 as a float)."""
        return float(self._only(self.scales, "scale"))

    @property
    def zero_point(self):
        """The one zero point of a tensor quantised as a whole."""
        return int(self._only(self.zero_points, "zero point"))

    def _only(self, values, what):
        if len(values) != 1:
            raise TutorialError(
                f"Tensor {self.name} has {len(values)} {what}s where one is expected."
            )
        return values[0]


@dataclass(frozen=True)
class Operator:
    """One step of the network.

    Attributes
    ----------
    name : str
        Such as ``"CONV_2D"``.
    version : int
    inputs, outputs : tuple of int
        Indices of tensors; -1 for an optional input that is left out.
    options : dict
        Such as ``{"padding": "VALID", "stride_width": 1, "activation": "RELU", ...}``.
    """

    name: str
    version: int
    inputs: tuple
    outputs: tuple
    options: dict


@dataclass(frozen=True)
class Model:
    """A `.tflite` file with one graph.

    Attributes
    ----------
    schema_version : int
        3 for every TensorFlow Lite model.
    description : str
    operators : tuple of Operator
        In the order in which they run.
    tensors : tuple of Tensor
    inputs, outputs : tuple of int
        Indices of tensors.
    byte_count : int
        Size of the file.
    """

    schema_version: int
    description: str
    operators: tuple
    tensors: tuple
    inputs: tuple
    outputs: tuple
    byte_count: int

    @property
    def operator_names(self):
        """Names of the operators, each once, in alphabetical order."""
        return sorted({operator.name for operator in self.operators})

    @property
    def input(self):
        """The one input, a `Tensor`."""
        return self._only(self.inputs, "inputs")

    @property
    def output(self):
        """The one output, a `Tensor`."""
        return self._only(self.outputs, "outputs")

    def _only(self, indices, what):
        if len(indices) != 1:
            raise TutorialError(
                f"The model has {len(indices)} {what} where one is expected."
            )
        return self.tensors[indices[0]]

    def weights_of(self, operator):
        """Return the constant tensors that `operator` reads, its bias among them."""
        tensors = (self.tensors[index] for index in operator.inputs if index >= 0)
        return [tensor for tensor in tensors if tensor.data is not None]
