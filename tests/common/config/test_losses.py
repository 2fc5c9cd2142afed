"""The `loss` section: terms as numbers and as sections."""

import pytest

from common.config.losses import LAYER_NAMES, VGG_LAYERS, LossConfig
from common.config.yaml_file import load_config, save_config
from superres.config import Config

STAGES = "train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1e-3}]"


def refusal(*overrides):
    from common.runtime.errors import UserError

    with pytest.raises(UserError) as caught:
        load_config(Config, None, [STAGES, *overrides])
    return str(caught.value)


def test_a_term_is_a_weight_or_a_section_with_one():
    config = load_config(Config, None, [STAGES, "loss.l1=2", "loss.huber={weight: 3, delta: 0.2, from: 0.5}"]).loss
    assert config.active_terms() == ["l1", "huber"]
    assert [config.weight(name) for name in ("l1", "huber", "mse")] == [2, 3, 0]
    assert [config.begin(name) for name in ("l1", "huber")] == [0, 0.5]
    assert (config.options("l1"), config.options("huber")) == ({}, {"delta": 0.2})


def test_a_config_that_is_saved_is_read_again(tmp_path):
    words = ["loss.l1=2", "loss.huber={weight: 3, from: 0.5}", "loss.gram={weight: 1, layers: {relu1_2: 1}}"]
    config = load_config(Config, None, [STAGES, *words])
    save_config(config, tmp_path / "config.yaml")
    assert load_config(Config, tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss.l1=many", "command line: loss.l1 = many: must be a valid number"),
        ("loss.l1={wieght: 1}", "loss.l1.wieght: unknown key; must be one of weight, from; did you mean 'weight'?"),
        ("loss.l1={from: 0.5}", "loss.l1.weight: missing, and it has no default"),
        ("loss.huber={weight: 1, from: 1}", "loss.huber.from = 1: must be less than 1"),
        ("loss.huber={weight: 1, from: 0.2}", "every term has a `from`: one must count from the start"),
        ("loss.ldl={weight: 1, size: 4}", "size = 4: must be odd"),
        ("loss.balance=allways", "did you mean 'always'?"),
        ("loss.gram={weight: 1, net: vgg19, layers: {relu3_5: 1}}", "did you mean 'relu3_4'?"),
    ],
)
def test_what_is_wrong_is_told(override, message):
    assert message in refusal(override)


def test_plain_weights_take_the_place_of_shares():
    config = LossConfig.model_validate({
        "balance": "start", "l1": 0.5, "ssim": {"weight": 1, "from": 0.2},
        "gram": {"weight": 0.5, "layers": {"relu1_2": 1}},
    })  # fmt: skip
    plain = config.with_weights({"l1": 3, "gram": 4, "ssim": 5})
    assert plain.balance == "none"
    assert [plain.weight(name) for name in ("l1", "gram", "ssim")] == [3, 4, 5]
    assert plain.begin("ssim") == 0.2
    assert plain.gram.layers == {"relu1_2": 1}


def test_layers_are_those_of_the_networks():
    from torchvision.models import vgg

    from common.models.vgg16 import name_layers

    for net, key in (("vgg16", "D"), ("vgg19", "E")):
        widths = [8 if width != "M" else width for width in vgg.cfgs[key]]
        names = [name for name, _ in name_layers(vgg.make_layers(widths)) if name.startswith("relu")]
        assert tuple(names) == VGG_LAYERS[net]
    assert VGG_LAYERS["vgg16"] == LAYER_NAMES


def test_a_term_that_makes_no_sense_in_a_task_is_refused():
    import colorize.config
    import styletransfer.config
    from common.runtime.errors import UserError

    assert "the input is damaged" in refusal("loss.input=1", "data.degrade=photo")
    style = ["model.johnson={}", "loss.gram={weight: 1, layers: {relu1_2: 1}}"]
    for config, words, why in (
        (colorize.config.Config, [], "the network leaves lightness alone"),
        (styletransfer.config.Config, style, "the input is the photo, and so is the target"),
    ):
        with pytest.raises(UserError, match=why):
            load_config(config, None, [STAGES, "loss.input=1", *words])


def test_files_of_weights_are_not_told_to_others():
    config = LossConfig.model_validate({
        "vgg": "/home/me/vgg.pth", "lpips": {"weight": 1, "weights": "/home/me/sq.pth"}, "l1": 1,
        "features": {"weight": 1, "net": "vgg19", "weights": "mine.pth", "layers": {"relu1_1": 1}},
        "gram": {"weight": 1, "net": "vgg19", "weights": "random", "layers": {"relu1_1": 1}},
    })  # fmt: skip
    values = config.without_paths()
    assert [values["vgg"], *(values[name]["weights"] for name in ("lpips", "features", "gram"))] == [
        "file", "file", "file", "random",
    ]  # fmt: skip
    elsewhere = config.with_files(lambda weights: f"there/{weights}")
    assert elsewhere.lpips.weights == "there//home/me/sq.pth"
    assert elsewhere.vgg == "there//home/me/vgg.pth"
    assert elsewhere.weight("l1") == 1
