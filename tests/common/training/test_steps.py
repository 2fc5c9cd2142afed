"""The steps around the fit."""

import importlib

import pytest

from common.cli.configs import CONFIGS
from common.config.yaml_file import load_config
from common.training.resume import RESUME_FILE
from common.training.steps import without_first_weights

PRETRAINED = {
    "superres_2x": "model.pretrained",
    "colorize": "model.pretrained",
    "styletransfer": "model.unet.pretrained",
}


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_run_with_a_resume_point_needs_no_first_weights(name, tmp_path):
    config_class = importlib.import_module(f"{name.split('_')[0]}.config").Config
    words = [f"{PRETRAINED[name]}=resnet.pth", "train.start_from=model.safetensors"]
    config = load_config(config_class, CONFIGS / f"{name}.yaml", words)
    assert without_first_weights(config, None) is config
    assert without_first_weights(config, tmp_path) is config  # stopped before its first save
    (tmp_path / RESUME_FILE).parent.mkdir()
    (tmp_path / RESUME_FILE).touch()
    resumed = without_first_weights(config, tmp_path)
    assert config.model.has_pretrained_encoder and not resumed.model.has_pretrained_encoder
    assert config.train.start_from is not None and resumed.train.start_from is None
    assert resumed.train.model_copy(update={"start_from": config.train.start_from}) == config.train
    assert resumed.data == config.data and resumed.loss == config.loss
