"""Videos in and out: what must be kept is kept, and what is broken is told."""

import logging
from fractions import Fraction

import av
import numpy as np
import pytest

from common.videos.enhance import VideoOptions, enhance_video, enhance_videos
from common.videos.frames import to_array
from common.videos.steady import Steady
from common.videos.video import VideoError, open_video, probe
from tests.hostile_videos import NO_VIDEOS, make_videos
from tests.videos import frames_of, pan, sound_of, write_video


def twice(frame):
    return frame.repeat(2, axis=0).repeat(2, axis=1)


def enlarge(path, result, **options):
    return enhance_video(path, result, twice, Steady(0), VideoOptions(scale=2, **options))


def arrays(path):
    video = probe(path)
    return [to_array(frame, video) for frame in frames_of(path)]


def test_frames_times_and_sound_of_a_video_are_kept(tmp_path):
    frames = pan(30)
    path = write_video(tmp_path / "a.mp4", frames, sound=True)
    enlarge(path, tmp_path / "b.mp4", quality=95)
    before, after = frames_of(path), frames_of(tmp_path / "b.mp4")
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert sound_of(tmp_path / "b.mp4") == sound_of(path)
    results = arrays(tmp_path / "b.mp4")
    assert {result.shape for result in results} == {(96, 128, 3)}
    for frame, result in zip(frames, results, strict=True):
        assert np.abs(twice(frame).astype(int) - result).mean() < 4  # chroma is halved
    assert probe(tmp_path / "b.mp4").seconds == pytest.approx(30 / 25)


