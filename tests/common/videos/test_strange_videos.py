"""Videos that are in order, but not as one expects, and videos that are damaged."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import InvalidDataError
from av.stream import Disposition

from common.videos.decoding import DecodedFrame, read_frames
from common.videos.enhance import VideoOptions, enhance_video
from common.videos.frames import to_array
from common.videos.steady import Steady
from common.videos.video import VideoError, open_video, probe
from tests.commands import posix_only
from tests.videos import frames_of, pan, rewrite_video, write_video


def twice(frame):
    return frame.repeat(2, axis=0).repeat(2, axis=1)


def copy(path, result, enhance=lambda frame: frame, scale=1, **options):
    return enhance_video(path, result, enhance, Steady(0), VideoOptions(scale=scale, **options))


def one_color(color, width, height):
    return np.broadcast_to(np.array(color, np.uint8), (height, width, 3)).copy()


def middle_of(path):
    """The colour that players show in the middle of the first frame."""
    array = to_array(frames_of(path)[0], probe(path)).astype(int)
    return array[array.shape[0] // 2, array.shape[1] // 2]


def times_of(path):
    return [round(frame.time, 3) for frame in frames_of(path)]


def broken_in(path):
    video = probe(path)
    with open_video(path) as source:
        frames = [item for item in read_frames(source, video) if isinstance(item, DecodedFrame)]
    return [number for number, frame in enumerate(frames) if frame.broken]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_may_come_before_the_frames(suffix, tmp_path):
    path = write_video(tmp_path / f"a{suffix}", pan(30), sound=True, sound_first=True)
    assert broken_in(path) == []
    copy(path, tmp_path / f"b{suffix}")
    assert times_of(tmp_path / f"b{suffix}") == times_of(path)


def test_a_broken_frame_does_not_take_others_along(tmp_path):
    path = write_video(tmp_path / "a.mp4", pan(40))
    nonsense = b"\0\0\0\4\x41\xff\xff\xff"  # a slice of H.264
    for number in (20, 36, 39):
        damage = rewrite_video(path, tmp_path / "b.mp4", lambda i, packet, at=number: nonsense if i == at else packet)
        assert len(broken_in(damage)) == 1


def test_where_the_file_breaks_off_frames_that_were_read_are_kept(tmp_path):
    @dataclass
    class BreaksOff:
        source: av.container.InputContainer

        def __getattr__(self, name):
            return getattr(self.source, name)

        def demux(self, *streams):
            for number, packet in enumerate(self.source.demux(*streams)):
                if number == 20:
                    raise InvalidDataError(1, "broken")
                yield packet

    path = write_video(tmp_path / "a.mp4", pan(40))
    video = probe(path)
    with open_video(path) as source:
        frames = list(read_frames(BreaksOff(source), video))
    # The times are those of decoding: frames that come early wait for others.
    assert len(frames) >= 20
    assert sum(not frame.broken for frame in frames) == 20


def test_colours_stay_where_a_video_does_not_say_its_matrix_and_grows_to_hd(tmp_path):
    color = (200, 30, 30)
    path = write_video(tmp_path / "a.mp4", [one_color(color, 64, 480)] * 3, matrix=2, pixel_range=0)
    copy(path, tmp_path / "b.mp4", twice, scale=2, quality=100)
    assert np.abs(middle_of(path) - middle_of(tmp_path / "b.mp4")).max() <= 3
    assert int(frames_of(tmp_path / "b.mp4")[0].colorspace) == 6  # and the file says it


@pytest.mark.parametrize("width", [61, 64])
def test_a_video_in_rgb_becomes_ycbcr_and_says_so(width, tmp_path):
    color = (200, 30, 30)
    path = write_video(tmp_path / "a.mov", [one_color(color, width, 47 if width == 61 else 48)] * 3, "png", "rgb24")
    copy(path, tmp_path / "b.mov", quality=100)
    assert np.abs(middle_of(tmp_path / "b.mov") - color).max() <= 3
    frame = frames_of(tmp_path / "b.mov")[0]
    assert frame.format.name.startswith("yuv")
    assert int(frame.colorspace) == 6


@posix_only  # Windows has no such names
def test_a_colon_in_a_name_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.mp4", pan(3)).rename("clip:1.mp4")
    copy(Path("clip:1.mp4"), Path("clip:2.mp4"))
    assert len(frames_of(tmp_path / "clip:2.mp4")) == 3


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_mirrored_video_is_enhanced_as_it_is_seen_and_stays_mirrored(rotation, mirrored, tmp_path):
    (frame,) = pan(1)
    path, seen = write_video(tmp_path / "a.mp4", [frame], rotation=rotation, mirrored=mirrored), []

    def look(frame):
        seen.append(frame)
        return frame

    copy(path, tmp_path / "b.mp4", look, quality=100)
    upright = np.rot90(frame, rotation // 90)
    expected = upright[:, ::-1] if mirrored else upright
    assert np.abs(seen[0].astype(int) - expected).mean() < 3
    video, result = probe(path), probe(tmp_path / "b.mp4")
    assert (result.rotation % 360, result.mirrored) == (video.rotation % 360, video.mirrored) == (rotation, mirrored)
    shown = to_array(frames_of(tmp_path / "b.mp4")[0], result)
    assert np.abs(shown.astype(int) - expected).mean() < 5  # chroma is halved


def test_avi_cannot_say_that_it_is_rotated(tmp_path):
    path = write_video(tmp_path / "a.mp4", pan(2), rotation=90)
    with pytest.raises(VideoError, match=r"\.avi files cannot say that they are rotated"):
        copy(path, tmp_path / "b.avi")


def test_broken_frames_of_an_avi_are_replaced_and_left_out_ones_leave_time(tmp_path, caplog):
    path = write_video(tmp_path / "a.avi", pan(20), codec="mpeg4", pixel_format="yuv420p")
    damage = rewrite_video(path, tmp_path / "b.avi", lambda i, packet: bytes(8) if i in (5, 6, 7) else packet)
    copy(damage, tmp_path / "c.avi")
    assert len(frames_of(tmp_path / "c.avi")) == 20
    assert "3 of 20 frames are broken" in caplog.text
    without = rewrite_video(path, tmp_path / "d.avi", lambda i, packet: None if i in (5, 6, 7) else packet)
    video = probe(without)
    with open_video(without) as source:
        times = [item.pts for item in read_frames(source, video) if isinstance(item, DecodedFrame)]
    assert times[-1] - times[0] == 19


def test_which_sound_is_played_by_default_is_kept(tmp_path):
    path = tmp_path / "a.mp4"
    video = write_video(tmp_path / "video.mp4", pan(10), sound=True)
    with av.open(str(video)) as source, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(source.streams.video[0], opaque=True)
        english, french = (container.add_stream_from_template(source.streams.audio[0]) for _ in range(2))
        french.disposition = Disposition.default
        english.disposition = Disposition(0)
        for packet in source.demux():
            if packet.dts is not None:
                targets = [video] if packet.stream.type == "video" else [english, french]
                for target in targets:
                    copied = av.Packet(bytes(packet))
                    copied.pts, copied.dts, copied.time_base = packet.pts, packet.dts, packet.time_base
                    copied.stream = target
                    container.mux(copied)
    for suffix in (".mp4", ".mkv"):
        copy(path, tmp_path / f"b{suffix}")
        with av.open(str(tmp_path / f"b{suffix}")) as container:
            flags = [Disposition.default in stream.disposition for stream in container.streams.audio]
        assert flags == [False, True]


def test_the_last_frame_is_shown_as_long_as_before(tmp_path, caplog):
    short = write_video(tmp_path / "short.mp4", pan(3), milliseconds=[0, 1000, 2000])

    def longer(number, packet):
        packet.duration = round((5 if number == 2 else 1) / packet.time_base)
        return packet

    path = rewrite_video(short, tmp_path / "a.mp4", longer)
    assert probe(path).seconds == pytest.approx(7)
    for suffix in (".mp4", ".mkv"):
        copy(path, tmp_path / f"b{suffix}")
        assert probe(tmp_path / f"b{suffix}").seconds == pytest.approx(7)
    assert caplog.messages == []


def test_a_video_that_does_not_start_at_zero_is_whole(tmp_path, caplog):
    path = write_video(tmp_path / "a.mkv", pan(3), milliseconds=[10_000, 10_400, 10_800])
    copy(path, tmp_path / "b.mkv")
    assert times_of(tmp_path / "b.mkv") == times_of(path)
    assert caplog.messages == []


def test_vp8_frames_that_are_not_shown_are_not_missing(tmp_path):
    path = write_video(tmp_path / "a.webm", pan(20), codec="libvpx", pixel_format="yuv420p")
    hidden = []

    def hide(number, packet):
        data = bytes(packet)
        if number != 10:
            return packet
        hidden.append(number)
        return bytes([data[0] & ~0x10]) + data[1:]

    damage = rewrite_video(path, tmp_path / "b.webm", hide)
    assert hidden == [10]
    assert broken_in(damage) == []
    assert len(frames_of(damage)) == 19


def test_a_video_that_is_interlaced_further_on_is_refused(tmp_path):
    parts = []
    for name, flags in (("a", {}), ("b", {"flags": "+ildct+ilme"})):
        parts.append(tmp_path / f"{name}.mkv")
        with av.open(str(parts[-1]), "w") as container:
            stream = container.add_stream("mpeg2video", rate=25, options=flags)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            stream.codec_context.max_b_frames = 0
            for i, pixels in enumerate(pan(5, size=(64, 64))):
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
                frame.pts = i
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    path = tmp_path / "both.mkv"
    with av.open(str(parts[0])) as first, av.open(str(parts[1])) as second, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(first.streams.video[0], opaque=True)
        for late, source in ((0, first), (200, second)):
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.pts, packet.dts, packet.stream = packet.pts + late, packet.dts + late, stream
                    container.mux(packet)
    with pytest.raises(VideoError, match="interlaced"):
        copy(path, tmp_path / "c.mkv")
    assert not list(tmp_path.glob("*c.mkv"))
