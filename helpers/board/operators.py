"""The operators of TensorFlow Lite: their names, their options, their TFLM methods.

Numbers and slots are those of TensorFlow's `schema.fbs` (enum BuiltinOperator and the
tables named `...Options`); a number, once given, is never changed there.
"""

_TEXT = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE
    DEQUANTIZE EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP
    L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION
    LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX
    SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM
    EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
    SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM
    STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE
    BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
    GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE
    TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT
    REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
    REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE
    RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V
    UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
    MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY
    SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE
    BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND
    HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
    READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE
    RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1
    UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
    UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
"""
NAMES = tuple(_TEXT.split())

CUSTOM = NAMES.index("CUSTOM")

PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")

_POOL = {
    "padding": (0, "b", 0),
    "stride_width": (1, "i", 0),
    "stride_height": (2, "i", 0),
    "filter_width": (3, "i", 0),
    "filter_height": (4, "i", 0),
    "activation": (5, "b", 0),
}

# operator: (number in the union BuiltinOptions, {option: (slot, struct code, default)})
OPTIONS = {
    "CONV_2D": (
        1,
        {
            "padding": (0, "b", 0),
            "stride_width": (1, "i", 0),
            "stride_height": (2, "i", 0),
            "activation": (3, "b", 0),
            "dilation_width": (4, "i", 1),
            "dilation_height": (5, "i", 1),
        },
    ),
    "DEPTHWISE_CONV_2D": (
        2,
        {
            "padding": (0, "b", 0),
            "stride_width": (1, "i", 0),
            "stride_height": (2, "i", 0),
            "depth_multiplier": (3, "i", 0),
            "activation": (4, "b", 0),
            "dilation_width": (5, "i", 1),
            "dilation_height": (6, "i", 1),
        },
    ),
    "MAX_POOL_2D": (5, _POOL),
    "AVERAGE_POOL_2D": (5, _POOL),
    "FULLY_CONNECTED": (
        8,
        {
            "activation": (0, "b", 0),
            "weights_format": (1, "b", 0),
            "keep_num_dims": (2, "?", False),
        },
    ),
    "SOFTMAX": (9, {"beta": (0, "f", 0.0)}),
    "ADD": (11, {"activation": (0, "b", 0)}),
    "MEAN": (27, {"keep_dims": (0, "?", False)}),
}


def operator_name(code, custom_name=""):
    """Return the name of builtin operator `code`, such as ``"CONV_2D"``.

    Parameters
    ----------
    code : int
        As the file has it.
    custom_name : str
        The file's own name of a custom operator.

    Returns
    -------
    str
        ``"CUSTOM:name"`` for a custom operator, ``"BUILTIN_n"`` for a number that is
        newer than this table.
    """
    if code == CUSTOM:
        return f"CUSTOM:{custom_name}"
    return NAMES[code] if 0 <= code < len(NAMES) else f"BUILTIN_{code}"


def resolver_method(name):
    """Return the method of TFLM's ``MicroMutableOpResolver`` that adds operator `name`.

    ``"CONV_2D"`` gives ``"AddConv2D"``, ``"FULLY_CONNECTED"`` gives
    ``"AddFullyConnected"``.
    """
    words = (
        word if word[0].isdigit() else word.capitalize() for word in name.split("_")
    )
    return "Add" + "".join(words)