@pytest.mark.parametrize("matrix", [1, 5], ids=["BT.709", "BT.601"])
@pytest.mark.parametrize("pixel_range", [1, 2], ids=["16 to 235", "0 to 255"])
def test_colours_come_through_in_each_matrix_and_range(matrix, pixel_range, tmp_path):
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 150, 30]], np.uint8)
    pixels = colors.repeat(16, axis=0)[None].repeat(32, axis=0)
    path = write_video(tmp_path / "a.mp4", [pixels] * 3, matrix=matrix, pixel_range=pixel_range)
    enlarge(path, tmp_path / "b.mp4", quality=100)
    for file in (path, tmp_path / "b.mp4"):
        frame = frames_of(file)[0]
        assert (int(frame.colorspace), int(frame.color_range)) == (matrix, pixel_range)
        inner = arrays(file)[0][len(arrays(file)[0]) // 2, :: pixels.shape[0] // 32].astype(int)
        scale = len(inner) // 96
        assert np.abs(inner[8 * scale :: 16 * scale][: len(colors)] - colors).max() <= 4, inner[8 * scale :: 16 * scale]


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_a_video_that_players_turn_is_enhanced_upright_and_stays_turned(rotation, tmp_path):
    path, seen = write_video(tmp_path / "a.mp4", pan(4), rotation=rotation), []

    def look(frame):
        seen.append(frame)
        return twice(frame)

    enhance_video(path, tmp_path / "b.mp4", look, Steady(0), VideoOptions(scale=2))
    upright = np.rot90(pan(4)[0], rotation // 90)
    assert np.abs(seen[0].astype(int) - upright).mean() < 4
    video = probe(tmp_path / "b.mp4")
    assert (video.rotation % 360, video.width, video.height) == (rotation % 360, 128, 96)
    assert np.abs(arrays(tmp_path / "b.mp4")[0].astype(int) - twice(upright)).mean() < 5


def test_uneven_times_are_kept(tmp_path):
    times = [0, 40, 95, 120, 200, 210, 400]
    path = write_video(tmp_path / "a.mkv", pan(7), milliseconds=times)
    enlarge(path, tmp_path / "b.mkv")
    assert [round(1000 * frame.time) for frame in frames_of(tmp_path / "b.mkv")] == times


def test_ten_bits_stay_ten_bits(tmp_path):
    ramp = np.linspace(0, 255, 64).round().astype(np.uint8)[None, :, None].repeat(48, axis=0).repeat(3, axis=2)
    path, seen = write_video(tmp_path / "a.mkv", [ramp] * 2, pixel_format="yuv420p10le"), []
    enhance_video(path, tmp_path / "b.mkv", lambda p: seen.append(p) or p, Steady(0), VideoOptions())
    assert seen[0].dtype == np.uint16
    assert frames_of(tmp_path / "b.mkv")[0].format.name == "yuv420p10le"


def test_an_avi_has_its_frames_in_order(tmp_path):
    frames = pan(12)
    path, seen = write_video(tmp_path / "a.avi", frames, pixel_format="yuv420p"), []
    enhance_video(path, tmp_path / "b.avi", lambda p: seen.append(p) or p, Steady(0), VideoOptions())
    for frame, found in zip(frames, seen, strict=True):
        assert np.abs(frame.astype(int) - found).mean() < 4
    assert len(frames_of(tmp_path / "b.avi")) == 12


@pytest.mark.parametrize(("suffix", "codec"), [(".webm", "vp9"), (".avi", "h264"), (".mov", "h264"), (".mkv", "hevc")])
def test_other_containers_and_codecs(suffix, codec, tmp_path):
    source = {".webm": "libvpx-vp9", ".avi": "mpeg4"}.get(suffix, "libx264")
    path = write_video(tmp_path / f"a{suffix}", pan(10), codec=source, pixel_format="yuv420p")
    enlarge(path, tmp_path / f"b{suffix}", codec="h265" if codec == "hevc" else None)
    with open_video(tmp_path / f"b{suffix}") as container:
        assert container.streams.video[0].codec_context.name.removeprefix("lib") == codec
    assert len(frames_of(tmp_path / f"b{suffix}")) == 10


def test_chapters_are_kept_and_an_attachment_where_it_can_be_else_it_is_left_out_by_name(tmp_path, caplog):
    chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.add_attachment("note.txt", "text/plain", b"hello")
        container.set_chapters([chapter])
        for i, pixels in enumerate(pan(5)):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    enlarge(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert caplog.messages == []
    enlarge(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert "left out of the result: attachment 1" in caplog.text
    for suffix in (".mkv", ".mp4"):
        with av.open(str(tmp_path / f"b{suffix}")) as container:
            (found,) = container.chapters()
            assert (found["metadata"], found["end"] * found["time_base"]) == ({"title": "one"}, Fraction(1, 10))
            names = [stream.metadata["filename"] for stream in container.streams.attachments]
        assert names == ["note.txt"] * (suffix == ".mkv")


def test_a_video_of_one_frame(tmp_path):
    enlarge(write_video(tmp_path / "a.mp4", pan(1)), tmp_path / "b.mp4")
    assert len(frames_of(tmp_path / "b.mp4")) == 1


def test_a_broken_frame_is_the_one_before_it(tmp_path, caplog):
    path = write_video(tmp_path / "a.mkv", pan(20), codec="mpeg4", pixel_format="yuv420p")
    with av.open(str(path)) as source, av.open(str(tmp_path / "broken.mkv"), "w") as broken:
        stream = broken.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.dts is None:
                continue
            if number == 5:
                data = av.Packet(b"\x00" * 8)
                data.pts, data.dts, data.time_base = packet.pts, packet.dts, packet.time_base
                packet = data
            packet.stream = stream
            broken.mux(packet)
    with caplog.at_level(logging.WARNING):
        enlarge(tmp_path / "broken.mkv", tmp_path / "b.mkv")
    after = frames_of(tmp_path / "b.mkv")
    assert len(after) == 20
    assert "1 of 20 frames are broken; each is replaced by the one before it" in caplog.text
    results = arrays(tmp_path / "b.mkv")
    assert np.abs(results[5].astype(int) - results[4]).mean() < 2


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "videos"
    make_videos(folder)
    return folder


def test_a_video_that_is_cut_off_ends_there(hostile, tmp_path, caplog):
    enlarge(hostile / "cut.mkv", tmp_path / "b.mkv")
    assert 10 < len(frames_of(tmp_path / "b.mkv")) < 30
    seconds = len(frames_of(tmp_path / "b.mkv")) / 25
    assert caplog.messages == [f"{hostile}/cut.mkv: ends after {seconds:.1f} of 1.2 seconds; is it cut off?"]


@pytest.mark.parametrize(("name", "message"), NO_VIDEOS.items())
def test_what_is_no_video_gets_a_line_and_leaves_nothing(name, message, hostile, tmp_path, caplog):
    with pytest.raises(VideoError) as error:
        enlarge(hostile / name, tmp_path / name)
    assert str(error.value) == f"{hostile / name}: {message}"
    plan = [(hostile / name, tmp_path / "out" / name), (hostile / "one.mp4", tmp_path / "out/one.mp4")]
    assert enhance_videos(plan, lambda: twice, lambda: Steady(0), VideoOptions(scale=2)) == 1
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["one.mp4"]
    assert "1 of 2 videos failed" in caplog.text


def subtitles_of(path):
    """(words, seconds, duration) of each; MP4 has empty ones between, which are left out."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.subtitles[0]) if packet.size > 2]
        return [(bytes(packet), float(packet.pts * packet.time_base), packet.duration) for packet in packets]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_subtitles_are_copied(suffix, tmp_path):
    path, result = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_video(path, pan(30), subtitles=[b"Bonjour", "à tous".encode()])
    before = subtitles_of(path)
    assert [words[-7:] for words, *_ in before] == [b"Bonjour", "à tous".encode()]
    enlarge(path, result)
    assert subtitles_of(result) == before
    with av.open(str(result)) as container:
        assert container.streams.subtitles[0].metadata["language"] == "fre"
