"""What a container or a codec cannot hold, and videos that are stopped."""

import os
import signal

import av
import numpy as np
import pytest

from common.videos import enhance as enhance_module
from common.videos.decoding import DecodedFrame
from common.videos.enhance import VideoOptions, VideoStopped, VideoWriter, enhance_videos, in_groups
from common.videos.steady import Steady
from common.videos.video import probe
from tests.commands import posix_only
from tests.common.videos.test_strange_videos import copy
from tests.videos import frames_of, pan, write_video


@pytest.mark.parametrize(("codec", "suffix"), [("ffv1", ".mov"), ("h265", ".avi"), ("h264", ".webm")])
def test_a_codec_that_does_not_fit_the_container_is_told_and_the_next_video_is_made(codec, suffix, tmp_path, caplog):
    path = write_video(tmp_path / "a.mkv", pan(2))
    plan = [(path, tmp_path / f"out/a{suffix}"), (path, tmp_path / "out/b.mkv")]
    assert enhance_videos(plan, lambda: lambda frame: frame, lambda: Steady(0), VideoOptions(codec)) == 1
    assert f"{suffix} files have no {codec}; take another --codec, or another ending" in caplog.text
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["b.mkv"]


def test_ten_bits_become_eight_where_vp9_has_no_more(tmp_path, caplog):
    path = write_video(tmp_path / "a.mkv", pan(2), pixel_format="yuv420p10le")
    copy(path, tmp_path / "b.webm")
    has_ten = "yuv420p10le" in {form.name for form in av.Codec("libvpx-vp9", "w").video_formats}
    assert probe(tmp_path / "b.webm").deep == has_ten
    assert ("10 bits become 8" in caplog.text) != has_ten
    assert len(frames_of(tmp_path / "b.webm")) == 2


def test_sound_that_the_container_does_not_take_is_left_out_by_name(tmp_path, caplog):
    path = write_video(tmp_path / "a.mp4", pan(5), sound=True)
    copy(path, tmp_path / "b.webm")
    assert f"{path}: left out of the result: audio 1" in caplog.text
    with av.open(str(tmp_path / "b.webm")) as container:
        assert not container.streams.audio


def stop_at(number):
    """What asks to stop, as Ctrl-C does, at the frame of that number."""
    seen = []

    def enhance(frame):
        seen.append(frame)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGINT)
        return frame

    return enhance


@posix_only
def test_ctrl_c_never_writes_over_a_file(tmp_path):
    path = write_video(tmp_path / "video.part.mp4", pan(60))
    before = path.read_bytes()
    with pytest.raises(VideoStopped, match=r"video\.part2\.mp4 has these"):
        copy(path, tmp_path / "video.mp4", stop_at(5))
    assert path.read_bytes() == before
    assert 5 <= len(frames_of(tmp_path / "video.part2.mp4")) < 10
    assert not (tmp_path / "video.mp4").exists()


@posix_only
def test_ctrl_c_at_the_last_frame_leaves_the_whole_video(tmp_path):
    path = write_video(tmp_path / "a.mp4", pan(10))
    with pytest.raises(VideoStopped, match="was finished; stopped before the next"):
        copy(path, tmp_path / "b.mp4", stop_at(10))
    assert len(frames_of(tmp_path / "b.mp4")) == 10


def test_frames_of_another_shape_begin_another_group_and_packets_alone_do_not_wait():
    small, large = (DecodedFrame(np.zeros(shape), None, 0) for shape in ((2, 2, 3), (4, 4, 3)))
    sound = [av.Packet() for _ in range(3)]
    items = [sound[0], small, small, sound[1], large, large, large, large, sound[2]]
    sizes = [(len(group), sum(isinstance(item, DecodedFrame) for item in group)) for group in in_groups(items, 3)]
    assert sizes == [(1, 0), (3, 2), (3, 3), (2, 1)]


def test_what_was_made_before_an_error_is_kept(tmp_path, caplog):
    path, seen = write_video(tmp_path / "a.mp4", pan(20)), []

    def enhance(frame):
        seen.append(frame)
        if len(seen) == 8:
            raise MemoryError("for frame 8")
        return frame

    plan = [(path, tmp_path / "b.mp4")]
    assert enhance_videos(plan, lambda: enhance, lambda: Steady(0), VideoOptions()) == 1
    assert "b.part.mp4 has the 7 frames that were made, and plays" in caplog.text
    assert len(frames_of(tmp_path / "b.part.mp4")) == 7
    assert not (tmp_path / "b.mp4").exists()


@posix_only
def test_ctrl_c_before_the_first_frame_stops_all_videos(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", pan(5))

    class Writer(VideoWriter):
        def __init__(self, *args):
            super().__init__(*args)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(enhance_module, "VideoWriter", Writer)
    plan = [(path, tmp_path / "out/b.mp4"), (path, tmp_path / "out/c.mp4")]
    with pytest.raises(VideoStopped, match="stopped before its first frame"):
        enhance_videos(plan, lambda: lambda frame: frame, lambda: Steady(0), VideoOptions())
    assert not list((tmp_path / "out").iterdir())
