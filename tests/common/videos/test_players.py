"""What players need and what people look for in a video is in its result; what is not true of it is not."""

import os
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from common.videos.decoding import read_frames
from common.videos.enhance import VideoOptions, enhance_video, enhance_videos
from common.videos.frames import to_array, to_frame
from common.videos.steady import Steady
from common.videos.video import open_video, probe
from common.videos.writer import VideoWriter
from tests.videos import frames_of, pan, write_video


def copy(path, result, enhance=lambda frame: frame, **options):
    return enhance_video(path, result, enhance, Steady(0), VideoOptions(**options))


def read(path):
    """(tags of the file, [(type, codec, tag, profile, pixels, disposition, tags)] of its streams); all is decoded."""
    with av.open(str(path)) as container:
        streams = [
            {
                "type": stream.type,
                "tag": context and context.codec_tag,
                "profile": context and context.profile,
                "pixels": getattr(context, "pix_fmt", None),
                "cover": Disposition.attached_pic in stream.disposition,
                "tags": stream.metadata,
            }
            for stream in container.streams
            for context in [stream.codec_context]
        ]
        for packet in container.demux():
            if packet.stream.codec_context is not None:
                packet.decode()
        return container.metadata, streams


def rewrite(path, result, change, options=None):
    """Copies a video; change(container, streams) may say more of it. Returns the path."""
    with av.open(str(path)) as source, av.open(str(result), "w", options=options or {}) as container:
        streams = [container.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        packets = change(container, streams) or []
        for packet in packets:
            container.mux(packet)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                container.mux(packet)
    return result


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
def test_h265_has_the_tag_that_apples_players_know(suffix, tmp_path):
    copy(write_video(tmp_path / "a.mp4", pan(3)), tmp_path / f"b{suffix}", codec="h265")
    assert read(tmp_path / f"b{suffix}")[1][0]["tag"] == "hvc1"


PHONE = {
    "creation_time": "2024-05-01T08:00:00.000000Z",
    "com.apple.quicktime.creationdate": "2024-05-01T10:00:00+0200",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 15",
    "com.apple.quicktime.location.ISO6709": "+48.1000+011.5000/",
}
ANDROID = {
    "creation_time": "2024-05-01T08:00:00.000000Z",
    "location": "+48.1000+011.5000/",
    "com.android.version": "14",
}
CAMERA = {"creation_time": "2024-05-01T08:00:00.000000Z", "title": "Title", "artist": "Me", "make": "C", "model": "D"}


@pytest.mark.parametrize(
    ("tags", "source", "result"),
    [
        (PHONE, ".mov", ".mov"), (PHONE, ".mov", ".mp4"), (PHONE, ".mp4", ".mp4"), (ANDROID, ".mp4", ".mp4"),
        (ANDROID, ".mp4", ".mov"), (CAMERA, ".mov", ".mp4"),
    ],
)  # fmt: skip
def test_date_place_and_camera_are_kept(tags, source, result, tmp_path):
    path = write_video(tmp_path / "video.mp4", pan(3))
    path = rewrite(
        path,
        tmp_path / f"a{source}",
        lambda container, _: container.metadata.update(tags),
        {} if tags is CAMERA else {"movflags": "use_metadata_tags"},
    )
    assert tags.items() <= normal(read(path)[0]).items()
    copy(path, tmp_path / f"b{result}")
    assert tags.items() <= normal(read(tmp_path / f"b{result}")[0]).items()


def normal(tags):
    """The same with the date in one form: QuickTime's keys have it as it was given."""
    return {key: value[:19] + ".000000Z" if key == "creation_time" else value for key, value in tags.items()}


def test_what_was_true_of_the_file_alone_is_not_said_of_the_result(tmp_path):
    path = rewrite(
        write_video(tmp_path / "video.mp4", pan(3)),
        tmp_path / "a.mkv",
        lambda _, streams: streams[0].metadata.update({"BPS": "123", "ENCODER": "other", "alpha_mode": "1"}),
    )
    copy(path, tmp_path / "b.mkv")
    tags = {key.upper() for key in read(tmp_path / "b.mkv")[1][0]["tags"]}
    assert tags & {"BPS", "ENCODER", "ALPHA_MODE", "HANDLER_NAME", "DURATION"} == {"DURATION"}  # this one is new
    copy(write_video(tmp_path / "c.mp4", pan(3)), tmp_path / "d.mkv")
    assert not {"MAJOR_BRAND", "COMPATIBLE_BRANDS"} & set(read(tmp_path / "d.mkv")[0])


@pytest.mark.parametrize(("deep", "suffix"), [(False, ".mkv"), (False, ".avi"), (True, ".mkv")])
def test_ffv1_loses_nothing_of_colours_beside_each_other(deep, suffix, tmp_path):
    columns = np.zeros((48, 64, 3), np.uint8)
    columns[:, ::2, 0] = columns[:, 1::2, 2] = 255
    path = write_video(tmp_path / "a.mkv", [columns] * 2, pixel_format="yuv444p10le" if deep else "yuv444p")
    made = columns.astype(np.uint16) * 257 - 100 if deep else columns
    copy(path, tmp_path / f"b{suffix}", lambda frame: made, codec="ffv1")
    result = tmp_path / f"b{suffix}"
    assert np.array_equal(to_array(frames_of(result)[0], probe(result)), made)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux: the list of open files")
def test_a_full_disk_leaves_no_file_open_and_the_next_video_is_made(tmp_path, caplog):
    import resource

    frames = pan(8, size=(160, 120), noise=40)
    frames = pan(12, size=(160, 120), noise=60)  # so much that frames are still written while the encoder ends
    path, short = write_video(tmp_path / "a.mp4", frames), write_video(tmp_path / "c.mp4", pan(2))
    copy(path, tmp_path / "whole.mp4")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for part in (0.01, 0.5, 0.98):  # of the result: the disk is full at its beginning, in its midst, at its end
        caplog.clear()
        size = int(part * (tmp_path / "whole.mp4").stat().st_size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            failed = enhance_videos([(path, tmp_path / "b.mp4")], np.copy, lambda: Steady(0), VideoOptions())
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
        video = read(tmp_path / f"b{suffix}")[1][0]
        assert (video["profile"], video["pixels"]) == ("Main 10", "yuv420p10le")
    assert f"{path}: has 10 bits, so the result is H.265; --codec h264 makes it 8 bits" in caplog.text


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "h264"), (".avi", None)])
def test_h264_has_8_bits_and_a_line_says_so(suffix, codec, tmp_path, caplog):
    path = write_video(tmp_path / "a.mkv", pan(2), pixel_format="yuv420p10le")
    copy(path, tmp_path / f"b{suffix}", codec=codec)
    video = read(tmp_path / f"b{suffix}")[1][0]
    assert (video["profile"], video["pixels"]) == ("High", "yuv420p")
    assert "10 bits become 8; --codec h265 in .mp4, .mov or .mkv keeps them" in caplog.text


