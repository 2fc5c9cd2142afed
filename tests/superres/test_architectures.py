"""spandrel's architectures as networks of ours: built from a config, trained a step, saved, opened, and run."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from spandrel import ModelLoader, SizeRequirements

from common.config.yaml_file import load_config
from common.inference.ready import ready
from common.inference.tiles import enhance
from common.models.unet import parameter_groups
from common.runtime.errors import UserError
from superres.architectures import find_architectures, pad
from superres.bicubic import resize_bicubic
from superres.config import Config
from superres.files import load_model, save_model
from superres.network import get_model
from superres.spandrel_export import export_spandrel
from superres.training import settle

SMALL = {  # small enough for seconds
    "Compact": {"num_feat": 8, "num_conv": 2},
    "SPAN": {"feature_channels": 8},
    "SAFMN": {"dim": 8, "n_blocks": 2},
    "OmniSR": {},
    "PLKSR": {"dim": 16, "n_blocks": 2},
    "RealPLKSR": {"dim": 16, "n_blocks": 2},
    "SwiftSRGAN": {},
    "ESRGAN": {"num_filters": 8, "num_blocks": 1},
    "RCAN": {"n_resgroups": 2, "n_resblocks": 2, "n_feats": 16},
    "DITN": {},
    "MoSR": {"n_block": 2, "dim": 16},
    "CRAFT": {},
    "DCTLSA": {},
    "SeemoRe": {},
    "UpCunet2x": {},
    "UpCunet2x_fast": {},
    "SwinIR": {"window_size": 8, "embed_dim": 24, "depths": [2], "num_heads": [2]},
    "FDAT": {"embed_dim": 32, "num_groups": 1},
    "DAT": {"embed_dim": 24, "depth": [2], "num_heads": [2]},
    "HAT": {"window_size": 16, "embed_dim": 48, "depths": [2], "num_heads": [2]},
    "RGT": {"embed_dim": 24, "depth": [2], "num_heads": [2]},
    "ATD": {"embed_dim": 24, "depths": [2], "num_heads": [2]},
    "DRCT": {"embed_dim": 60, "depths": [6], "num_heads": [2]},
    "Swin2SR": {"window_size": 8, "embed_dim": 24, "depths": [2], "num_heads": [2]},
    "MoESR": {"n_blocks": 1, "n_block": 1},
    "GRL": {"embed_dim": 24, "depths": [2], "num_heads_window": [2], "num_heads_stripe": [2]},
}
SAME_SIZE = {  # restoration, 1x
    "NAFNet": {"enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1], "width": 8},
    "DnCNN": {},
    "SCUNet": {"config": [2, 2, 2, 2, 2, 2, 2]},
    "FFTformer": {"dim": 16, "num_blocks": [1, 1, 1]},
    "RetinexFormer": {},
    "HVICIDNet": {},
    "SAFMNBCIE": {"dim": 8},
    "KBNet_s": {"width": 8},
    "KBNet_l": {"num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1},
    "Uformer": {},
}
# One that adds its result to the photo, one that is re-parametrised, one of windows, one that cuts its borders off, one
# that cleans.
KINDS = ("Compact", "SPAN", "SwinIR", "UpCunet2x", "NAFNet")
NOT_TRAINED = {  # name: what the error says
    "AuraSR": "also needs dim, image_size, input_image_size",
    "GFPGAN": "is for FaceSR, not for whole photos",
    "RestoreFormer": "is for FaceSR, not for whole photos",
    "LaMa": "is for Inpainting, not for whole photos",
    "IPT": "cannot be built",
    "DRUNet": "takes 2 channels, a photo has 3",
    "FBCNN": "fails on a photo",
    "MMRealSR": "fails on a photo",
    "MixDehazeNet": "needs more than a photo, or returns more",
    "UpCunet3x": "enlarges 3 times",
    "UpCunet4x": "enlarges 4 times",
}
REASONS = ("AuraSR", "LaMa", "DRUNet", "FBCNN", "MixDehazeNet", "UpCunet3x")  # one of each


def config_of(name, options, scale=2, **keys):
    words = [f"{key}={value}" for key, value in keys.items()]
    model = {"network": "spandrel", "architecture": name, "options": options}
    degrade = ["data.degrade=photo"] if scale == 1 else []
    stage = "train.stages=[{crop: 64, bs: 2, epochs: 1, lr: 1e-3}]"
    return load_config(Config, None, [f"model={model}", f"data.scale={scale}", "loss.l1=1", stage, *degrade, *words])


def cases():
    return [
        pytest.param(name, options, scale, marks=[] if name in KINDS else pytest.mark.every, id=name)
        for scale, table in ((2, SMALL), (1, SAME_SIZE))
        for name, options in table.items()
    ]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(("name", "options", "scale"), cases())
def test_an_architecture_learns_is_saved_and_enlarges_an_odd_photo_exactly(name, options, scale, tmp_path):
    config = config_of(name, options, scale)
    model = get_model(config.model, scale).to(memory_format=torch.channels_last)
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.requires_grad)  # as fastai's `freeze` does; fails for inference tensors
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.AdamW([p for group in parameter_groups(model) for p in group], lr=1e-3)
    low = torch.rand(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    F.l1_loss(model.train()(low), resize_bicubic(low, scale)).backward()
    optimizer.step()
    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    save_model(tmp_path / "model.safetensors", model, config)
    opened = load_model(tmp_path / "model.safetensors")
    photo = np.random.default_rng(0).integers(0, 256, (41, 29, 3), np.uint8)
    result = enhance(opened, photo, scale, grid=opened.grid)
    assert result.shape == (41 * scale, 29 * scale, 3)
    fast = ready(copy.deepcopy(opened), torch.device("cpu"))
    assert np.abs(enhance(fast, photo, scale).astype(int) - result).max() <= 1
    export_spandrel(tmp_path / "plain.safetensors", opened)  # compares with what spandrel's ModelLoader makes of it
    descriptor = ModelLoader().load_from_file(tmp_path / "plain.safetensors")
    assert descriptor.scale == scale
    image = torch.rand(1, 3, 41, 29)
    with torch.inference_mode():
        torch.testing.assert_close(opened(image).clamp(0, 1), descriptor(image.clone()), atol=1e-4, rtol=0)


def test_every_architecture_of_spandrel_is_tried_here():
    assert set(find_architectures()) == {*SMALL, *SAME_SIZE, *NOT_TRAINED}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in REASONS else pytest.mark.every) for name in NOT_TRAINED]
)
def test_what_cannot_be_trained_says_why(name):
    scale = 1 if name in ("DRUNet", "FBCNN", "MixDehazeNet", "GFPGAN", "RestoreFormer", "LaMa") else 2
    with pytest.raises(UserError) as error:
        settle(config_of(name, {}, scale))
    assert NOT_TRAINED[name] in str(error.value)


@pytest.mark.parametrize(
    ("name", "options", "scale", "keys", "message"),
    [
        ("Spam", {}, 2, {}, "model.architecture: spandrel has no Spam; did you mean 'SPAN'?"),
        ("SPAN", {"feature_chanels": 8}, 2, {}, "no such option; did you mean 'feature_channels'?"),
        ("SPAN", {"upscale": 2}, 2, {}, "model.options.upscale: is data.scale; leave it out"),
        ("SPAN", {"img_range": 1}, 2, {}, "model.options.img_range = 1: cannot be read from a file of weights"),
        ("UpCunet2x", {}, 4, {}, "data.scale = 4: UpCunet2x with these options enlarges 2 times"),
        ("Compact", {"num_feat": "many"}, 2, {}, "model.options: Compact cannot be built"),
        ("SAFMN", {}, 2, {}, "model.options: SAFMN also needs dim"),
        ("Compact", {}, 2, {"model.on_bicubic": "true"}, "adds the photo to its result by itself"),
        ("Compact", {}, 2, {"model.norm": "batch"}, "norm: network: spandrel has none"),
    ],
)
def test_a_mistake_in_the_config_is_told(name, options, scale, keys, message):
    with pytest.raises(UserError) as error:
        settle(config_of(name, options, scale, **keys))
    assert message in str(error.value)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (24, 40), (41, 29)])
@pytest.mark.parametrize("sizes", [(0, 8, False), (16, 1, False), (40, 4, False), (0, 32, True), (0, 1, False)])
def test_pictures_are_padded_as_spandrel_says(size, sizes):
    requirements, image = SizeRequirements(*sizes), torch.rand(1, 3, *size)
    right, below = requirements.get_padding(size[1], size[0])
    first = min(right, size[1] - 1), min(below, size[0] - 1)  # what can be mirrored
    mirrored = np.pad(image[0].numpy(), [(0, 0), (0, first[1]), (0, first[0])], mode="reflect")
    expected = np.pad(mirrored, [(0, 0), (0, below - first[1]), (0, right - first[0])], mode="edge")
    assert np.array_equal(pad(image, requirements)[0], expected)


def test_checking_a_config_draws_no_random_numbers():
    settle(config_of("Compact", SMALL["Compact"]))
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))
