"""An ONNX file that `TASK.export` wrote, run by onnxruntime in the place of a torch model."""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from common.models.onnx_export import INPUT, METADATA_KEY, OUTPUT, check_packages
from common.runtime.errors import UserError
from common.runtime.out_of_memory import is_out_of_memory


class OnnxModel(nn.Module):
    """(1, 3, H, W) in [0, 1], on the CPU -> (1, 3, scale H, scale W).

    values: what the file says of the model. It runs on CUDA where `onnxruntime-gpu` is installed and `device` is not
    'cpu'. Raises UserError if `path` is no such file, or is of another task.
    """

    def __init__(self, path: Path, task: str, device: str = "auto") -> None:
        super().__init__()
        check_packages(("onnxruntime",))
        import onnxruntime

        if not path.is_file():
            raise UserError(f"{path}: no such model file")
        providers: list[str | tuple[str, dict[str, int]]] = ["CPUExecutionProvider"]
        kind, _, number = device.partition(":")
        has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        if kind in ("auto", "cuda") and has_cuda:
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(number or 0)}))
        elif kind not in ("auto", "cpu"):
            raise UserError(f"--device {device}: this onnxruntime runs on the CPU alone; install onnxruntime-gpu")
        try:
            self.session = onnxruntime.InferenceSession(path, providers=providers)
            self.values = json.loads(self.session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        except KeyError:
            raise UserError(f"{path}: an ONNX file, but not one that python -m {task}.export wrote") from None
        except Exception as error:  # onnxruntime has its own for each kind of broken file
            raise UserError(f"{path}: not a complete ONNX file ({str(error).splitlines()[0]})") from None
        if (made_by := self.values["task"]) != task:
            raise UserError(f"{path}: a model for {made_by}: use python -m {made_by}.predict")
        self.scale = int(self.values.get("scale", 1))

    def forward(self, image: Tensor) -> Tensor:
        try:
            return torch.from_numpy(self.session.run([OUTPUT], {INPUT: image.numpy()})[0])
        except Exception as error:  # onnxruntime's own, which are no RuntimeErrors
            if is_out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise
