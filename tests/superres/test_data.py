import logging
import random
from io import BytesIO

import numpy as np
import pytest
import torch
from kornia.filters import gaussian_blur2d
from PIL import Image

from common.batches.crops import RandomCut
from common.commands.configs import CONFIGS
from common.config.damages import PRESETS
from common.config.yaml_file import load_config
from common.evaluation.metrics import psnr_y, ssim_y
from common.photos.pixels import to_image, to_tensor
from common.runtime.errors import UserError
from superres.bicubic import resize_bicubic
from superres.config import Config
from superres.data import Degrade, get_dls, get_photos

CPU = torch.device("cpu")


def read(path):
    return to_tensor(np.asarray(Image.open(path).convert("RGB")))


def config_for(photos, *overrides):
    stages = "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3}, {crop: 64, bs: 2, epochs: 1, lr: 1e-3}]"
    return load_config(Config, None, [f"data.path={photos}", "loss.l1=1", "train.workers=0", stages, *overrides])


@pytest.mark.parametrize("scale", [2, 4])
def test_our_bicubic_twin_is_as_good_as_matlabs(shared, scale):
    ours, matlabs = [], []
    folder = shared / f"data/benchmarks/Set5_matlab_x{scale}"
    for path in sorted(folder.glob("*_LR.png")):
        sharp = read(folder / path.name.replace("_LR", "_HR"))
        for low, figures in ((Degrade(scale).low_resolution(sharp), ours), (read(path), matlabs)):
            figures.append(psnr_y(resize_bicubic(low, scale), sharp, border=scale).item())
    assert len(ours) == 5
    assert np.mean(ours) == pytest.approx(np.mean(matlabs), abs=0.02)


@pytest.mark.parametrize(("scale", "psnr", "ssim"), [(2, 33.68, 0.9305), (4, 28.43, 0.8113)])
def test_bicubic_on_set5_has_the_known_figures(shared, scale, psnr, ssim):
    pairs = []
    for path in sorted((shared / "data/benchmarks/Set5").iterdir()):
        sharp = read(path)
        enlarged = resize_bicubic(Degrade(scale).low_resolution(sharp), scale)
        pairs.append((psnr_y(enlarged, sharp, scale).item(), ssim_y(enlarged, sharp, scale).item()))
    assert np.mean(pairs, axis=0) == pytest.approx([psnr, ssim], abs=0.002)


def test_bicubic_is_pillows_up_to_rounding():
    photo = np.random.default_rng(0).integers(0, 256, (48, 60, 3), np.uint8)
    expected = np.asarray(Image.fromarray(photo).resize((30, 24), Image.Resampling.BICUBIC)).astype(int)
    ours = (Degrade(2).low_resolution(to_tensor(photo))[0] * 255).round().permute(1, 2, 0).numpy().astype(int)
    assert abs(ours - expected).max() <= 1


def test_what_a_photo_suffers_where_it_is_measured_follows_from_its_pixels(noise):
    photos = torch.cat([noise, noise.flip(2), noise.flip(3), noise.roll(1, dims=2)])
    whole = Degrade(2, PRESETS["heavy"]).low_resolution(photos)
    torch.manual_seed(1)
    parts = [Degrade(2, PRESETS["heavy"]).low_resolution(part) for part in photos.flip(0).split(1)]
    assert torch.equal(whole, torch.cat(parts).flip(0))


def test_a_fixed_blur_is_a_gaussian_before_shrinking(noise):
    """As in Johnson et al. 2016."""
    degrade = Degrade(4, load_config(Config, CONFIGS / "superres_johnson_4x.yaml").data.degrade)
    blurred = gaussian_blur2d(noise, (7, 7), (1.0, 1.0))
    expected = (resize_bicubic(blurred, 1 / 4).clamp(0, 1) * 255).round() / 255
    torch.testing.assert_close(degrade.low_resolution(noise), expected, rtol=0, atol=1.01 / 255)


@pytest.mark.parametrize(("workers", "bs"), [(0, 4), (2, 2)])
def test_what_a_crop_suffers_follows_from_seed_epoch_and_place(photos, workers, bs):
    """So it is the same in batches of any size, in other processes, and after resuming."""
    words = ["data.degrade=heavy", "train.seed=5", "data.crops_per_photo=3", f"train.workers={workers}"]
    config = config_for(photos, *words, f"train.stages=[{{crop: 32, bs: {bs}, epochs: 1, lr: 1e-3}}]")
    plain = config_for(photos, "data.degrade=heavy", "train.seed=5", "data.crops_per_photo=3")
    split = get_photos(config)
    dls, others = (get_dls(split, c, c.train.stages[0], CPU) for c in (config, plain))
    epochs = []
    for epoch in (0, 1, 0):
        dls.train.epoch = epoch
        epochs.append(torch.cat([low for low, _ in dls.train]))
    expected = torch.cat([low for low, _ in others.train])
    assert torch.equal(epochs[0], expected[: len(epochs[0])])
    assert torch.equal(epochs[0], epochs[2])
    assert not torch.equal(epochs[0], epochs[1])


