"""ONNX files in the wild: weights beside the file taken in, denormals zeroed, a fixed batch opened.

Only graphs are read and edited here. Whether an edited model says the same is for ``intake`` to
find out, by running both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, external_data_helper
from onnx import numpy_helper as convert

from compute.errors import ModelError

Shape = tuple[int, ...]

BATCH: Final = "batch"
"""Name of an opened batch dimension."""

_FACTOR: Final = 7  # the second batch that shapes are inferred at; few dimensions are multiples
_LFS_POINTER: Final = b"version https://git-lfs"
_SMALL: Final = 64  # elements; a larger tensor is no shape
_LARGEST: Final = 2**31 - 1  # bytes of a protobuf message


def read(path: Path) -> tuple[ModelProto, tuple[str, ...]]:
    """Read a model whole, and the names of the files beside it that held weights (external data).

    Raises
    ------
    ModelError
        Where it is no ONNX file, or the files beside it are missing, outside its folder, damaged,
        or too large to be taken in.
    """
    with path.open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise ModelError(
                f"{path}: a Git LFS pointer, not the model it points to. Download the file itself "
                "(git lfs pull, or the address of the raw media)."
            )
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path}: not an ONNX model that can be loaded ({error}). Check what was downloaded, "
            "and that it is complete."
        ) from error
    beside = tuple(dict.fromkeys(_locations(model)))
    if beside:
        _require_beside(path, beside)
        try:
            external_data_helper.load_external_data_for_model(model, str(path.parent))
        except Exception as error:
            raise ModelError(
                f"{path}: its weights in {', '.join(beside)} cannot be taken in "
                f"({str(error).strip().splitlines()[0]}). Copy the files again, or save the model "
                "whole: onnx.save_model(onnx.load(FILE), NEW_FILE)."
            ) from error
    return model, beside


def _require_beside(path: Path, beside: Sequence[str]) -> None:
    folder = path.parent.resolve()
    outside = [name for name in beside if not (folder / name).resolve().is_relative_to(folder)]
    if outside:
        raise ModelError(
            f"{path}: wants weights from {outside[0]}, outside its folder. Save it whole where it "
            "was made: onnx.save_model(onnx.load(FILE), NEW_FILE)."
        )
    missing = [name for name in beside if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"{path}: keeps weights in files beside it (external data); missing: "
            f"{', '.join(missing)}. Put them into {folder} under these names."
        )
    size = sum((folder / name).stat().st_size for name in beside)
    if size >= _LARGEST:
        raise ModelError(
            f"{path}: keeps {size / 2**30:.1f} GiB of weights beside it, expected less than 2 GiB: "
            "the registry keeps a model as one file. Export it in float16."
        )


def write(model: ModelProto) -> bytes:
    """Return the bytes of a model, the same for the same model."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def uses_half(model: ModelProto) -> bool:
    """Tell whether a model computes in float16 anywhere."""
    half = TensorProto.FLOAT16
    values = [*model.graph.input, *model.graph.output]
    return any(tensor.data_type == half for tensor in _tensors(model)) or any(
        value.type.tensor_type.elem_type == half for value in values
    )


def without_denormals(model: ModelProto) -> tuple[ModelProto, int]:
    """Return the model with its denormal float32 weights at zero, and how many there were.

    They lie below 1.2e-38, nothing that an embedding shows, and slow a processor down tenfold and
    more. ONNX Runtime's own switch for it (``session.set_denormal_as_zero``) would change how the
    whole process calculates.
    """
    smallest = np.finfo(np.float32).tiny
    cleaned = ModelProto()
    cleaned.CopyFrom(model)
    count = 0
    for tensor in _tensors(cleaned):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = convert.to_array(tensor)
        denormal = (values != 0) & (np.abs(values) < smallest)
        if denormal.any():
            count += int(denormal.sum())
            zeroed = np.where(denormal, np.float32(0), values)
            tensor.CopyFrom(convert.from_array(zeroed, tensor.name))
    return cleaned, count


def open_batch(model: ModelProto, input_name: str, shape: Shape) -> ModelProto | None:
    """Return the model for any batch, or None where none is found.

    A constant target of a Reshape is opened where the batch must be: rows keep their order in
    memory, so that the batch's dimension in the result is the one with as many elements before it
    as in what is reshaped. The size there becomes -1. A Flatten of everything (axis 0) gets the
    axis behind the batch.

    Parameters
    ----------
    shape
        Of the input, at the batch that the model is made for.
    """
    opened = ModelProto()
    opened.CopyFrom(model)
    (given,) = (value for value in opened.graph.input if value.name == input_name)
    given.type.tensor_type.shape.dim[0].dim_param = BATCH
    del opened.graph.value_info[:]
    for value in opened.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        return opened if _reopen_all(opened, input_name, shape) else None
    except (onnx.shape_inference.InferenceError, ValueError):
        # Shapes that cannot be inferred, names that are no text: the batch stays as it is.
        return None


