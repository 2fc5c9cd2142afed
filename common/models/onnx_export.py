"""A trained model as an ONNX file, which onnxruntime and other programs run without this one.

Its input `image` and its output `result` are RGB in [0, 1], (1, 3, height, width), of any height and width; its axes
have these names.
"""

import json
import logging
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim

from common.runtime.errors import UserError
from common.runtime.files import atomic_write

if TYPE_CHECKING:
    import onnx

INPUT, OUTPUT = "image", "result"
METADATA_KEY = "perceptual-enhance"
SIZES = ((64, 96), (97, 131), (150, 75))  # height and width of the noise that a file is checked on
TOLERANCE = 1 / 255
# Opset: the IR version that its operators need, and the first onnxruntime that opens such a file. These are the opsets
# that torch's exporter writes itself. From onnxruntime.ai/docs/reference/compatibility and onnx/docs/Versioning.md, and
# tried with onnxruntime 1.15 to 1.23: 1.15 lacks operators of opset 19, and 1.20 refuses 22.
OPSETS = {18: (8, "1.14"), 19: (9, "1.16"), 20: (9, "1.17"), 21: (10, "1.18"), 22: (10, "1.21"), 23: (11, "1.23")}
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class InRange(nn.Module):
    """A model whose results are clamped to [0, 1]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        return self.model(image).clamp(0, 1)


class Exported(NamedTuple):
    """What came of an export. difference: of the file's results from the model's at most, in [0, 1]."""

    difference: float
    opset: int
    onnxruntime: str  # the oldest version that opens the file


def export_onnx(
    path: Path, model: nn.Module, values: Mapping[str, Any], half: bool = False, opset: int | None = None
) -> Exported:
    """Writes `model`, in eval mode on the CPU, as an ONNX file.

    values: go into the file's metadata, as JSON. half: weights are stored in float16, and computed with in float32.
    opset: of OPSETS; None for that of torch's exporter. Raises UserError if a result differs by more than 1/255, or the
    opset cannot be had: then without a file.
    """
    check_packages()
    import onnxruntime

    model = InRange(model)
    expected = [(image, run(model, image)) for image in map(blots, SIZES)]
    file = trace(model, opset)
    written = next(entry.version for entry in file.opset_import if not entry.domain)
    needed, oldest = OPSETS.get(written, (file.ir_version, onnxruntime.__version__))
    file.ir_version = min(file.ir_version, needed)  # torch writes a newer one, which older programs refuse
    if opset not in (None, written):
        raise UserError(f"{path}: not written: torch wrote opset {written} in place of {opset}; leave --opset out")
    (image, result), *_ = expected
    name_axes(file.graph, result.shape[2] // image.shape[2])
    if half:
        halve_weights(file.graph)
    entry = file.metadata_props.add()
    own = {"version": version("perceptual-enhance"), "opset": written, "onnxruntime": oldest}
    entry.key, entry.value = METADATA_KEY, json.dumps({**own, **values})
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(file.SerializeToString())
        difference = largest_difference(temporary, expected)
        if not difference <= TOLERANCE:  # nor NaN
            raise UserError(f"{path}: not written: its results differ from torch's by {255 * difference:.1f} of 255")
    return Exported(difference, written, oldest)


def check_packages(packages: tuple[str, ...] = PACKAGES) -> None:
    """Raises UserError if a package for ONNX is missing."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(f'ONNX files need {", ".join(missing)}: pip install "perceptual-enhance[onnx]"')


def blots(size: tuple[int, int]) -> Tensor:
    """(1, 3, *size): of noise, which no photo is, some networks make values far out of range."""
    coarse = torch.rand(1, 3, *(-(-side // 8) for side in size), generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, size, mode="bilinear")


@torch.inference_mode()
def run(model: nn.Module, image: Tensor) -> np.ndarray:
    return model(image).numpy()


def trace(model: nn.Module, opset: int | None) -> "onnx.ModelProto":
    """The model as a graph in which height and width are free."""
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)  # they tell of each operator
    program = torch.onnx.export(
        model.eval(),
        (torch.rand(1, 3, 96, 128),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({2: Dim.DYNAMIC, 3: Dim.DYNAMIC},),
        opset_version=opset,
        dynamo=True,
        optimize=False,  # its inliner fails on free sizes
        verbose=False,
    )
    assert program is not None  # with dynamo there is one
    return program.model_proto


def name_axes(graph: "onnx.GraphProto", scale: int) -> None:
    """Gives the axes of input and output the names height and width; torch's are 's53' and formulas of it."""
    for value, factor in ((graph.input[0], ""), (graph.output[0], f"{scale}*" if scale > 1 else "")):
        for axis, name in zip(value.type.tensor_type.shape.dim[2:], ("height", "width"), strict=True):
            axis.dim_param = factor + name
    del graph.value_info[:]  # shapes in between, in torch's names


def halve_weights(graph: "onnx.GraphProto") -> None:
    """Stores the graph's float32 weights in float16, each with a cast before its use."""
    from onnx import TensorProto, helper, numpy_helper

    casts: list[Any] = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 16:
            continue
        name, weights = tensor.name, numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(weights.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def largest_difference(path: Path, expected: list[tuple[Tensor, np.ndarray]]) -> float:
    """Between the results of the ONNX file and those expected, in [0, 1]."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return float(
        np.max([np.abs(session.run([OUTPUT], {INPUT: image.numpy()})[0] - result).max() for image, result in expected])
    )
