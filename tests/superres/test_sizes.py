"""Results of any size, in the photo's colours, averaged over turns."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from common.inference.plan import plan_outputs
from common.inference.room import room_by
from common.inference.work import enhance_photos
from common.photos.open import PhotoError
from common.photos.resize import resize
from common.runtime.errors import UserError
from superres.colors import with_colors_of
from superres.network import SuperResolver
from superres.photo import enlarge_photo, enlarge_together
from superres.sizes import passes_needed, wanted_size
from superres.task import TASK
from tests.commands import run_here
from tests.common.commands.models import write_model
from tests.videos import pan, write_video


class Nothing(nn.Module):
    """Adds nothing to bicubic, but a number."""

    def __init__(self, added=0.0):
        super().__init__()
        self.added = added

    def forward(self, low):
        return torch.full((len(low), 3, 2 * low.shape[2], 2 * low.shape[3]), self.added)


class Slanted(Nothing):
    """Adds more to the right and to the bottom."""

    def forward(self, low):
        height, width = 2 * low.shape[2], 2 * low.shape[3]
        slope = torch.linspace(0, 0.1, width) + torch.linspace(0, 0.05, height)[:, None]
        return slope.expand(len(low), 3, height, width)


def model(network=None):
    return SuperResolver(network or Nothing(), 2, "after").eval()


@pytest.fixture
def photo():
    y, x = np.mgrid[:60, :90]
    return np.stack([2 * x, 3 * y, x + y], axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ({}, None), ({"scale": 1.5}, (90, 135)), ({"width": 100}, (67, 100)), ({"height": 20}, (20, 30)),
        ({"longest": 45}, (30, 45)), ({"megapixels": 0.0054}, (60, 90)), ({"width": 1}, (1, 1)),
    ],
)  # fmt: skip
def test_one_side_gives_the_other(size, expected):
    assert wanted_size(60, 90, **size) == expected


def test_two_sizes_are_refused(photos, tmp_path, capsys):
    with pytest.raises(UserError, match="--width and --height: give one"):
        wanted_size(60, 90, width=3, height=4)
    with pytest.raises(UserError, match="--scale and --longest: give one"):
        TASK.check_options({"scale": 2, "longest": 3, "width": None})


def test_a_photo_goes_through_the_model_as_often_as_it_must(photo):
    assert [passes_needed((60, 90), size, 2) for size in ((10, 15), (120, 180), (121, 180), (240, 360))] == [1, 1, 2, 2]
    with pytest.raises(PhotoError, match=r"90 x 60 px to 361 x 240 is .* times as large, and twice"):
        passes_needed((60, 90), (240, 361), 2)
    with pytest.raises(PhotoError, match="this model enlarges nothing"):
        passes_needed((60, 90), (61, 91), 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_result_has_the_size_and_is_pillows(photo, dtype):
    deep = photo.astype(dtype) * (257 if dtype == np.uint16 else 1)
    whole = enlarge_photo(model(), deep)
    for size in ({"scale": 1.5}, {"scale": 0.5}, {"width": 133}):
        result = enlarge_photo(model(), deep, **size)
        expected = Image.fromarray((whole // 257 if dtype == np.uint16 else whole).astype(np.uint8))
        expected = np.asarray(expected.resize(result.shape[1::-1], Image.Resampling.LANCZOS)).astype(int)
        assert result.dtype == dtype
        assert np.abs(result / (257 if dtype == np.uint16 else 1) - expected).max() <= 1.5
    assert enlarge_photo(model(), deep, scale=3.0).shape == (180, 270, 3)
    assert np.array_equal(resize(deep, (60, 90)), deep)


def test_turned_and_flipped_results_are_averaged(photo):
    plain = enlarge_photo(model(Slanted()), photo).astype(int)
    both = enlarge_photo(model(Slanted()), photo, tta=True).astype(int)
    base = enlarge_photo(model(), photo).astype(int)
    assert np.ptp((plain - base)[..., 0]) > 20
    assert np.abs((both - base) - 255 * 0.075).max() <= 2  # the slopes cancel: the mean of both is everywhere
    assert np.abs(enlarge_photo(model(), photo, tta=True).astype(int) - base).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_shifted_colours_come_back_and_detail_stays(photo, dtype):
    top = 257 if dtype == np.uint16 else 1
    deep = photo.astype(dtype) * top
    expected = enlarge_photo(model(), deep)[4:-4, 4:-4].astype(int)
    shifted = enlarge_photo(model(Nothing(0.1)), deep)[4:-4, 4:-4].astype(int)
    kept = enlarge_photo(model(Nothing(0.1)), deep, colors="photo")[4:-4, 4:-4].astype(int)
    middle = (slice(None), slice(0, 60))  # where nothing was cut off at white
    assert (shifted - expected)[middle].mean() > 20 * top
    assert abs((kept - expected)[middle].mean()) < 1.5 * top
    dot = np.full((64, 64, 3), 100, np.uint8)
    sharp = dot.repeat(2, axis=0).repeat(2, axis=1)
    sharp[40, 40] = 200
    result = with_colors_of(sharp, dot).astype(int)
    assert result[40, 40].min() > 195
    assert result[10, 10].tolist() == [100, 100, 100]


def test_photos_together_are_as_photos_alone(photo):
    for options in ({}, {"tta": True}, {"scale": 1.5}, {"colors": "photo"}):
        together = enlarge_together(model(Slanted()), [photo, photo[::-1].copy()], **options)
        alone = [enlarge_photo(model(Slanted()), one, **options) for one in (photo, photo[::-1].copy())]
        assert all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(together, alone, strict=True))


def test_a_photo_that_cannot_become_so_large_is_named_and_stops_no_other(photos, tmp_path, caplog):
    Image.new("RGB", (10, 8), "red").save(photos / "tiny.png")
    plan = plan_outputs([photos], tmp_path / "out")
    room = room_by(TASK.room, 2, {"longest": 160})
    assert enhance_photos(plan, lambda pixels: enlarge_photo(model(), pixels, longest=160), room=room) == 1
    assert f"failed {photos / 'tiny.png'}: 10 x 8 px to 160 x 128 is 16 times as large" in caplog.text
    assert Image.open(tmp_path / "out/0.png").size == (160, 144)


def test_no_size_for_videos(tmp_path, capsys):
    write_model(tmp_path / "model.safetensors")
    video = write_video(tmp_path / "a.mp4", pan(2))
    words = [tmp_path / "model.safetensors", video, "-o", tmp_path / "out", "--width", "100"]
    assert run_here("superres.predict", *words) == 2
    assert "--width: for photos alone; a video's result is 2 times as large" in capsys.readouterr().err