def _reopen_all(opened: ModelProto, input_name: str, shape: Shape) -> bool:
    """Reopen every node that keeps its size where its input grows; tell whether all could be."""
    before = _shapes(opened, input_name, shape)
    larger = (shape[0] * _FACTOR, *shape[1:])
    nodes = [i for i, node in enumerate(opened.graph.node) if node.op_type in _REOPENED]
    for i in nodes:
        # What is reopened changes every shape behind it.
        after = _shapes(opened, input_name, larger)
        node = opened.graph.node[i]
        source, result = node.input[0], node.output[0]
        place = _batch_place(before.get(source), after.get(source))
        if place is None or result not in before:
            continue
        goal = _place_in(before[source], place, before[result], shape[0])
        if goal is None:
            return False
        wanted = tuple(
            side * _FACTOR if k == goal else side for k, side in enumerate(before[result])
        )
        if after.get(result) != wanted and not _reopen(opened.graph, node, before[result], goal):
            return False
    return True


_REOPENED: Final = ("Reshape", "Flatten")


def _batch_place(before: Shape | None, after: Shape | None) -> int | None:
    """Return the dimension that grew with the batch; None where none or not exactly one did."""
    if before is None or after is None or len(before) != len(after):
        return None
    grown = [k for k, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    return grown[0] if len(grown) == 1 and after[grown[0]] == before[grown[0]] * _FACTOR else None


def _place_in(source: Shape, place: int, result: Shape, batch: int) -> int | None:
    """Return the dimension of ``result`` that holds the batch of ``source``, row-major."""
    ahead = math.prod(source[:place])
    for k, side in enumerate(result):
        if math.prod(result[:k]) == ahead and side % batch == 0:
            return k
    return None


def _reopen(graph: GraphProto, node: NodeProto, result: Shape, goal: int) -> bool:
    """Let one dimension of a node's result follow its input; tell whether that is possible."""
    if node.op_type == "Flatten":
        if goal != 0:
            return False
        del node.attribute[:]
        node.attribute.append(onnx.helper.make_attribute("axis", 1))
        return True
    if node.input[1] not in _constants(graph):
        return False
    target = [-1 if k == goal else side for k, side in enumerate(result)]
    # A name of its own: another node may share the constant.
    name = f"{node.output[0]}/{BATCH}"
    graph.initializer.append(convert.from_array(np.array(target, dtype=np.int64), name))
    node.input[1] = name
    return True


def _shapes(model: ModelProto, input_name: str, shape: Shape) -> dict[str, Shape]:
    """Infer all fully known shapes for one shape of the input."""
    inferred = onnx.shape_inference.infer_shapes(
        _skeleton(model, input_name, shape), check_type=False, strict_mode=False, data_prop=True
    )
    known = {}
    for value in [*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input]:
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(
            each.HasField("dim_value") for each in tensor.shape.dim
        ):
            known[value.name] = tuple(each.dim_value for each in tensor.shape.dim)
    return known


def _skeleton(model: ModelProto, input_name: str, shape: Shape) -> ModelProto:
    """Return the model without its weights, which shapes do not depend on."""
    skeleton = ModelProto(ir_version=max(model.ir_version, 4))
    skeleton.opset_import.extend(model.opset_import)
    skeleton.functions.extend(model.functions)
    graph = skeleton.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.output.extend(model.graph.output)
    held = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in held:
            graph.input.append(value)
    for value in graph.input:
        if value.name == input_name:
            for side, dimension in zip(shape, value.type.tensor_type.shape.dim, strict=True):
                dimension.dim_value = side
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            graph.initializer.append(tensor)
        else:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    return skeleton


def _constants(graph: GraphProto) -> set[str]:
    """Return the names of tensors that are part of the file."""
    made = {node.output[0] for node in graph.node if node.op_type == "Constant"}
    return made | {tensor.name for tensor in graph.initializer}


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Return every tensor of a model, those of its inner graphs too."""
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        yield from graph.initializer
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                if attribute.HasField("g"):
                    graphs.append(attribute.g)
                graphs.extend(attribute.graphs)


def _locations(model: ModelProto) -> Sequence[str]:
    return [
        entry.value
        for tensor in _tensors(model)
        if external_data_helper.uses_external_data(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    ]
