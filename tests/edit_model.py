"""Change a model through the generated reader and writer of the flatbuffers schema."""

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def unpacked(model_bytes):
    """Return the model as TensorFlow's generated classes read it."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model_bytes, 0))


def edited(model_bytes, change):
    """Return the bytes of the model after ``change(model, graph)``."""
    model = unpacked(model_bytes)
    change(model, model.subgraphs[0])
    builder = flatbuffers.Builder(len(model_bytes) + 1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
