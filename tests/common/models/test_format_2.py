"""Model files of format 2, in which the U-Net was fastai's DynamicUnet, open and give the pixels that they gave then.

A file in `format_2/` holds the header of a model file that commit 27c258d wrote, the names and shapes of its weights,
and what the model made of a fixed picture, with weights from a formula in place of 100 MB of trained ones.
"""

import importlib
import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from common.models.format_2 import with_new_names
from common.models.model_file import METADATA_KEY

pytestmark = pytest.mark.usefixtures("wide")

FOLDER = Path(__file__).parent / "format_2"
PICTURE = torch.from_numpy(np.random.RandomState(0).rand(1, 3, 21, 34).astype(np.float32))


def weight(name, shape):
    """Values from the name alone, in sizes that keep activations near 1."""
    kind, noise = name.rpartition(".")[2], np.random.RandomState(zlib.crc32(name.encode())).rand(*shape) - 0.5
    if kind == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.long)
    if kind == "gamma":
        noise = noise + 1
    elif len(shape) > 1:
        noise = noise * 4 / math.sqrt(math.prod(shape[1:]))
    else:
        noise = noise * 0.2 + 0.7 * (kind in ("running_var", "weight"))
    return torch.from_numpy(noise.astype(np.float32))


def write_file(path, header, shapes):
    state = {name: weight(name, shape) for name, shape in shapes.items()}
    safetensors.torch.save_file(state, path, {METADATA_KEY: header})
    return path


@pytest.mark.parametrize("task", ["superres", "colorize", "styletransfer"])
def test_a_file_of_format_2_gives_the_pixels_that_it_gave(task, tmp_path):
    stored = np.load(FOLDER / f"{task}.npz")
    path = write_file(tmp_path / "model.safetensors", str(stored["header"]), json.loads(str(stored["shapes"])))
    model = importlib.import_module(f"{task}.files").load_model(path)
    with torch.inference_mode():
        pixels = model(PICTURE).numpy()
    assert stored["pixels"].std() > 0.05
    assert abs(pixels - stored["pixels"]).max() <= 1e-5


@pytest.mark.parametrize("task", ["superres", "colorize", "styletransfer"])
def test_old_names_in_training_become_todays_in_the_same_order(task):
    """A resume point has the optimizer's state by the parameters' order."""
    stored = np.load(FOLDER / f"{task}.npz")
    names, parameters = json.loads(str(stored["training"]))
    values = json.loads(str(stored["header"]))["config"]
    module, section = importlib.import_module(f"{task}.network"), importlib.import_module(f"{task}.config")
    config = {"superres": "SuperresModelConfig", "colorize": "ColorizeModelConfig", "styletransfer": "StyleModelConfig"}
    arguments = {"superres": [2], "colorize": [192], "styletransfer": []}[task]
    model = module.get_model(getattr(section, config[task])(**values["model"]).without_pretrained(), *arguments)
    assert list(with_new_names(dict.fromkeys(names))) == list(model.state_dict())
    assert list(with_new_names(dict.fromkeys(parameters))) == [name for name, _ in model.named_parameters()]


def test_names_of_other_networks_are_left_alone():
    swin = {"net.layers.1.residual_group.weight": 0, "net.layers.4.bias": 1, "net.layers.0.0.weight": 2}
    assert with_new_names(swin) == swin
