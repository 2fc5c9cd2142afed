"""Frames through a network: several together, in little memory, in half precision."""

from functools import partial

import numpy as np
import pytest
import torch

from common.inference.ready import ready
from common.inference.tiles import enhance, enhance_together
from common.inference.work import Together
from common.videos import progress
from common.videos.decoding import DecodedFrame, read_frames
from common.videos.enhance import VideoOptions, enhance_video, enhance_videos
from common.videos.steady import Steady
from common.videos.video import open_video, probe
from tests.common.videos.test_videos import arrays, enlarge, twice
from tests.videos import frames_of, pan, write_video


@pytest.mark.parametrize("sound", [False, True])
def test_frames_are_enhanced_together_in_their_order(sound, tmp_path):
    path, sizes = write_video(tmp_path / "a.mp4", pan(10), sound=sound, sound_first=sound), []

    def together(frames):
        sizes.append(len(frames))
        return [twice(frame) for frame in frames]

    pixels = 4 * 64 * 48
    enhance_video(path, tmp_path / "b.mp4", twice, Steady(0), VideoOptions(scale=2), Together(together, pixels))
    assert sizes == [4, 4, 2]
    enlarge(path, tmp_path / "c.mp4")
    assert np.array_equal(arrays(tmp_path / "b.mp4"), arrays(tmp_path / "c.mp4"))


def test_where_memory_does_not_suffice_for_several_each_is_enhanced_alone(tmp_path, caplog):
    path, asked = write_video(tmp_path / "a.mp4", pan(10)), []

    def together(frames):
        asked.append(len(frames))
        raise torch.OutOfMemoryError("CUDA out of memory")

    enhance_video(path, tmp_path / "b.mp4", twice, Steady(0), VideoOptions(scale=2), Together(together, 4 * 64 * 48))
    assert len(frames_of(tmp_path / "b.mp4")) == 10
    assert asked == [4]  # and not again
    assert "not enough memory for 4 photos at once" in caplog.text


def test_off_a_terminal_a_line_a_minute_says_how_much_is_left(caplog, monkeypatch):
    clock = iter([0, 30, 60, 90, 120, 125])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    caplog.set_level("INFO")
    lines = progress.Lines("a.mp4", 10)
    for _ in range(4):
        lines()
    assert caplog.messages == ["a.mp4: 2 of 10 frames, about 4:00 left", "a.mp4: 4 of 10 frames, about 3:00 left"]
    caplog.clear()
    monkeypatch.setattr(progress.time, "monotonic", iter([0, 70]).__next__)
    progress.Lines("a.mp4", 0)()
    assert caplog.messages == ["a.mp4: 1 frames"]


def test_reading_holds_few_frames(tmp_path):
    path = write_video(tmp_path / "a.mp4", pan(200, size=(32, 32)))
    video = probe(path)
    with open_video(path) as source:
        items = read_frames(source, video)
        assert sum(isinstance(item, DecodedFrame) for item in items) == 200


class OverflowsInHalf(torch.nn.Module):
    def __init__(self, always=False):
        super().__init__()
        self.always, self.anchor = always, torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x * torch.nan if self.always or torch.is_autocast_enabled("cpu") else x


def test_frames_that_overflow_in_half_precision_are_made_in_float32_with_one_line_a_video(tmp_path, caplog):
    path, model = write_video(tmp_path / "a.mp4", pan(6)), ready(OverflowsInHalf(), torch.device("cpu"), "bf16")
    together = Together(partial(enhance_together, model), 2 * 64 * 48)
    for name in ("b.mp4", "c.mp4"):
        caplog.clear()
        enhance_video(path, tmp_path / name, partial(enhance, model), Steady(0), VideoOptions(quality=95), together)
        lines = [message for message in caplog.messages if "too large numbers for bf16" in message]
        assert len(lines) == 1
    for frame, result in zip(pan(6), arrays(tmp_path / "b.mp4"), strict=True):
        assert np.abs(frame.astype(int) - result).mean() < 4


def test_a_video_by_a_broken_network_fails_and_leaves_no_file(tmp_path, caplog):
    path, model = write_video(tmp_path / "a.mp4", pan(3)), OverflowsInHalf(always=True)
    plan = [(path, tmp_path / "out/a.mp4")]
    assert enhance_videos(plan, lambda: partial(enhance, model), lambda: Steady(0.5), VideoOptions()) == 1
    assert caplog.messages[0].startswith(f"failed {path}: the network gives values that are no numbers")
    assert list((tmp_path / "out").iterdir()) == []


def test_ten_bits_of_a_video_are_not_more_than_float16_has(tmp_path):
    path, seen = write_video(tmp_path / "a.mp4", pan(1), pixel_format="yuv444p10le"), []
    model = ready(torch.nn.Conv2d(3, 3, 1), torch.device("cpu"), "fp16")
    vars(model)["half"] = vars(model)["half"]._replace(chosen=False)  # as on CUDA
    model.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    enhance_video(path, tmp_path / "b.mp4", partial(enhance, model), Steady(0), VideoOptions())
    enhance(model, np.zeros((8, 8, 3), np.uint16))  # a photo
    assert seen == [torch.float16, torch.float32]
