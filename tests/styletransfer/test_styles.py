"""Several styles in one network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from common.commands.configs import CONFIGS
from common.config.losses import LossConfig
from common.config.yaml_file import load_config
from common.inference.ready import ready
from common.losses.perceptual import DISTANCES
from common.models.unet import parameter_groups
from common.runtime.errors import UserError
from styletransfer.config import Config, JohnsonConfig, StyleModelConfig
from styletransfer.data import AsTarget
from styletransfer.files import load_model, save_model
from styletransfer.johnson import StyleNorm, TransformationNetwork
from styletransfer.loss import StyleLoss
from styletransfer.network import get_model, in_style
from styletransfer.photo import paint_photo
from styletransfer.training import with_styles_named
from tests.commands import run, run_here

GRAM = {"weight": 1, "layers": {"relu1_2": 1}}
SMALL = StyleModelConfig(johnson=JohnsonConfig(width=4))


def with_random_styles(network: TransformationNetwork) -> TransformationNetwork:
    for norm in network.norms().values():
        for parameter in (*norm.scales, *norm.shifts):
            nn.init.normal_(parameter, mean=1, std=0.5)
    return network


def test_a_norm_of_one_style_is_instance_norm_with_its_scale_and_shift():
    torch.manual_seed(0)
    norm, x = StyleNorm(3, styles=2), torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        norm.scales[1].copy_(torch.tensor([1.0, 2.0, 3.0]))
        norm.shifts[1].copy_(torch.tensor([0.0, -1.0, 0.5]))
    by_hand = nn.functional.instance_norm(x, weight=norm.scales[1], bias=norm.shifts[1])
    torch.testing.assert_close(norm(x, torch.tensor([[0.0, 1.0]] * 2)), by_hand)


def test_a_network_in_one_style_or_a_mix_paints_as_the_whole_one_does():
    torch.manual_seed(0)
    network, photo = with_random_styles(TransformationNetwork(4, styles=3)).eval(), torch.rand(1, 3, 37, 42)
    pictures = []
    for mix in ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.6, 0.4, 0.0]):
        plain = network.in_style(mix)
        assert plain.norms() == {}
        with torch.no_grad():
            pictures.append(plain(photo))
            torch.testing.assert_close(pictures[-1], network(photo, torch.tensor([mix])), atol=1e-4, rtol=1e-4)
    assert (pictures[0] - pictures[1]).abs().mean() > 0.01


def test_a_batch_mixes_styles():
    torch.manual_seed(0)
    network, photos = with_random_styles(TransformationNetwork(4, styles=2)), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        together = network(photos, torch.eye(2))
        alone = torch.cat([network(photo[None], mix[None]) for photo, mix in zip(photos, torch.eye(2), strict=True)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_adding_a_style_changes_nothing_else():
    torch.manual_seed(0)
    network, photo = with_random_styles(TransformationNetwork(4, styles=3)), torch.rand(1, 3, 32, 32)
    network.learn_only_new(kept=2)
    norm = next(iter(network.norms().values()))
    torch.testing.assert_close(norm.scales[2], (norm.scales[0] + norm.scales[1]) / 2)
    before = network(photo, torch.tensor([[0.3, 0.7, 0.0]])).detach()
    first = network(photo, torch.ones(1, 1)).detach()
    (trained,) = parameter_groups(network)
    assert len(trained) == 2 * len(network.norms())
    optimizer = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.1)
    network(photo, torch.ones(1, 1)).square().mean().backward()  # of one style: the last
    optimizer.step()
    assert torch.equal(network(photo, torch.tensor([[0.3, 0.7, 0.0]])), before)
    assert not torch.equal(network(photo, torch.ones(1, 1)), first)


def test_each_picture_is_compared_with_its_own_style():
    torch.manual_seed(0)
    styles, photos, paintings = torch.rand(2, 1, 3, 40, 40), torch.rand(3, 3, 32, 32), torch.rand(3, 3, 32, 32)
    config = LossConfig.model_validate({"vgg": "random", "gram": GRAM})
    both = StyleLoss(config, *styles).eval()
    chosen, mix = [1, 0, 1], torch.eye(2)[[1, 0, 1]]
    alone = []
    for i, style in enumerate(chosen):
        torch.manual_seed(0)
        loss = StyleLoss(config, styles[style])
        loss.vgg = both.vgg
        loss.style_grams["relu1_2"] = nn.Parameter(both.style_grams["relu1_2"][style : style + 1], requires_grad=False)
        alone.append(loss(paintings[i : i + 1], photos[i : i + 1]))
    torch.testing.assert_close(both(paintings, photos, mix), torch.stack(alone).mean())
    both.reduction = "none"
    torch.testing.assert_close(both(paintings, photos, mix), torch.stack(alone))


def test_the_style_of_a_photo_follows_from_seed_epoch_and_pixels_alone():
    photos, target = torch.rand(64, 3, 8, 8), AsTarget(styles=4)
    target.position = (0, 3)
    _, mix, _, same = target((photos,))
    assert mix is same
    assert mix.sum(dim=1).tolist() == [1] * 64
    assert mix.sum(dim=0).min() >= 4  # all styles occur
    torch.testing.assert_close(target((photos[5:6],))[1], mix[5:6])
    target.position = (0, 4)
    assert not torch.equal(target((photos,))[1], mix)


def test_parts_of_a_mix_add_up_to_one():
    torch.manual_seed(0)
    model, photo = get_model(SMALL, ["wave", "night"]).eval(), torch.rand(1, 3, 32, 32)
    with_random_styles(model.network)
    with torch.no_grad():
        torch.testing.assert_close(
            in_style(model, "wave:3, night:1")(photo), model(photo, torch.tensor([[0.75, 0.25]])), atol=1e-5, rtol=1e-5
        )


def write_model(folder: Path) -> Path:
    """A model file of two styles that paint differently, and of width 4."""
    torch.manual_seed(0)
    model = get_model(SMALL, ["wave", "night"]).eval()
    with_random_styles(model.network)
    config = load_config(Config, CONFIGS / "styletransfer_johnson.yaml", ["model.johnson.width=4"])
    save_model(folder / "model.safetensors", model, config)
    return folder / "model.safetensors"


def test_styles_are_added_to_the_network_that_the_file_has(tmp_path):
    words = ["style.add=true", f"style.image={tmp_path / 'red.png'}", f"train.start_from={write_model(tmp_path)}"]
    add = [
        load_config(Config, CONFIGS / "styletransfer_johnson.yaml", [*words, f"model.johnson.width={w}"])
        for w in (4, 8)
    ]
    assert with_styles_named(add[0]).style.kept == ["wave", "night"]
    with pytest.raises(UserError, match=r"style.add: .* has johnson.width = 4; set model.johnson.width=4"):
        with_styles_named(add[1])


def test_a_chosen_style_is_painted_in_the_precision_asked_for(photos, tmp_path):
    path, photo = write_model(tmp_path), np.asarray(Image.open(photos / "0.png"))
    words = [path, photos / "0.png", "-o", tmp_path / "out.png", "--style", "night"]
    assert run_here("styletransfer.predict", *words, "--precision", "bf16") == 0
    painted = np.asarray(Image.open(tmp_path / "out.png"))
    exact, half = (
        paint_photo(ready(in_style(load_model(path), "night"), torch.device("cpu"), precision), photo)
        for precision in ("fp32", "bf16")
    )
    assert np.array_equal(painted, half)
    assert not np.array_equal(painted, exact)


@pytest.mark.slow
def test_two_styles_are_trained_and_a_third_is_added(tmp_path):
    from common.batches.folders import sample_photos

    photos = tmp_path / "photos"
    photos.mkdir()
    for i, path in enumerate(sample_photos()[:5]):
        Image.open(path).convert("RGB").crop((100, 100, 180, 172)).save(photos / f"{i}.png")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, color in (("red", (200, 30, 30)), ("blue", (30, 30, 200)), ("green", (30, 200, 30))):
        Image.new("RGB", (64, 64), color).save((pictures if name != "green" else tmp_path) / f"{name}.png")
    words = [
        f"data.path={photos}", "data.valid=[0.png, 1.png]", "data.crops_per_photo=8", "loss.vgg=random",
        "model={johnson: {width: 4}}", "loss.features=null", "loss.tv=0", "loss.gram.distance=relative",
        "style.size=64", "train.stages=[{crop: 32, bs: 4, epochs: 4, lr: 1e-2}]", f"output.path={tmp_path}",
    ]  # fmt: skip
    train = ("styletransfer.train", "configs/styletransfer_johnson.yaml", *words)
    two = run(*train, f"style.image={pictures}", "output.name=two")
    assert two.returncode == 0, two.stdout + two.stderr
    assert sorted(path.name for path in (tmp_path / "two/styles").iterdir()) == ["blue.png", "red.png"]
    begin = f"train.start_from={tmp_path / 'two/model.safetensors'}"
    three = run(*train, "style.add=true", f"style.image={tmp_path / 'green.png'}", begin, "output.name=three")
    assert three.returncode == 0, three.stdout + three.stderr
    assert sorted(path.name for path in (tmp_path / "three/styles").iterdir()) == ["blue.png", "green.png", "red.png"]

    def paint(model: str, style: str) -> np.ndarray:
        output = tmp_path / f"{model}_{style.replace(':', '_')}.png"
        words = [tmp_path / model, photos / "0.png", "-o", output, "--style", style, "--overwrite"]
        done = run("styletransfer.predict", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return np.asarray(Image.open(output)).astype(int)

    assert np.array_equal(paint("two", "red"), paint("three", "red"))
    red, blue, green = (paint("three", name) for name in ("red", "blue", "green"))
    for one, other in ((red, blue), (blue, green), (green, red)):
        assert np.abs(one - other).mean() > 0.5
    assert paint("three", "red:0.5,blue:0.5").shape == (72, 80, 3)
    measured = run("styletransfer.evaluate", tmp_path / "three", "--data", photos, "--vgg", "random")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    assert all(name in measured.stdout + measured.stderr for name in ("red", "blue", "green"))


@pytest.mark.parametrize("distance", ["l1", "mse", "relative"])
def test_balanced_styles_pull_alike(distance):
    torch.manual_seed(0)
    strong = torch.rand(1, 3, 40, 40)
    config = LossConfig.model_validate({"vgg": "random", "gram": {**GRAM, "distance": distance}})
    loss = StyleLoss(config, strong, 0.5 + 0.2 * (strong - 0.5)).eval()
    grams = loss.style_grams["relu1_2"].detach()
    sizes = DISTANCES[distance](torch.zeros_like(grams), grams)  # relative: 1 each
    painting, photo = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    plain = torch.stack([loss(painting, photo, mix) for mix in torch.eye(2).split(1)])
    loss.train()
    parts = torch.stack([loss(painting, photo, mix) for mix in torch.eye(2).split(1)]) / plain
    torch.testing.assert_close(parts[0] * sizes[0], parts[1] * sizes[1], rtol=1e-3, atol=0)
    assert parts.mean().item() == pytest.approx(1, rel=1e-3)
