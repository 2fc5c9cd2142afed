"""What people look for in a video is in its result; what is not true of it, or is left out, is said."""

from fractions import Fraction
from io import BytesIO

import av
import pytest
from av.stream import Disposition
from PIL import Image

from common.videos.enhance import VideoOptions, enhance_video
from common.videos.steady import Steady
from common.videos.video import probe
from tests.videos import frames_of, pan, read_streams, remake, write_video


def copy(path, result, enhance=lambda picture: picture, **options):
    return enhance_video(path, result, enhance, Steady(0), VideoOptions(**options))


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
    path = remake(
        path,
        tmp_path / f"a{source}",
        lambda container, _: container.metadata.update(tags),
        {} if tags is CAMERA else {"movflags": "use_metadata_tags"},
    )
    assert tags.items() <= normal(read_streams(path)[0]).items()
    copy(path, tmp_path / f"b{result}")
    assert tags.items() <= normal(read_streams(tmp_path / f"b{result}")[0]).items()


def normal(tags):
    """The same with the date in one form: QuickTime's keys have it as it was given."""
    return {key: value[:19] + ".000000Z" if key == "creation_time" else value for key, value in tags.items()}


def test_what_was_true_of_the_file_alone_is_not_said_of_the_result(tmp_path):
    path = remake(
        write_video(tmp_path / "video.mp4", pan(3)),
        tmp_path / "a.mkv",
        lambda _, streams: streams[0].metadata.update({"BPS": "123", "ENCODER": "other", "alpha_mode": "1"}),
    )
    copy(path, tmp_path / "b.mkv")
    tags = {key.upper() for key in read_streams(tmp_path / "b.mkv")[1][0]["tags"]}
    assert tags & {"BPS", "ENCODER", "ALPHA_MODE", "HANDLER_NAME", "DURATION"} == {"DURATION"}  # this one is new
    copy(write_video(tmp_path / "c.mp4", pan(3)), tmp_path / "d.mkv")
    assert not {"MAJOR_BRAND", "COMPATIBLE_BRANDS"} & set(read_streams(tmp_path / "d.mkv")[0])


def test_transparency_of_vp9_is_said_to_be_left_out(tmp_path, caplog):
    path = write_video(tmp_path / "a.webm", pan(3), codec="libvpx-vp9", pixel_format="yuva420p")
    assert read_streams(path)[1][0]["tags"]["alpha_mode"] == "1"
    copy(path, tmp_path / "b.webm")
    assert caplog.messages == [f"{path}: left out of the result: transparency"]
    assert "alpha_mode" not in read_streams(tmp_path / "b.webm")[1][0]["tags"]


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
    path = remake(
        write_video(tmp_path / "video.mp4", pan(3)),
        tmp_path / "a.mov",
        lambda _, streams: streams[0].metadata.update(timecode="01:00:00:00"),
    )
    assert [stream["type"] for stream in read_streams(path)[1]] == ["video", "data"]
    copy(path, tmp_path / f"b{suffix}")
    streams = read_streams(tmp_path / f"b{suffix}")[1]
    assert "01:00:00:00" in streams[0]["tags"].values()
    assert [stream["type"] for stream in streams[1:]] == ["data"] * (suffix != ".mkv")
    assert caplog.messages == []


def test_a_timecode_is_named_where_it_is_left_out(tmp_path, caplog):
    path = remake(
        write_video(tmp_path / "video.mp4", pan(3)),
        tmp_path / "a.mov",
        lambda _, streams: streams[0].metadata.update(timecode="01:00:00:00"),
    )
    copy(path, tmp_path / "b.avi")
    assert caplog.messages == [f"{path}: left out of the result: timecode 1"]


def test_the_track_of_chapters_is_not_said_to_be_left_out(tmp_path, caplog):
    chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
    path = remake(
        write_video(tmp_path / "video.mp4", pan(3)),
        tmp_path / "a.mp4",
        lambda container, _: container.set_chapters([chapter]),
    )
    assert [stream["type"] for stream in read_streams(path)[1]] == ["video", "data"]
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

    remake(write_video(path.with_name("video.mp4"), pan(5), sound=True), path, change)
    return cover.getvalue()


@pytest.mark.parametrize("source", [".mp4", ".mkv"])
@pytest.mark.parametrize("result", [".mp4", ".m4v", ".mkv"])
def test_a_cover_and_what_is_said_of_the_sound_are_kept(source, result, tmp_path, caplog):
    path = tmp_path / f"a{source}"
    cover = video_with_cover(path)
    copy(path, tmp_path / f"b{result}")
    assert caplog.messages == []
    _, streams = read_streams(tmp_path / f"b{result}")
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
    assert any(stream["cover"] for stream in read_streams(tmp_path / "b.mp4")[1])
