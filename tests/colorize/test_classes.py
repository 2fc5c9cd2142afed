"""Colours as classes: bins, what a network that names them means, what the loss asks of it."""

import math
from argparse import Namespace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from colorize.bins import REACH, Bins, Classes, mean_color, measure_bins
from colorize.config import ColorizeModelConfig
from colorize.files import load_model
from colorize.lab import get_ab, to_grey
from colorize.measure import measure_photo, measure_video
from colorize.network import get_model, paint
from colorize.photo import color_photo
from colorize.task import TASK
from common.commands.notebook import get_learner
from common.losses.pulls import shares
from common.models.blend import blend
from common.photos.pixels import to_pixels, to_tensor
from common.runs.balance import first_pulls
from common.runtime.errors import UserError
from tests.colorize.conftest import CENTRES, LIGHT
from tests.commands import run_here

BINS = Bins(CENTRES, torch.tensor([0.7, 0.2, 0.1]))
EVEN = torch.ones(3)


def logits_of(*likelihoods):
    """(1, Q, 1, 1)."""
    return torch.tensor(likelihoods).log()[None, :, None, None]


def network(**options):
    config = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="none", half=True, **options)
    model = get_model(config, 32, (CENTRES, EVEN))
    torch.nn.init.normal_(model.unet.last.weight, std=0.5)
    return model


