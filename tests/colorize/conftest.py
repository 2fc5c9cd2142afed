"""A model that names colours."""

import pytest
import torch

from colorize.config import Config
from colorize.files import save_model
from colorize.network import get_model
from common.config.yaml_file import load_config

CENTRES = torch.tensor([[0.0, 0.0], [50.0, 0.0], [0.0, -40.0]])
STAGES = "train.stages=[{crop: 32, bs: 4, epochs: 1, lr: 1e-3}]"
LIGHT = ["model.pretrained=false", "model.norm=none", "model.half=true", "train.workers=0", STAGES]


@pytest.fixture
def model_file(tmp_path, photos):
    words = [f"data.path={photos}", "loss={color_classes: 1}", "model.encoder=resnet18", *LIGHT, "model.vividness=0.3"]
    config = load_config(Config, None, words)
    model = get_model(config.model, 32, (CENTRES, torch.tensor([0.5, 2.0, 4.0])))
    torch.nn.init.normal_(model.unet.last.weight, std=0.5)
    save_model(tmp_path / "model.safetensors", model, config)
    return tmp_path / "model.safetensors"
