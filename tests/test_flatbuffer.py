"""The reader of flatbuffers against TensorFlow's generated one."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from edit_model import edited, unpacked

from helpers.board.flatbuffer import DTYPES, SIZE_LIMIT, read_model
from helpers.board.operators import NAMES, OPTIONS, operator_name, resolver_method
from helpers.errors import TutorialError

MODELS = [
    ("conv", "tutorial"),
    ("dense", "tutorial"),
    ("conv", "compact"),
    ("dense", "compact"),
]


def _numbers(enumeration):
    members = vars(enumeration).items()
    return {name: value for name, value in members if isinstance(value, int)}


@pytest.mark.parametrize(("head", "network"), MODELS)
def test_read_model_tensors_equal_generated_reader(candidate, head, network):
    model_bytes = candidate(head, network)
    model, expected = read_model(model_bytes), unpacked(model_bytes)
    [graph] = expected.subgraphs
    types = {value: name.lower() for name, value in _numbers(schema.TensorType).items()}
    assert len(model.tensors) == len(graph.tensors)
    for found, tensor in zip(model.tensors, graph.tensors, strict=True):
        assert found.name == tensor.name.decode()[:1000]
        assert found.dtype == types[tensor.type]
        assert found.shape == tuple(tensor.shape)
        quantization = tensor.quantization
        np.testing.assert_array_equal(found.scales, quantization.scale)
        np.testing.assert_array_equal(found.zero_points, quantization.zeroPoint)
        assert found.quantized_dimension == quantization.quantizedDimension
        stored = expected.buffers[tensor.buffer].data
        if stored is None:
            assert found.data is None
        else:
            assert found.data.tobytes() == stored.tobytes()
            assert not found.data.flags.writeable


@pytest.mark.parametrize(("head", "network"), MODELS)
def test_read_model_operators_equal_generated_reader(candidate, head, network):
    model_bytes = candidate(head, network)
    model, expected = read_model(model_bytes), unpacked(model_bytes)
    [graph] = expected.subgraphs
    codes = _numbers(schema.BuiltinOperator)
    assert model.schema_version == expected.version == 3
    assert model.inputs == tuple(graph.inputs)
    assert model.outputs == tuple(graph.outputs)
    for found, operator in zip(model.operators, graph.operators, strict=True):
        code = expected.operatorCodes[operator.opcodeIndex]
        assert codes[found.name] == max(code.builtinCode, code.deprecatedBuiltinCode)
        assert found.version == code.version
        assert found.inputs == tuple(operator.inputs)
        assert found.outputs == tuple(operator.outputs)
        _check_options(found, operator.builtinOptions)


def _check_options(found, options):
    generated = {
        "stride_width": "strideW",
        "stride_height": "strideH",
        "dilation_width": "dilationWFactor",
        "dilation_height": "dilationHFactor",
        "filter_width": "filterWidth",
        "filter_height": "filterHeight",
        "keep_num_dims": "keepNumDims",
        "keep_dims": "keepDims",
        "weights_format": "weightsFormat",
        "beta": "beta",
    }
    for key, value in found.options.items():
        if key == "padding":
            assert vars(schema.Padding)[value] == options.padding
        elif key == "activation":
            activations = vars(schema.ActivationFunctionType)
            assert activations[value] == options.fusedActivationFunction
        else:
            assert getattr(options, generated[key]) == value


def test_operator_names_equal_the_schema():
    codes = _numbers(schema.BuiltinOperator)
    assert [codes[name] for name in NAMES] == list(range(len(NAMES)))


def test_option_tables_equal_the_schema():
    kinds = {
        "CONV_2D": "Conv2DOptions",
        "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
        "MAX_POOL_2D": "Pool2DOptions",
        "AVERAGE_POOL_2D": "Pool2DOptions",
        "FULLY_CONNECTED": "FullyConnectedOptions",
        "SOFTMAX": "SoftmaxOptions",
        "ADD": "AddOptions",
        "MEAN": "ReducerOptions",
    }
    numbers = _numbers(schema.BuiltinOptions)
    assert {name: union for name, (union, _) in OPTIONS.items()} == {
        name: numbers[kind] for name, kind in kinds.items()
    }


def test_operator_name_unknown_code_is_numbered():
    assert operator_name(9999) == "BUILTIN_9999"
    assert operator_name(32, "mine") == "CUSTOM:mine"


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("CONV_2D", "AddConv2D"),
        ("MAX_POOL_2D", "AddMaxPool2D"),
        ("FULLY_CONNECTED", "AddFullyConnected"),
        ("SOFTMAX", "AddSoftmax"),
        ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"),
        ("MEAN", "AddMean"),
    ],
)
def test_resolver_method_is_spelled_as_in_tflm(name, method):
    assert resolver_method(name) == method


def test_read_model_per_channel_tensor_has_no_single_scale(candidate):
    model = read_model(candidate())
    weights = model.weights_of(model.operators[0])[0]
    assert len(weights.scales) == 8
    with pytest.raises(TutorialError, match="8 scales where one is expected"):
        _ = weights.scale


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "shorter"),
        (b"TFL3", "shorter"),
        (b"PK\x03\x04" * 100, "belongs"),
        (b"\x00" * 4 + b"TFL3", "0 graphs"),
        (b"\xff\xff\xff\xffTFL3" + b"\xff" * 100, "offset"),
    ],
)
def test_read_model_not_a_model_is_refused(data, reason):
    with pytest.raises(TutorialError, match=reason):
        read_model(data, "It")


def test_read_model_over_the_size_limit_is_refused():
    with pytest.raises(TutorialError, match="over the limit"):
        read_model(bytes(SIZE_LIMIT + 1))


def test_read_model_two_graphs_are_refused(candidate):
    def add_graph(model, graph):
        model.subgraphs.append(graph)

    with pytest.raises(TutorialError, match="not supported: it has 2 graphs"):
        read_model(edited(candidate(), add_graph))


def test_type_names_equal_the_schema():
    numbers = _numbers(schema.TensorType)
    assert [numbers[name.upper()] for name in DTYPES] == list(range(len(DTYPES)))


@pytest.mark.parametrize("dtype", ["bfloat16", "int2", "float8_e5m2"])
def test_read_model_type_without_numpy_is_named(candidate, dtype):
    def change(_, graph):
        graph.tensors[1].type = DTYPES.index(dtype)

    assert read_model(edited(candidate(), change)).tensors[1].dtype == dtype


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (77, "not supported: tensor 0 is of type 77, which is newer"),
        (-1, "not a whole"),
    ],
)
def test_read_model_unknown_type_is_refused(candidate, number, reason):
    def change(_, graph):
        graph.tensors[0].type = number

    with pytest.raises(TutorialError, match=reason):
        read_model(edited(candidate(), change))


def test_read_model_text_cannot_steer_a_terminal(candidate):
    def change(_, graph):
        graph.tensors[0].name = "\x1b[2J\n\u202ename"

    assert read_model(edited(candidate(), change)).tensors[0].name == "?[2J??name"


def test_read_model_scale_not_a_number_is_refused(candidate):
    def spoil(_, graph):
        graph.tensors[0].quantization.scale = [float("nan")]

    with pytest.raises(TutorialError, match="not a finite number"):
        read_model(edited(candidate(), spoil))


def test_read_model_shape_that_does_not_fit_its_data_is_refused(candidate):
    def spoil(_, graph):
        graph.tensors[1].shape = [2**31 - 1] * 8

    with pytest.raises(TutorialError, match="bytes for shape"):
        read_model(edited(candidate(), spoil))