def test_damages_are_made_of_the_crop_where_it_is_cut(photos):
    config = config_for(photos, "data.degrade=[{jpeg: {quality: 60}}]")
    dls = get_dls(get_photos(config), config, config.train.stages[0], CPU)
    low, sharp = (side.as_subclass(torch.Tensor) for side in dls.train.one_batch())
    small = to_image(resize_bicubic(sharp[:1], 1 / 2).clamp(0, 1)[0])
    with BytesIO() as file:
        small.save(file, "JPEG", quality=60, subsampling="4:2:0")
        expected = to_tensor(Image.open(file))
    assert (low[:1] - expected).abs().mean() < 1 / 255


def test_batches_hold_each_crop_and_its_own_twin(photos):
    config = config_for(photos)
    photos_split = get_photos(config)
    dls = get_dls(photos_split, config, config.train.stages[0], CPU)
    low, sharp = dls.train.one_batch()
    assert sharp.shape == (2, 3, 32, 32)
    assert low.shape == (2, 3, 16, 16)
    torch.testing.assert_close(
        low.as_subclass(torch.Tensor), Degrade(2).low_resolution(sharp.as_subclass(torch.Tensor))
    )


def test_validation_is_the_same_middle_in_every_stage(photos):
    config = config_for(photos, "data.valid=[1.png, 3.png]")
    photos_split = get_photos(config)
    (_, first), (_, second) = (
        get_dls(photos_split, config, stage, CPU).valid.one_batch() for stage in config.train.stages
    )
    middle = read(photos / "1.png")[..., 4:68, 8:72]
    torch.testing.assert_close(second[:1].as_subclass(torch.Tensor), middle)
    torch.testing.assert_close(first[:1].as_subclass(torch.Tensor), middle)


@pytest.mark.slow
def test_crops_come_from_everywhere_and_are_turned(photos):
    config = config_for(photos, "data.crops_per_photo=20", "data.valid=[1.png, 2.png, 3.png, 4.png, 5.png]")
    photos_split = get_photos(config)
    sharp = read(photos / "0.png")[0]
    places = set()
    dls = get_dls(photos_split, config, config.train.stages[0], CPU)
    assert len(dls.train) == 10
    windows = sharp.unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4)
    for _, batch in dls.train:
        for crop in batch.as_subclass(torch.Tensor):
            turned = [torch.rot90(flip, k, (1, 2)) for flip in (crop, crop.flip(2)) for k in range(4)]
            errors = torch.stack([(windows - t).abs().amax(dim=(2, 3, 4)) for t in turned])
            found = torch.nonzero(errors < 1e-3).tolist()
            assert found, "a crop is no window of its photo"
            places.add(tuple(found[0]))
    assert len(places) > 15
    assert len({i for i, _, _ in places}) >= 5  # of 8, in 20 crops


def test_a_photo_that_breaks_during_training_gives_its_place_to_the_next_with_one_line(photos, caplog):
    config = config_for(photos, "data.crops_per_photo=2", "data.valid=[5.png]")
    photos_split = get_photos(config)
    (photos / "0.png").write_bytes(b"broken")
    dls = get_dls(photos_split, config, config.train.stages[0], CPU)
    caplog.set_level(logging.WARNING)
    assert sum(len(sharp) for _, sharp in dls.train) == 10
    assert len([line for line in caplog.messages if "0.png: not a picture" in line]) == 1


def test_a_batch_larger_than_an_epoch_is_refused(photos):
    config = config_for(photos, "train.stages.1.bs=50")
    with pytest.raises(UserError, match=r"train.stages.1.bs = 50: more than the 5 crops of an epoch"):
        get_photos(config)


@pytest.mark.parametrize(("detail", "expected"), [(0, 1 / 2), (1, 1 - 1 / 2**4), (0.5, 1 - (1 / 2 + 1 / 2**4) / 2)])
def test_crops_with_detail(detail, expected):
    noise = np.random.default_rng(0).integers(0, 256, (64, 1500, 3), np.uint8)
    sky = np.full((64, 1500, 3), 200, np.uint8)
    photo = Image.fromarray(np.concatenate([sky, noise], axis=1))
    cut = RandomCut(64, detail=detail)
    random.seed(0)
    crops = [np.asarray(cut.encodes((photo,))[0]) for _ in range(400)]
    # One of four places in the half with detail is enough; crops on the edge count as detail.
    assert np.mean([crop.std() > 0 for crop in crops]) == pytest.approx(expected, abs=0.06)
