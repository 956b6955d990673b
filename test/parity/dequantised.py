"""The PyTorch model with the weights of a quantised export, so that the export can be compared with it."""

import copy

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper


def with_quantised_weights(model, file):
    """A copy of a model in which each matrix that the file holds in fewer bits is what those bits stand for."""
    model = copy.deepcopy(model)
    # Where head and embedding are one matrix, often only the head is quantised.
    head = model.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    embedding = model.get_input_embeddings().weight
    graph = onnx.load(file).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    placed = 0
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in tensors:
            _place(model, tensors[node.input[0]].astype(np.float32) * tensors[node.input[1]], [])
        elif node.op_type == "MatMulNBits":
            _place(model, _unpacked(node, tensors), [embedding])
        else:
            continue
        placed += 1
    if placed == 0:
        raise RuntimeError("nothing in the export is quantised")
    return model


def _unpacked(node, tensors):
    """[K, N]. com.microsoft.MatMulNBits keeps [N, blocks, bytes of a block], low bits first."""
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    bits, block, rows = given["bits"], given["block_size"], given["N"]
    packed = tensors[node.input[1]].reshape(rows, -1)
    fields = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    values = np.stack(fields, axis=-1).reshape(rows, -1, block).astype(np.float32)
    blocks = values.shape[1]
    zero = np.full((rows, blocks, 1), 2.0 ** (bits - 1), dtype=np.float32)
    if len(node.input) > 3 and node.input[3]:
        points = tensors[node.input[3]].reshape(rows, -1)
        fields = [(points >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
        zero = np.stack(fields, axis=-1).reshape(rows, -1)[:, :blocks, None].astype(np.float32)
    scale = tensors[node.input[2]].reshape(rows, blocks, 1).astype(np.float32)
    return ((values - zero) * scale).reshape(rows, -1)[:, : given["K"]].T


def _place(model, matrix, but):
    """Into the parameters that it was made of: the nearest ones. Exporters rename, transpose and join them."""
    matrix = torch.from_numpy(np.ascontiguousarray(matrix))
    nearest = min(_candidates(model, but, matrix.shape), key=lambda found: (found[1] - matrix).abs().mean())
    distance = (nearest[1] - matrix).abs().mean()
    if distance > 0.2 * matrix.abs().mean():
        raise RuntimeError(f"no weight of the model is like one of {tuple(matrix.shape)} in the export")
    for parameters, original, transposed in _candidates(model, but, matrix.shape):
        if (original - nearest[1]).abs().max() > 0:
            continue
        rows = matrix.T if transposed else matrix
        for parameter, part in zip(parameters, rows.split([len(parameter) for parameter in parameters])):
            parameter.copy_(part)


def _candidates(model, but, shape):
    matrices = [parameter.data for parameter in model.parameters() if parameter.dim() == 2]
    # Of a gate and what it opens exporters make two.
    halves = [half for matrix in matrices if len(matrix) % 2 == 0 for half in matrix.chunk(2)]
    groups = [[matrix] for matrix in [*matrices, *halves]]
    for module in model.modules():
        joined = [getattr(module, f"{part}_proj", None) for part in "qkv"]
        if all(isinstance(one, torch.nn.Linear) for one in joined):
            groups.append([one.weight.data for one in joined])
    for parameters in groups:
        if any(parameter.data_ptr() == other.data_ptr() for parameter in parameters for other in but):
            continue
        whole = torch.cat(parameters)
        for transposed in (True, False):
            original = whole.T if transposed else whole
            if original.shape == shape:
                yield parameters, original.clone(), transposed
