"""Small photos of one size and depth that follow each other are enhanced at once; a GPU is idle with one of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.config import ColorizeModelConfig
from colorize.network import get_model as get_colorizer
from colorize.photo import color_photo, color_together
from common.config.yaml_file import load_config
from common.inference.plan import plan_outputs
from common.inference.tile_layout import TILE
from common.inference.tiles import enhance, enhance_together
from common.inference.work import Together, enhance_photos
from common.photos.open import UnsuitablePhoto
from styletransfer.config import JohnsonConfig, StyleModelConfig
from styletransfer.network import get_model as get_stylizer
from styletransfer.photo import paint_photo, paint_together
from superres.config import Config, SuperresModelConfig
from superres.files import save_model
from superres.network import get_model as get_super_resolver
from tests.commands import run_here

STAGES = "train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1}]"


class Recorder:
    """Turns photos to their negatives; remembers how many it was given at a time. Fails for more than `most`."""

    def __init__(self, most=99):
        self.most, self.counts = most, []

    def single(self, photo):
        self.counts.append(1)
        return 255 - photo

    def together(self, photos):
        if len(photos) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.counts.append(len(photos))
        assert len({(photo.shape, photo.dtype) for photo in photos}) == 1
        return [255 - photo for photo in photos]


def negatives(photos, out):
    """Whether each photo's result is its negative."""
    pairs = [(np.asarray(Image.open(path)), np.asarray(Image.open(out / path.name))) for path in photos.glob("*.png")]
    return [np.array_equal(result, 255 - photo) for photo, result in pairs]


@pytest.mark.parametrize(("pixels", "counts"), [
    (0, [1] * 7),
    (80 * 72 - 1, [1] * 7),
    (2 * 80 * 72, [2, 1, 1, 2, 1]),      # 0 1 | 2 | 2b, of another size | 3 4 | 5
    (10**6, [3, 1, 3]),
])  # fmt: skip
def test_photos_are_grouped_by_size_up_to_a_number_of_pixels(photos, tmp_path, pixels, counts):
    Image.new("RGB", (80, 40), (1, 2, 3)).save(photos / "2b.png")
    recorder = Recorder()
    plan = plan_outputs([photos], tmp_path / "out")
    assert enhance_photos(plan, recorder.single, together=Together(recorder.together, pixels)) == 0
    assert recorder.counts == counts
    assert negatives(photos, tmp_path / "out") == [True] * 7


def test_a_broken_photo_does_not_stop_its_group(photos, tmp_path, caplog):
    (photos / "1.png").write_bytes(b"none")
    plan = plan_outputs([photos], tmp_path / "out")
    recorder = Recorder()
    assert enhance_photos(plan, recorder.single, together=Together(recorder.together, 10**6)) == 1
    assert recorder.counts == [5]
    assert "1 of 6 photos failed" in caplog.messages
    (photos / "1.png").unlink()
    assert negatives(photos, tmp_path / "out") == [True] * 5


def test_where_memory_runs_out_they_go_one_by_one(photos, tmp_path, caplog):
    recorder = Recorder(most=2)
    plan = plan_outputs([photos], tmp_path / "out")
    assert enhance_photos(plan, recorder.single, together=Together(recorder.together, 10**6)) == 0
    assert recorder.counts == [1] * 6
    assert "not enough memory for 6 photos at once: continuing with one at a time" in caplog.messages
    assert negatives(photos, tmp_path / "out") == [True] * 6


def stirred(model):
    """The model with weights under which it does something: untrained it adds nothing."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model.eval()


MODELS = {
    "superres": (
        lambda: get_super_resolver(SuperresModelConfig(encoder="resnet18", pretrained=False, norm="none"), 2),
        lambda model, photo: enhance(model, photo, scale=2),
        enhance_together,
    ),
    "colorize": (
        lambda: get_colorizer(ColorizeModelConfig(pretrained=False), 40),
        lambda model, photo: color_photo(model, photo, size=48, saturation=1.3),
        lambda model, photos: color_together(model, photos, size=48, saturation=1.3),
    ),
    "styletransfer": (
        lambda: get_stylizer(StyleModelConfig(johnson=JohnsonConfig(width=4))),
        lambda model, photo: paint_photo(model, photo, strength=0.7, keep_colors=True),
        lambda model, photos: paint_together(model, photos, strength=0.7, keep_colors=True),
    ),
}


@pytest.mark.parametrize("task", MODELS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_results_are_those_of_one_at_a_time(task, dtype):
    make, alone, together = MODELS[task]
    model = stirred(make())
    top = np.iinfo(dtype).max
    photos = list(np.random.default_rng(0).integers(0, top, (3, 65, 90, 3), dtype, endpoint=True))
    expected = [alone(model, photo) for photo in photos]
    results = together(model, photos)
    assert [result.dtype for result in results] == [dtype] * 3
    assert expected[0].std() > 0.02 * top
    for result, one in zip(results, expected, strict=True):
        np.testing.assert_allclose(result.astype(float), one, atol=max(1, top / 4096))


@pytest.mark.parametrize(("device", "several"), [("cpu", False), ("cuda", True), ("mps", True)])
def test_only_an_accelerator_takes_several(device, several, photos, tmp_path, monkeypatch):
    config = load_config(Config, None, ["loss.l1=1", "model.network=srcnn", STAGES])
    save_model(tmp_path / "model.safetensors", get_super_resolver(config.model, 2), config)
    given = []
    monkeypatch.setattr("common.inference.tiles.device_of", lambda model: torch.device(device))
    monkeypatch.setattr("common.inference.work.enhance_photos", lambda *args: given.append(args[5]) or 0)
    assert run_here("superres.predict", tmp_path / "model.safetensors", photos, "-o", tmp_path / "out") == 0
    assert [together is not None for together in given] == [several]
    if several:
        assert given[0].pixels == TILE**2 // 2**2


def test_a_photo_that_cannot_be_made_with_the_others_is_told_and_they_are_made(tmp_path, caplog):
    for name in "abc":
        Image.new("RGB", (20, 16)).save(tmp_path / f"{name}.png")
    tried = []

    def single(photo):
        tried.append(1)
        if len(tried) == 2:
            raise UnsuitablePhoto("a hint is outside")
        return photo

    def together(photos):
        raise UnsuitablePhoto("a hint is outside")

    plan = plan_outputs([tmp_path], tmp_path / "out")
    assert enhance_photos(plan, single, together=Together(together, 10**6)) == 1
    assert "1 of 3 photos failed" in caplog.text
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
