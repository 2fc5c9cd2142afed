"""Enlarging photos: megapixels of the result a second, and memory, against lesson 7's way.

python -m benchmarks.predict                    10 minutes on 2 CPU cores; an untrained model like superres_2x.yaml's
python -m benchmarks.predict --sizes 512 1024 --tile 512
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.lesson7 import Lesson7Model
from benchmarks.measure import Row, Work, Worker, describe_machine, free_memory, print_table, silence_warnings
from common.commands.arguments import add_device_argument, number_at_least
from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config
from common.inference.ready import ready
from common.inference.tile_layout import TILE
from common.inference.tiles import enhance
from common.models.model_file import fold_norms
from common.models.onnx_export import export_onnx
from common.models.onnx_model import OnnxModel
from common.photos.pixels import to_pixels, to_tensor
from common.runtime.command import run_command
from common.runtime.devices import get_device
from common.runtime.memory import keep_freed_memory
from superres.config import Config
from superres.files import NAME
from superres.network import SuperResolver, get_model

CONFIG = CONFIGS / "superres_2x.yaml"
SCALE = 2
ONNX_FILE = "BENCHMARK_ONNX"  # variable of the environment, which workers inherit


def our_model() -> SuperResolver:
    """An untrained model of `superres_2x.yaml`, as its file would have it."""
    return fold_norms(get_model(load_config(Config, CONFIG, ["model.pretrained=false"]).model, SCALE))


def lesson7(photo: np.ndarray, _tile: int, device: torch.device) -> Work:
    """Enlarged first, then the U-Net at full size, in one piece."""
    return in_one_piece(Lesson7Model(SCALE, crop=128), photo, device)


def lesson7_attention(photo: np.ndarray, _tile: int, device: torch.device) -> Work:
    """The same with fastai's self-attention, as our model has ours."""
    return in_one_piece(Lesson7Model(SCALE, crop=128, attention=True), photo, device)


def ours_in_one_piece(photo: np.ndarray, _tile: int, device: torch.device) -> Work:
    return in_one_piece(our_model(), photo, device)


def not_made_ready(photo: np.ndarray, tile: int, device: torch.device) -> Work:
    """In tiles, with the model as it was loaded: BatchNorm apart, weights in torch's usual order."""
    return in_tiles(our_model().eval().to(device).to(memory_format=torch.contiguous_format), photo, tile)


def ours_in_tiles(photo: np.ndarray, tile: int, device: torch.device) -> Work:
    """As `superres.predict --precision fp32` does it."""
    return in_tiles(ready(our_model(), device, "fp32"), photo, tile)


def ours_in_bf16(photo: np.ndarray, tile: int, device: torch.device) -> Work:
    return in_tiles(ready(our_model(), device, "bf16"), photo, tile)


def by_onnxruntime(photo: np.ndarray, tile: int, _device: torch.device) -> Work:
    with exported_model() as path:
        return in_tiles(OnnxModel(path, NAME), photo, tile)


def by_openvino(photo: np.ndarray, tile: int, _device: torch.device, precision: str = "f32") -> Work:
    with exported_model() as path:
        return in_tiles(OpenVinoModel(path, precision), photo, tile)


class OpenVinoModel(nn.Module):
    """An ONNX file of ours, run by OpenVINO on the CPU. precision: 'f32' or 'bf16'."""

    def __init__(self, path: Path, precision: str) -> None:
        super().__init__()
        import openvino

        options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        self.compiled = openvino.Core().compile_model(path, "CPU", options)

    def forward(self, image: Tensor) -> Tensor:
        return torch.from_numpy(self.compiled(image.numpy())[0].copy())


@contextmanager
def exported_model() -> Iterator[Path]:
    """An ONNX file of `our_model`: that of all workers, else one of its own."""
    if ONNX_FILE in os.environ:
        yield Path(os.environ[ONNX_FILE])
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(path, our_model().eval(), {"task": NAME, "scale": SCALE})
        yield path


def in_tiles(model: nn.Module, photo: np.ndarray, tile: int) -> Work:
    keep_freed_memory()
    return lambda: enhance(model, photo, SCALE, tile)


def in_one_piece(model: nn.Module, photo: np.ndarray, device: torch.device) -> Work:
    """A function that enlarges the photo, (H, W, 3) uint8, without tiles."""
    model = model.eval().to(device)

    @torch.inference_mode()
    def work() -> np.ndarray:
        return to_pixels(model(to_tensor(photo).to(device)))

    return work


METHODS: dict[str, Callable[[np.ndarray, int, torch.device], Work]] = {  # (photo, tile, device) -> work
    "lesson 7": lesson7,
    "lesson 7 with fastai's attention": lesson7_attention,
    "ours in one piece": ours_in_one_piece,
    "ours in tiles, not made ready": not_made_ready,
    "ours in tiles": ours_in_tiles,
    "ours in tiles, bf16": ours_in_bf16,
}
if find_spec("onnxruntime") is not None:
    METHODS["onnxruntime, the same tiles"] = by_onnxruntime
if find_spec("openvino") is not None:
    METHODS["OpenVINO, the same tiles"] = by_openvino
    METHODS["OpenVINO, bf16"] = partial(by_openvino, precision="bf16")


def get_work(method: str, size: int, tile: int, device: torch.device) -> Work:
    """A function that makes a result of size x size pixels, after one small result to warm up."""
    noise = np.random.default_rng(0).integers(0, 256, (size // SCALE, size // SCALE, 3), dtype=np.uint8)
    METHODS[method](noise[:64, :64], tile, device)()
    return METHODS[method](noise, tile, device)


def median(times: Sequence[float | None]) -> float | None:
    """None if one of the times is None."""
    measured = [time for time in times if time is not None]
    return statistics.median(measured) if len(measured) == len(times) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", type=number_at_least(64, int), nargs="+", default=[512, 1024, 4096], metavar="PIXELS"
    )
    parser.add_argument("--tile", type=number_at_least(192, int), default=TILE)
    add_device_argument(parser)
    args = parser.parse_args()
    silence_warnings()
    device = get_device(args.device)
    print(f"{SCALE}x, {describe_machine(device)}\n")
    limit = 0.9 * free_memory() if device.type == "cpu" else None
    with exported_model() if find_spec("onnx") is not None else nullcontext() as path:
        if path is not None:
            os.environ[ONNX_FILE] = str(path)
        measure(args, device, limit)


def measure(args: argparse.Namespace, device: torch.device, limit: float | None) -> None:
    """Prints the table."""
    rows: list[Row] = []
    for size in args.sizes:
        workers = [Worker(get_work, method, size, args.tile, device=device, limit=limit) for method in METHODS]
        warm_up, rounds = (1, 6) if size <= TILE else (0, 1)
        times = [[worker.seconds() for worker in workers] for _ in range(rounds)][warm_up:]
        first_time = median([row[0] for row in times])
        for method, worker, *method_times in zip(METHODS, workers, *times, strict=True):
            time = median(method_times)
            speed = size**2 / 1e6 / time if time else None
            ratio = first_time / time if time and first_time else ""
            rows.append([method, f"{size} x {size}", speed, ratio, worker.peak()])
            worker.close()
        print(".", end="", flush=True)
    print()
    print_table(["", "result", "megapixels a second", "times as fast", "memory, GB"], rows)


if __name__ == "__main__":
    run_command(main)