@pytest.mark.parametrize(("codec", "profile"), [("h264", "High"), ("h265", "Main")])
def test_of_odd_sizes_the_edge_is_doubled_so_that_players_take_them(codec, profile, tmp_path, caplog):
    path = write_video(tmp_path / "a.mp4", [frame[:47, :61].copy() for frame in pan(3)], rotation=90)
    copy(path, tmp_path / "b.mp4", codec=codec, quality=100)
    video = read(tmp_path / "b.mp4")[1][0]
    assert (video["profile"], video["pixels"]) == (profile, "yuv420p")
    frame, source = (to_array(frames_of(file)[0], probe(file)).astype(int) for file in (tmp_path / "b.mp4", path))
    assert frame.shape == (62, 48, 3)
    upright = np.rot90(np.pad(np.rot90(source, -1), ((0, 1), (0, 1), (0, 0)), "edge"))
    assert np.abs(frame - upright).mean() < 4  # chroma is halved
    assert "61 x 47 becomes 62 x 48, the edge doubled, since players want even sides" in caplog.text


@pytest.mark.parametrize(("suffix", "codec"), [(".webm", "vp9"), (".mkv", "ffv1")])
def test_odd_sizes_stay_odd_where_players_take_them(suffix, codec, tmp_path, caplog):
    path = write_video(tmp_path / "a.mkv", [frame[:47, :61].copy() for frame in pan(3)])
    copy(path, tmp_path / f"b{suffix}", codec=codec)
    assert {(frame.width, frame.height) for frame in frames_of(tmp_path / f"b{suffix}")} == {(61, 47)}
    assert caplog.messages == []


def test_transparency_of_vp9_is_said_to_be_left_out(tmp_path, caplog):
    path = write_video(tmp_path / "a.webm", pan(3), codec="libvpx-vp9", pixel_format="yuva420p")
    assert read(path)[1][0]["tags"]["alpha_mode"] == "1"
    copy(path, tmp_path / "b.webm")
    assert caplog.messages == [f"{path}: left out of the result: transparency"]
    assert "alpha_mode" not in read(tmp_path / "b.webm")[1][0]["tags"]


