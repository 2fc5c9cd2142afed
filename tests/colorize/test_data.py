import numpy as np
import pytest
import torch
from PIL import Image

from colorize.config import Config
from colorize.data import Age, AgedLightness, get_dls, get_photos, open_color_photo
from colorize.lab import get_ab, to_grey
from common.batches.block import MakeInput
from common.config.damages import JpegConfig
from common.config.yaml_file import load_config
from common.photos.open import PhotoError
from common.photos.pixels import to_image, to_tensor
from common.runtime.errors import UserError

CPU = torch.device("cpu")


def config_for(photos, *overrides):
    stages = "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3}, {crop: 64, bs: 2, epochs: 1, lr: 1e-3}]"
    return load_config(Config, None, [f"data.path={photos}", "loss.l1=1", "train.workers=0", stages, *overrides])


def lightness(rgb):
    return to_grey(rgb)[:, 0]


def plain(batch):
    return [image.as_subclass(torch.Tensor) for image in batch]


def test_grey_photos_are_left_out_with_a_count(photos, caplog):
    for name in ("0.png", "1.png"):
        Image.open(photos / name).convert("L").save(photos / name)
    Image.open(photos / "2.png").convert("L").convert("RGB").save(photos / "2.jpg", quality=60)
    (photos / "2.png").unlink()
    with caplog.at_level("INFO"):
        train, valid = get_photos(config_for(photos))
    assert sorted(path.name for path in train + valid) == ["3.png", "4.png", "5.png"]
    assert "3 of 6 photos skipped (grey, there are no colours to learn: 3)" in caplog.text


def test_a_folder_of_grey_photos_is_refused(photos):
    for path in photos.iterdir():
        Image.open(path).convert("L").save(path)
    with pytest.raises(UserError, match="none of 6 photos is usable"):
        get_photos(config_for(photos))


def test_batches_hold_each_crop_and_its_own_grey(photos):
    config = config_for(photos)
    dls = get_dls(get_photos(config), config, config.train.stages[0], CPU)
    grey, colour = plain(dls.train.one_batch())
    assert grey.shape == colour.shape == (2, 3, 32, 32)
    torch.testing.assert_close(grey, to_grey(colour))
    assert get_ab(colour).abs().mean() > 1


def test_validation_is_the_same_whole_photo_in_every_stage(photos):
    config = config_for(photos, "data.valid=[1.png]", "data.fade=0.4", "data.noise=50", "data.contrast=1")
    split = get_photos(config)
    first, second = (plain(get_dls(split, config, stage, CPU).valid.one_batch()) for stage in config.train.stages)
    assert first[0].shape == (1, 3, 64, 64)
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first[0], to_grey(first[1]))  # not aged


