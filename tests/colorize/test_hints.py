"""Hints: as training draws them, as a file has them, as a photo gets them."""

import json
import random

import numpy as np
import pytest
import torch

from colorize.config import ColorizeModelConfig, Config
from colorize.data import get_dls, get_photos
from colorize.drawn_hints import MOST, AddHints, draw, place
from colorize.hints import Hint, ab_of, read_hints, to_map, to_places
from colorize.lab import get_ab, to_grey
from colorize.network import get_model
from colorize.photo import color_photo
from common.config.yaml_file import load_config
from common.photos.pixels import to_pixels, to_tensor
from common.runtime.errors import UserError

CPU = torch.device("cpu")


def test_a_hint_is_the_mean_of_its_square_and_says_where():
    ab = torch.arange(2 * 6 * 6).float().reshape(2, 6, 6)
    hints = place(ab, [(3, 2, 3), (0, 5, 3)])
    assert hints[2].sum() == 9 + 4  # the second is cut off at the corner
    torch.testing.assert_close(hints[:2, 3, 2], ab[:, 2:5, 1:4].mean(dim=(1, 2)) / 25)
    torch.testing.assert_close(hints[:2, 0, 5], ab[:, 0:2, 4:6].mean(dim=(1, 2)) / 25)
    assert torch.count_nonzero(hints[:, hints[2] == 0]) == 0


def test_half_of_the_photos_have_none_and_the_others_up_to_thirty():
    ab = torch.randn(2, 200, 200)
    counts = []
    for seed in range(400):
        hints = draw(ab, random.Random(seed))
        counts.append(len(hints[0][hints[2] > 0].unique()))
    assert 0.4 < sum(count == 0 for count in counts) / len(counts) < 0.6
    some = [count for count in counts if count]
    assert max(some) <= MOST
    assert max(some) > MOST / 2
    assert 0.4 < sum(count < MOST**0.5 for count in some) / len(some) < 0.6  # log-uniform


def test_hints_follow_from_seed_epoch_and_photo_not_from_the_batch():
    grey, color = torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32)
    add = AddHints()
    add.position = (3, 1)
    together = add.encodes((grey, color))[1]
    alone = torch.cat([add.encodes((grey[i : i + 1], color[i : i + 1]))[1] for i in range(4)])
    assert torch.equal(together, alone)
    add.position = (3, 2)
    assert not torch.equal(together, add.encodes((grey, color))[1])


def test_batches_hold_the_true_colours_of_some_places_and_of_held_out_photos_none(photos):
    words = [f"data.path={photos}", "data.valid=[0.png]", "data.crops_per_photo=8", "loss.l1=1", "model.hints=true"]
    stages = "train.stages=[{crop: 64, bs: 8, epochs: 1, lr: 1e-3}]"
    config = load_config(Config, None, [*words, stages, "train.workers=0"])
    dls = get_dls(get_photos(config), config, config.train.stages[0], CPU)
    assert (dls.train.n_inp, dls.valid.n_inp) == (2, 2)
    grey, hints, color = (tensor.as_subclass(torch.Tensor) for tensor in dls.train.one_batch())
    torch.testing.assert_close(grey, to_grey(color))
    known = hints[:, 2] > 0
    assert known.any()
    assert (hints[:, :2].movedim(1, -1)[~known] == 0).all()
    errors = (25 * hints[:, :2] - get_ab(color)).abs().mean(dim=1)[known]
    assert errors.median() < get_ab(color).std()  # a square's mean is near its pixels
    assert torch.count_nonzero(dls.valid.one_batch()[1]) == 0


def test_a_file_says_what_is_where_in_pixels_of_the_photo(tmp_path):
    path = tmp_path / "hints.json"
    path.write_text(json.dumps([{"x": 90, "y": 10, "color": "#ff0000"}]))
    (hint,) = read_hints(path)
    assert hint == Hint(90, 10, "#ff0000")
    told = to_map(to_places([hint], (50, 100), (25, 50)), (25, 50))[0]
    assert told[2].nonzero().tolist() == [[i, j] for i in (4, 5, 6) for j in (44, 45, 46)]
    assert (25 * told[:2, 5, 45]).tolist() == pytest.approx((80.1, 67.2), abs=0.1)  # sRGB's red
    assert ab_of("#808080").tolist() == pytest.approx((0, 0), abs=0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "no JSON"),
        ("{}", "no list; write"),
        ('[{"x": 1, "y": 2}]', "entry 1: must have x, y and color"),
        ('[{"x": -1, "y": 2, "color": "#ffffff"}]', "x = -1: must be pixels"),
        ('[{"x": 1, "y": 2, "color": "orange"}]', "color = 'orange': must be #rrggbb"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path, text, said):
    path = tmp_path / "hints.json"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_hints(path)


def test_a_photo_with_hints_differs_most_around_them():
    config = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="none", hints=True, attention=False)
    model = get_model(config, 64).eval()
    torch.nn.init.normal_(model.unet.last.weight, std=0.1)
    photo = to_pixels(torch.rand(1, 3, 64, 128))
    plain, told = color_photo(model, photo), color_photo(model, photo, hints=[Hint(20, 30, "#ff8000")])
    changed = np.abs(plain.astype(int) - told).sum(axis=2)
    assert changed[20:40, 10:30].mean() > 3 * changed[:, 100:].mean()
    with pytest.raises(UserError, match="x = 200, y = 1 is not in the photo of 128 x 64 px"):
        color_photo(model, photo, hints=[Hint(200, 1, "#ff8000")])


@pytest.mark.parametrize("hints", [True, False])
def test_any_model_takes_hints(hints):
    config = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="none", hints=hints)
    model, grey = get_model(config, 64).eval(), np.full((64, 96, 3), 128, np.uint8)
    told = color_photo(model, grey, hints=[Hint(20.5, 30.5, "#e07b39")])
    assert get_ab(to_tensor(told))[0, :, 30, 20].tolist() == pytest.approx(ab_of("#e07b39").tolist(), abs=2)