def test_a_video_whose_sound_is_longer_is_not_cut_off(tmp_path, caplog):
    with av.open(str(write_video(tmp_path / "long.mp4", pan(60), sound=True))) as long:
        sound = [packet for packet in long.demux(audio=0) if packet.dts is not None]
        with (
            av.open(str(write_video(tmp_path / "short.mp4", pan(10)))) as short,
            av.open(str(tmp_path / "a.mkv"), "w") as container,
        ):
            video = container.add_stream_from_template(short.streams.video[0], opaque=True)
            voice = container.add_stream_from_template(long.streams.audio[0])
            for packet in [*(packet for packet in short.demux(video=0) if packet.dts is not None), *sound]:
                packet.stream = video if packet.stream.type == "video" else voice
                container.mux(packet)
    assert probe(tmp_path / "a.mkv").seconds > 2
    copy(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert caplog.messages == []


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_a_timecode_is_kept_and_not_said_to_be_left_out(suffix, tmp_path, caplog):
    path = rewrite(
        write_video(tmp_path / "video.mp4", pan(3)),
        tmp_path / "a.mov",
        lambda _, streams: streams[0].metadata.update(timecode="01:00:00:00"),
    )
    assert [stream["type"] for stream in read(path)[1]] == ["video", "data"]
    copy(path, tmp_path / f"b{suffix}")
    streams = read(tmp_path / f"b{suffix}")[1]
    assert "01:00:00:00" in streams[0]["tags"].values()
    assert [stream["type"] for stream in streams[1:]] == ["data"] * (suffix != ".mkv")
    assert caplog.messages == []


def test_a_timecode_is_named_where_it_is_left_out(tmp_path, caplog):
    path = rewrite(
        write_video(tmp_path / "video.mp4", pan(3)),
        tmp_path / "a.mov",
        lambda _, streams: streams[0].metadata.update(timecode="01:00:00:00"),
    )
    copy(path, tmp_path / "b.avi")
    assert caplog.messages == [f"{path}: left out of the result: timecode 1"]


def test_the_track_of_chapters_is_not_said_to_be_left_out(tmp_path, caplog):
    chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
    path = rewrite(
        write_video(tmp_path / "video.mp4", pan(3)),
        tmp_path / "a.mp4",
        lambda container, _: container.set_chapters([chapter]),
    )
    assert [stream["type"] for stream in read(path)[1]] == ["video", "data"]
    copy(path, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert [found["metadata"] for found in container.chapters()] == [{"title": "one"}]
    assert caplog.messages == []


def video_with_cover(path, tags=()):
    """A video with sound that has a title, a language and a handler's name, and with a cover. Returns cover's bytes."""
    cover = BytesIO()
    Image.new("RGB", (32, 32), (200, 0, 0)).save(cover, "JPEG")

    def change(container, streams):
        streams[1].metadata.update(title="Director", language="fre", handler_name="Kommentar")
        container.metadata.update(tags)
        if path.suffix == ".mkv":
            container.add_attachment("cover.jpg", "image/jpeg", cover.getvalue())
            return []
        stream = container.add_mux_stream("mjpeg", width=32, height=32, time_base=Fraction(1, 90_000))
        stream.disposition = Disposition.attached_pic
        packet = av.Packet(cover.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 90_000)
        return [packet]

    rewrite(write_video(path.with_name("video.mp4"), pan(5), sound=True), path, change)
    return cover.getvalue()


@pytest.mark.parametrize("source", [".mp4", ".mkv"])
@pytest.mark.parametrize("result", [".mp4", ".m4v", ".mkv"])
def test_a_cover_and_what_is_said_of_the_sound_are_kept(source, result, tmp_path, caplog):
    path = tmp_path / f"a{source}"
    cover = video_with_cover(path)
    copy(path, tmp_path / f"b{result}")
    assert caplog.messages == []
    _, streams = read(tmp_path / f"b{result}")
    assert [(stream["type"], stream["cover"]) for stream in streams] == [
        ("video", False), ("audio", False), ("video", True),
    ]  # fmt: skip
    tags = {key.lower(): value for key, value in streams[1]["tags"].items()}
    assert tags["language"] == "fre"
    assert tags.get("title", tags.get("name")) == "Director"  # FFmpeg reads an MP4's as 'name'
    assert source != ".mp4" or tags["handler_name"] == "Kommentar"
    with av.open(str(tmp_path / f"b{result}")) as container:
        (found,) = (bytes(packet) for packet in container.demux(video=1) if packet.size)
    assert found == cover


@pytest.mark.parametrize("result", [".mov", ".avi", ".webm"])
def test_a_cover_that_the_container_does_not_take_is_left_out_by_its_name(result, tmp_path, caplog):
    video_with_cover(tmp_path / "a.mp4")
    copy(tmp_path / "a.mp4", tmp_path / f"b{result}")
    assert "cover 2" in caplog.text
    assert len(frames_of(tmp_path / f"b{result}")) == 5


def test_of_a_cover_and_quicktimes_tags_the_cover_is_kept(tmp_path, caplog):
    video_with_cover(tmp_path / "a.mkv", {"com.apple.quicktime.make": "Apple"})
    copy(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert caplog.messages == [f"{tmp_path / 'a.mkv'}: left out of the result: COM.APPLE.QUICKTIME.MAKE"]
    assert any(stream["cover"] for stream in read(tmp_path / "b.mp4")[1])


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