def test_crops_differ_in_place_and_size_and_are_never_upside_down(tmp_path):
    (tmp_path / "photos").mkdir()
    y, x = np.mgrid[:80, :80]
    ramp = np.stack([3 * y, 255 - 3 * y, 3 * x], axis=2).astype(np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(ramp).save(tmp_path / "photos" / name)
    config = config_for(tmp_path / "photos", "data.valid=[b.png]", "data.crops_per_photo=30")
    dls = get_dls(get_photos(config), config, config.train.stages[0], CPU)
    tops, spans, flipped = set(), set(), set()
    for _, batch in dls.train:
        for crop in batch.as_subclass(torch.Tensor) * 255:
            span = (crop[0, -1, 0] - crop[0, 0, 0]).item()
            assert span > 0  # the top of the photo is the top of the crop
            tops.add(round(crop[0, 0, 0].item() / 3))
            spans.add(round(span / 3))
            flipped.add((crop[2, 0, -1] < crop[2, 0, 0]).item())
    assert len(tops) > 10
    assert len(spans) > 5
    assert flipped == {True, False}


def test_large_photos_are_shrunk_to_what_the_smallest_crop_needs(photos):
    Image.open(photos / "0.png").resize((1000, 900)).save(photos / "large.png")
    assert open_color_photo(photos / "large.png", crop=64, min_scale=0.25).size == (142, 128)
    assert open_color_photo(photos / "0.png", crop=64, min_scale=0.25).size == (80, 72)
    with pytest.raises(PhotoError, match="smaller than the 100 px crop"):
        open_color_photo(photos / "0.png", crop=100, min_scale=0.25)


@pytest.mark.parametrize("options", [{"fade": 0.3}, {"contrast": 1.0}, {"noise": 20}])
def test_an_aged_pair_differs_in_lightness_and_shares_it(noise, options):
    colour = 0.2 + 0.5 * noise
    pairs = [Age(**options).encodes((to_image(photo),)) for photo in colour]
    aged = torch.cat([to_tensor(photo) for photo, _ in pairs])
    assert [kept for _, kept in pairs] == [to_image(photo) for photo in colour]
    grey = to_grey(colour)
    aged, target = plain(AgedLightness().encodes((aged, colour)))
    assert (lightness(aged) - lightness(colour)).abs().mean() > 0.01
    torch.testing.assert_close(lightness(target), lightness(aged), atol=2e-3, rtol=0)
    unchanged = get_ab(target) - get_ab(colour)
    assert unchanged.abs().median() < 0.1  # but for those out of gamut at their new lightness
    assert torch.equal(grey, to_grey(colour))  # nothing is changed in place


def test_fading_lifts_black_and_lowers_white_by_no_more_than_asked():
    ends = torch.tensor([0.0, 1.0]).expand(200, 3, 1, 2)
    aged = Age(fade=0.3).age(ends)
    black, white = aged[:, 0, 0, 0], aged[:, 0, 0, 1]
    assert 0.25 < black.max() <= 0.3
    assert 0.7 <= white.min() < 0.75
    assert black.min() < 0.05


def test_contrast_bends_tones_both_ways_within_its_bounds():
    middle = torch.full((400, 3, 1, 1), 0.5)
    aged = Age(contrast=1.0).age(middle)[:, 0]
    assert aged.min().item() == pytest.approx(0.25, abs=0.02)  # 0.5 ** 2
    assert aged.max().item() == pytest.approx(0.5**0.5, abs=0.02)


def test_the_strongest_grain_has_the_given_sigma():
    grey = torch.full((60, 3, 40, 40), 0.5)
    sigmas = 255 * Age(noise=12).age(grey)[:, 0].std(dim=(1, 2))
    assert sigmas.max().item() == pytest.approx(12, rel=0.1)
    assert sigmas.min() < 2


def test_the_grey_side_is_what_a_jpeg_file_of_it_holds(photos):
    photo = Image.open(photos / "0.png").convert("L")
    photo.save(photos / "0.jpg", quality=40)
    expected = np.asarray(Image.open(photos / "0.jpg")) / 255
    grey = to_tensor(np.asarray(photo.convert("RGB")))
    assert (grey[0, 0].numpy() - expected).std() > 2 / 255
    aged = Age(jpeg=JpegConfig(quality=[40, 40])).age(grey)[0]
    assert np.abs(aged.numpy() - expected).max() < 1.6 / 255
    assert torch.equal(aged[0], aged[1])


def test_some_of_the_photos_are_saved_as_jpeg_in_every_quality_of_the_range():
    age = Age(jpeg=JpegConfig(chance=0.5, quality=[90, 92]))
    age.age(torch.rand(120, 1, 8, 8).expand(-1, 3, -1, -1))
    drawn = [note.partition(", JPEG ")[2] for note in age.drawn]
    assert set(drawn) == {"", "90", "91", "92"}
    assert 40 < drawn.count("") < 80


def test_grey_is_made_once_from_the_photo(noise):
    grey, colour = MakeInput(to_grey).encodes((noise,))
    assert colour is noise
    torch.testing.assert_close(grey.as_subclass(torch.Tensor), to_grey(noise))


def test_a_crop_is_aged_alike_whatever_the_batch_and_whoever_loads_it(photos):
    words = ["data.fade=0.4", "data.noise=50", "data.jpeg={chance: 0.5, quality: [30, 90]}", "data.valid=[1.png]"]

    def crops(bs, workers):
        stage = f"train.stages=[{{crop: 32, bs: {bs}, epochs: 1, lr: 1e-3}}]"
        config = config_for(photos, *words, "data.crops_per_photo=4", stage, f"train.workers={workers}")
        batches = list(get_dls(get_photos(config), config, config.train.stages[0], CPU).train)
        return [torch.cat([plain(batch)[side] for batch in batches]) for side in (0, 1)]

    one, other = crops(4, 0), crops(2, 2)
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])
    assert (one[0][:, 0] - one[0][:, 1]).abs().max() == 0
