"""PyTorch to ONNX with names worth reading: every tensor is called `module.path/Op`."""

import ast
import contextlib
import io
import logging
import warnings

import numpy as np
import onnx
import onnxscript.optimizer
import torch
from onnx import numpy_helper

from training.deployed import Deployed

OPSET = 20
_AXES = ("batch", "height", "width")  # of an input that may be open, in this order
_SCOPES = "pkg.torch.onnx.name_scopes"
Scopes = dict[str, list[str]]


def to_onnx(deployed: Deployed, inputs: torch.Tensor) -> tuple[onnx.ModelProto, Scopes]:
    """Return the model, and for each tensor the paths of the net's modules it was made in.

    inputs: to trace with; see `Deployed.tracing_inputs`.
    Batch normalisation is left as it is: ONNX Runtime folds it when it loads the file, and
    so every module's output stays visible. Nothing of this machine (source lines, paths)
    is left in the file.
    """
    program = _export(deployed, inputs)
    model = program.model_proto
    scopes = {node.output[0]: _module_paths(node) for node in model.graph.node}
    _drop_zero_biases(model)
    _name_open_axes(model)
    names = _names(model, scopes)
    _rename(model, names)
    _strip(model)
    onnx.checker.check_model(model, full_check=True)
    return model, {names[old]: paths for old, paths in scopes.items() if old in names}


def _export(deployed: Deployed, inputs: torch.Tensor) -> torch.onnx.ONNXProgram:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # the exporter warns and prints about packages that are not installed; none are needed
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            deployed,
            (inputs,),
            dynamo=True,
            optimize=False,
            opset_version=OPSET,
            input_names=[deployed.input_name],
            output_names=list(deployed.roles),
            dynamic_shapes=(_open_axes(deployed),),
            verbose=False,
        )
        assert program is not None
        # not `optimize`: that one would fold batch normalisation into the convolutions
        onnxscript.optimizer.fold_constants(program.model)
        onnxscript.optimizer.remove_unused_nodes(program.model)
    return program


def _open_axes(deployed: Deployed) -> dict[int, str]:
    axes = enumerate(zip(_AXES, deployed.spec.input_shape, strict=False))
    return {i: name for i, (name, size) in axes if size is None}


def _name_open_axes(model: onnx.ModelProto) -> None:
    """Call the outputs' open axes as the input's; the exporter writes formulas of them."""
    for output in model.graph.output:
        axes = (axis for axis in output.type.tensor_type.shape.dim if axis.dim_param)
        for axis, name in zip(axes, _AXES, strict=False):
            axis.dim_param = name


def _module_paths(node: onnx.NodeProto) -> list[str]:
    """Return the paths inside the net, outermost first; none for what is around it."""
    text = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), "[]")
    modules = ast.literal_eval(text)[:-1]  # the last one is the operation itself
    return [scope.removeprefix("net.") for scope in modules if scope.startswith("net.")]


def _drop_zero_biases(model: onnx.ModelProto) -> None:
    """Remove the zeros that the exporter gives to a convolution without bias."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Conv" and len(node.input) == 3 and "." not in node.input[2]:
            bias = constants.get(node.input[2])
            if bias is not None and not np.any(numpy_helper.to_array(bias)):
                del node.input[2]
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _names(model: onnx.ModelProto, scopes: Scopes) -> dict[str, str]:
    """Return the new name of every value in the graph, by its old one."""
    fixed = {value.name for value in [*model.graph.input, *model.graph.output]}
    names = {name: name for name in fixed}
    for tensor in model.graph.initializer:
        names[tensor.name] = tensor.name.removeprefix("net.")
    taken = dict.fromkeys(names.values(), 1)
    around = "preprocess"
    for node in model.graph.node:
        paths = scopes[node.output[0]]
        around = "postprocess" if paths else around
        path = paths[-1] if paths else around
        for output in filter(None, node.output):
            if output not in names:
                wanted = f"{path}/{node.op_type}"
                count = taken.get(wanted, 0)
                taken[wanted] = count + 1
                names[output] = f"{wanted}:{count}" if count else wanted
    return names


def _rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        node.name = node.output[0]
    for tensor in model.graph.initializer:
        tensor.name = names[tensor.name]


def _strip(model: onnx.ModelProto) -> None:
    """Remove whatever tells of the machine and the source that made the file."""
    graph = model.graph
    del graph.value_info[:]  # shapes are inferred again when needed
    del model.metadata_props[:], graph.metadata_props[:]
    for part in [*graph.node, *graph.initializer, *graph.input, *graph.output]:
        del part.metadata_props[:]
        part.doc_string = ""
    graph.name = "convscope"
    graph.doc_string = model.doc_string = ""
    model.producer_name = "convscope"
    model.producer_version = ""