def test_bins_are_the_squares_of_ten_that_the_photos_have(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    half = Image.new("RGB", (40, 40), "red")
    half.paste((128, 128, 128), (0, 0, 40, 30))  # three quarters grey
    half.save(paths[0])
    Image.new("RGB", (40, 40), (128, 128, 128)).save(paths[1])
    bins = measure_bins(paths)
    a, b = get_ab(to_tensor(Image.new("RGB", (1, 1), "red")))[0, :, 0, 0].tolist()
    assert (a, b) == pytest.approx((80, 67), abs=1)
    assert bins.centres.tolist() == [[0, 0], [80, 70]]
    assert bins.parts.tolist() == pytest.approx([7 / 8, 1 / 8])


@pytest.mark.parametrize(("vividness", "power"), [(0, 1 / 0.5), (0.5, 1 / 0.4), (1, 1 / 0.3)])
def test_the_dial_makes_the_likeliest_colour_count_more_and_more(vividness, power):
    color = mean_color(logits_of(0.6, 0.3, 0.1), CENTRES, EVEN, vividness)  # three colours: never much in doubt
    _, a, b = (likely**power / (0.6**power + 0.3**power + 0.1**power) for likely in (0.6, 0.3, 0.1))
    assert color[0, :, 0, 0].tolist() == pytest.approx([50 * a, -40 * b], rel=1e-4)


@pytest.mark.parametrize(("q", "gain"), [(2, 1), (8, 1 + 1.25 * (math.log(8) - 1) / 1.5), (40, 2.25)])
def test_what_is_in_doubt_is_multiplied(q, gain):
    centres = torch.stack([torch.full((q,), 20.0), torch.arange(q).float()], dim=1)
    color = mean_color(torch.zeros(1, q, 1, 1), centres, torch.ones(q), 1)  # an entropy of ln q
    assert color[0, :, 0, 0].tolist() == pytest.approx([gain * 20, gain * (q - 1) / 2], rel=1e-4)


def test_nine_tenths_of_what_a_loss_multiplied_colours_by_are_undone_where_they_are_pale():
    weights, likely = torch.tensor([0.25, 4.0, 16.0]), torch.tensor([0.6, 0.3, 0.1])
    pale = mean_color(logits_of(*likely.tolist()), CENTRES, weights, 0)
    undone = likely / weights**0.9
    torch.testing.assert_close(pale, mean_color(logits_of(*undone.tolist()), CENTRES, EVEN, 0))


def test_without_rebalancing_the_loss_is_the_cross_entropy_with_the_nearest_bins():
    classes = Classes(CENTRES, BINS.weights(0))
    ab = torch.tensor([[3.0, 4.0], [48.0, 1.0]]).T[None, :, None]  # two pixels
    logits = torch.randn(1, 3, 1, 2)
    near = (-torch.cdist(ab[0, :, 0].T, CENTRES).square() / 50).softmax(dim=1)
    oracle = F.cross_entropy(logits[0, :, 0].T, near)
    torch.testing.assert_close(classes.loss(logits, ab), oracle[None])
    even = classes.loss(torch.zeros(1, 3, 1, 2), ab)
    assert even.item() == pytest.approx(math.log(3), rel=1e-5)


def test_rare_colours_count_more_and_all_of_them_one_on_average():
    far = Bins(torch.tensor([[0.0, 0.0], [100.0, 0.0]]), torch.tensor([0.9, 0.1]))  # too far apart to be smoothed
    weights = far.weights(0.5)
    common, rare = 1 / (0.45 + 0.25), 1 / (0.05 + 0.25)
    average = 0.9 * common + 0.1 * rare
    assert weights.tolist() == pytest.approx([common / average, rare / average], rel=1e-4)


def test_colours_beyond_all_bins_count_as_the_nearest():
    ab = torch.tensor([REACH + 50.0, -1.0])[None, :, None, None]
    classes = Classes(CENTRES, BINS.weights(0.5))
    wrong, right = (classes.loss(logits_of(*likely), ab).item() for likely in ((0.8, 0.1, 0.1), (0.1, 0.8, 0.1)))
    assert right == pytest.approx(wrong * math.log(0.8) / math.log(0.1), rel=1e-3)


def test_a_network_finds_colours_at_half_the_size_of_any_picture():
    model = network().eval()
    photo = torch.rand(1, 3, 37, 51)
    model.remembers = True
    with torch.inference_mode():
        colored = model(photo)
    assert model.output.shape == (1, 3, 19, 26)
    assert colored.shape == photo.shape
    torch.testing.assert_close(to_grey(colored), to_grey(photo), atol=2e-3, rtol=0)
    flat = paint(torch.full((1, 3, 5, 7), 0.5), torch.tensor([20.0, -10.0])[None, :, None, None].expand(1, 2, 3, 4))
    torch.testing.assert_close(get_ab(flat)[0, :, 2, 3], torch.tensor([20.0, -10.0]), atol=0.05, rtol=0)


def test_vividness_changes_a_photo_and_leaves_the_model_as_it_was():
    model = network(vividness=0.62).eval()
    photo = to_pixels(torch.rand(1, 3, 40, 40))
    as_trained = color_photo(model, photo)
    assert (color_photo(model, photo, vividness=0.62) == as_trained).all()
    assert (color_photo(model, photo, vividness=1.0) != as_trained).any()
    assert model.vividness == 0.62
    with pytest.raises(UserError, match="gives each pixel one colour"):
        color_photo(get_model(ColorizeModelConfig(pretrained=False), 32).eval(), photo, vividness=0.5)


def test_the_network_begins_with_the_photos_own_frequencies(photos):
    loss = "loss={color_classes: 1}"
    learn = get_learner(TASK, "colorize_demo.yaml", [f"data.path={photos}", "data.valid=[0.png]", *LIGHT, loss])
    bins = measure_bins(sorted(path for path in photos.iterdir() if path.name != "0.png"))
    seen = bins.parts * bins.weights(0.5)
    with torch.inference_mode():
        logits = learn.model.unet.eval()(torch.full((1, 3, 32, 32), 0.5))
    torch.testing.assert_close(logits.softmax(dim=1)[0, :, 8, 8], seen / seen.sum(), atol=1e-4, rtol=1e-3)


def test_classes_and_pictures_pull_as_balance_says(photos):
    loss = "loss={vgg: random, l1: 1, color_classes: 3, balance: start}"
    learn = get_learner(TASK, "colorize_demo.yaml", [f"data.path={photos}", "data.valid=[0.png]", *LIGHT, loss])
    assert shares(first_pulls(learn)) == pytest.approx({"l1": 0.25, "color_classes": 0.75}, rel=1e-3)


def test_the_colours_and_the_dial_are_in_the_model_file(model_file):
    again = load_model(model_file)
    assert torch.equal(again.centres, CENTRES)
    assert again.weights.tolist() == [0.5, 2, 4]
    assert again.vividness == pytest.approx(0.3)
    assert not again.remembers


def test_models_of_other_colours_are_not_mixed():
    model, same, other = network(), network(), network()
    other.centres = other.centres + 10
    blend(model, same, 0.5, Path("same"))
    assert torch.equal(model.centres, CENTRES)
    with pytest.raises(UserError, match="--blend other: its classes is 3 colours"):
        blend(model, other, 0.5, Path("other"))


def test_evaluate_turns_the_dial(model_file, photos, tmp_path):
    words = [model_file, "--data", photos, "--vgg=random", "-o", tmp_path / "curve"]
    assert not run_here("colorize.evaluate", *words, "--dial", 3)
    table = pd.read_csv(tmp_path / "curve/vividness.csv")
    assert table["vividness"].tolist() == [0, 0.5, 1]
    model, vivid = load_model(model_file), []
    for path in photos.iterdir():
        color = partial(color_photo, model, vividness=1.0)
        vivid.append(measure_photo(path, {"x": color})[0]["x colorfulness"])
    assert table["colorfulness"][2] == pytest.approx(sum(vivid) / len(vivid), abs=1e-3)
    assert table["colorfulness"].is_unique
    assert (tmp_path / "curve/vividness.png").exists()


def test_the_dial_is_measured_beside_other_results_and_a_video_has_none(model_file, photos, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/results.csv").touch()
    words = [model_file, "--data", photos, "--vgg=random", "-o", tmp_path / "out", "--dial", 2]
    assert not run_here("colorize.evaluate", *words)
    assert run_here("colorize.evaluate", *words) == 2
    assert "vividness.csv: exists; add --overwrite" in capsys.readouterr().err
    with pytest.raises(UserError, match="a video is measured without --dial"):
        measure_video(Namespace(dial=3, data="clip.mp4"), load_model(model_file))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--baseline", "grey", "--dial", 3], "--dial: turns --vividness of a MODEL"),
        (["MODEL", "--dial", 3, "--vividness", 0.5], "leave out --vividness"),
    ],
)
def test_a_dial_needs_a_model_and_nothing_else(model_file, photos, tmp_path, words, said, capsys):
    words = [model_file if word == "MODEL" else word for word in words]
    assert run_here("colorize.evaluate", *words, "--data", photos, "-o", tmp_path / "none") == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_it_learns_which_colour_is_where(photos):
    """What is dark is blue, what is light is orange."""
    for i, path in enumerate(sorted(photos.iterdir())):
        photo = Image.new("RGB", (96, 96), (20, 40, 160))
        photo.paste((250, 180, 60), (0, 0, 96, 30 + 6 * i))
        photo.save(path)
    words = [f"data.path={photos}", "data.valid=[0.png]", "loss={color_classes: 1}", "data.crops_per_photo=40"]
    learn = get_learner(TASK, "colorize_demo.yaml", [*words, *LIGHT, "model.vividness=0.62"])
    before = learn.validate()
    learn.fit_stages()
    after = learn.validate()
    assert after[1] < before[1] / 3  # error of a* and b*
