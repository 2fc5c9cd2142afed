"""What players need is in results: codecs, profiles and sizes that they take, and times; and the disk may be full."""

import os
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from common.videos.decoding import read_frames
from common.videos.enhance import VideoOptions, enhance_video, enhance_videos
from common.videos.frames import to_array, to_frame
from common.videos.steady import Steady
from common.videos.video import open_video, probe
from common.videos.writer import VideoWriter
from tests.videos import frames_of, pan, read_streams, write_video


def copy(path, result, enhance=lambda picture: picture, **options):
    return enhance_video(path, result, enhance, Steady(0), VideoOptions(**options))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
def test_h265_has_the_tag_that_apples_players_know(suffix, tmp_path):
    copy(write_video(tmp_path / "a.mp4", pan(3)), tmp_path / f"b{suffix}", codec="h265")
    assert read_streams(tmp_path / f"b{suffix}")[1][0]["tag"] == "hvc1"


@pytest.mark.parametrize(("deep", "suffix"), [(False, ".mkv"), (False, ".avi"), (True, ".mkv")])
def test_ffv1_loses_nothing_of_colours_beside_each_other(deep, suffix, tmp_path):
    columns = np.zeros((48, 64, 3), np.uint8)
    columns[:, ::2, 0] = columns[:, 1::2, 2] = 255
    path = write_video(tmp_path / "a.mkv", [columns] * 2, pixel_format="yuv444p10le" if deep else "yuv444p")
    made = columns.astype(np.uint16) * 257 - 100 if deep else columns
    copy(path, tmp_path / f"b{suffix}", lambda picture: made, codec="ffv1")
    result = tmp_path / f"b{suffix}"
    assert np.array_equal(to_array(frames_of(result)[0], probe(result)), made)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux: the list of open files")
def test_a_full_disk_leaves_no_file_open_and_the_next_video_is_made(tmp_path, caplog):
    import resource

    pictures = pan(60, size=(96, 64), noise=60)  # so much that frames are still written while the encoder ends
    path, short = write_video(tmp_path / "a.mp4", pictures), write_video(tmp_path / "c.mp4", pan(2))
    copy(path, tmp_path / "whole.mp4", quality=100)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for part in (0.3, 0.7, 0.98):  # of the result, where the disk is full
        caplog.clear()
        size = int(part * (tmp_path / "whole.mp4").stat().st_size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            failed = enhance_videos(
                [(path, tmp_path / "b.mp4")], lambda: np.copy, lambda: Steady(0), VideoOptions(quality=100)
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert failed == 1
        assert f"{tmp_path}/b.mp4: cannot be written (File too large)" in caplog.text
        opened = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]  # noqa: PTH115
        assert not [name for name in opened if str(tmp_path) in name]
        assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "c.mp4", "whole.mp4"]
    copy(short, tmp_path / "d.mp4")


def test_ten_bits_become_h265_which_phones_play(tmp_path, caplog):
    caplog.set_level("INFO")
    path = write_video(tmp_path / "a.mkv", pan(2), pixel_format="yuv420p10le")
    for suffix in (".mp4", ".mkv"):
        copy(path, tmp_path / f"b{suffix}")
        video = read_streams(tmp_path / f"b{suffix}")[1][0]
        assert (video["profile"], video["pixels"]) == ("Main 10", "yuv420p10le")
    assert f"{path}: has 10 bits, so the result is H.265; --codec h264 makes it 8 bits" in caplog.text


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "h264"), (".avi", None)])
def test_h264_has_8_bits_and_a_line_says_so(suffix, codec, tmp_path, caplog):
    path = write_video(tmp_path / "a.mkv", pan(2), pixel_format="yuv420p10le")
    copy(path, tmp_path / f"b{suffix}", codec=codec)
    video = read_streams(tmp_path / f"b{suffix}")[1][0]
    assert (video["profile"], video["pixels"]) == ("High", "yuv420p")
    assert "10 bits become 8; --codec h265 in .mp4, .mov or .mkv keeps them" in caplog.text


@pytest.mark.parametrize(("codec", "profile"), [("h264", "High"), ("h265", "Main")])
def test_of_odd_sizes_the_edge_is_doubled_so_that_players_take_them(codec, profile, tmp_path, caplog):
    path = write_video(tmp_path / "a.mp4", [picture[:47, :61].copy() for picture in pan(3)], rotation=90)
    copy(path, tmp_path / "b.mp4", codec=codec, quality=100)
    video = read_streams(tmp_path / "b.mp4")[1][0]
    assert (video["profile"], video["pixels"]) == (profile, "yuv420p")
    frame, source = (to_array(frames_of(file)[0], probe(file)).astype(int) for file in (tmp_path / "b.mp4", path))
    assert frame.shape == (62, 48, 3)
    upright = np.rot90(np.pad(np.rot90(source, -1), ((0, 1), (0, 1), (0, 0)), "edge"))
    assert np.abs(frame - upright).mean() < 4  # chroma is halved
    assert "61 x 47 becomes 62 x 48, the edge doubled, since players want even sides" in caplog.text


@pytest.mark.parametrize(("suffix", "codec"), [(".webm", "vp9"), (".mkv", "ffv1")])
def test_odd_sizes_stay_odd_where_players_take_them(suffix, codec, tmp_path, caplog):
    path = write_video(tmp_path / "a.mkv", [picture[:47, :61].copy() for picture in pan(3)])
    copy(path, tmp_path / f"b{suffix}", codec=codec)
    assert {(frame.width, frame.height) for frame in frames_of(tmp_path / f"b{suffix}")} == {(61, 47)}
    assert caplog.messages == []


def test_times_that_an_encoder_makes_up_for_a_short_video_are_not_written(tmp_path):
    path = write_video(tmp_path / "a.mkv", pan(2))

    class Wild(VideoWriter):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.stream = WildStream(self.stream)

    @dataclass
    class WildStream:
        stream: av.VideoStream

        def encode(self, frame):
            for packet in self.stream.encode(frame):
                packet.dts = 10**12
                yield packet

    video = probe(path)
    with open_video(path) as source, Wild(tmp_path / "b.mkv", video, source, (64, 48), "h265") as writer:
        for item in read_frames(source, video):
            writer.write(to_frame(item.pixels, video, item.like, item.pts, "yuv420p", (64, 48)), 0)
    assert [frame.time for frame in frames_of(tmp_path / "b.mkv")] == [0, 0.04]
