"""Films in and out: what must be kept is kept, and what is broken is told."""

import logging
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from common.films.enhance import FilmOptions, enhance_film, enhance_films
from common.films.film import FilmError, open_film, probe
from common.films.frames import to_array
from common.films.pictures import Picture, read_pictures
from common.films.steady import Steady
from tests.films import frames_of, pan, sound_of, write_film


def twice(picture):
    return picture.repeat(2, axis=0).repeat(2, axis=1)


def enlarge(path, result, **options):
    return enhance_film(path, result, twice, Steady(0), FilmOptions(scale=2, **options))


def arrays(path):
    film = probe(path)
    return [to_array(frame, film) for frame in frames_of(path)]


def test_pictures_times_and_sound_of_a_film_are_kept(tmp_path):
    pictures = pan(30)
    path = write_film(tmp_path / "a.mp4", pictures, sound=True)
    enlarge(path, tmp_path / "b.mp4", quality=95)
    before, after = frames_of(path), frames_of(tmp_path / "b.mp4")
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert sound_of(tmp_path / "b.mp4") == sound_of(path)
    results = arrays(tmp_path / "b.mp4")
    assert {result.shape for result in results} == {(96, 128, 3)}
    for picture, result in zip(pictures, results, strict=True):
        assert np.abs(twice(picture).astype(int) - result).mean() < 4  # chroma is halved
    assert probe(tmp_path / "b.mp4").seconds == pytest.approx(30 / 25)


@pytest.mark.parametrize("matrix", [1, 5], ids=["BT.709", "BT.601"])
@pytest.mark.parametrize("pixel_range", [1, 2], ids=["16 to 235", "0 to 255"])
def test_colours_come_through_in_each_matrix_and_range(matrix, pixel_range, tmp_path):
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 150, 30]], np.uint8)
    picture = colors.repeat(16, axis=0)[None].repeat(32, axis=0)
    path = write_film(tmp_path / "a.mp4", [picture] * 3, matrix=matrix, pixel_range=pixel_range)
    enlarge(path, tmp_path / "b.mp4", quality=100)
    for file in (path, tmp_path / "b.mp4"):
        frame = frames_of(file)[0]
        assert (int(frame.colorspace), int(frame.color_range)) == (matrix, pixel_range)
        inner = arrays(file)[0][len(arrays(file)[0]) // 2, :: picture.shape[0] // 32].astype(int)
        scale = len(inner) // 96
        assert np.abs(inner[8 * scale :: 16 * scale][: len(colors)] - colors).max() <= 4, inner[8 * scale :: 16 * scale]


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_a_film_that_players_turn_is_enhanced_upright_and_stays_turned(rotation, tmp_path):
    path, seen = write_film(tmp_path / "a.mp4", pan(4), rotation=rotation), []

    def look(picture):
        seen.append(picture)
        return twice(picture)

    enhance_film(path, tmp_path / "b.mp4", look, Steady(0), FilmOptions(scale=2))
    upright = np.rot90(pan(4)[0], rotation // 90)
    assert np.abs(seen[0].astype(int) - upright).mean() < 4
    film = probe(tmp_path / "b.mp4")
    assert (film.rotation % 360, film.width, film.height) == (rotation % 360, 128, 96)
    assert np.abs(arrays(tmp_path / "b.mp4")[0].astype(int) - twice(upright)).mean() < 5


def test_uneven_times_are_kept(tmp_path):
    times = [0, 40, 95, 120, 200, 210, 400]
    path = write_film(tmp_path / "a.mkv", pan(7), milliseconds=times)
    enlarge(path, tmp_path / "b.mkv")
    assert [round(1000 * frame.time) for frame in frames_of(tmp_path / "b.mkv")] == times


def test_ten_bits_stay_ten_bits(tmp_path):
    ramp = np.linspace(0, 255, 64).round().astype(np.uint8)[None, :, None].repeat(48, axis=0).repeat(3, axis=2)
    path, seen = write_film(tmp_path / "a.mkv", [ramp] * 2, pixel_format="yuv420p10le"), []
    enhance_film(path, tmp_path / "b.mkv", lambda p: seen.append(p) or p, Steady(0), FilmOptions())
    assert seen[0].dtype == np.uint16
    assert frames_of(tmp_path / "b.mkv")[0].format.name == "yuv420p10le"


def test_an_avi_has_its_pictures_in_order(tmp_path):
    pictures = pan(12)
    path, seen = write_film(tmp_path / "a.avi", pictures, pixel_format="yuv420p"), []
    enhance_film(path, tmp_path / "b.avi", lambda p: seen.append(p) or p, Steady(0), FilmOptions())
    for picture, found in zip(pictures, seen, strict=True):
        assert np.abs(picture.astype(int) - found).mean() < 4
    assert len(frames_of(tmp_path / "b.avi")) == 12


@pytest.mark.parametrize(("suffix", "codec"), [(".webm", "vp9"), (".avi", "h264"), (".mov", "h264"), (".mkv", "hevc")])
def test_other_containers_and_codecs(suffix, codec, tmp_path):
    source = {".webm": "libvpx-vp9", ".avi": "mpeg4"}.get(suffix, "libx264")
    path = write_film(tmp_path / f"a{suffix}", pan(10), codec=source, pixel_format="yuv420p")
    enlarge(path, tmp_path / f"b{suffix}", codec="h265" if codec == "hevc" else None)
    with open_film(tmp_path / f"b{suffix}") as container:
        assert container.streams.video[0].codec_context.name.removeprefix("lib") == codec
    assert len(frames_of(tmp_path / f"b{suffix}")) == 10


def test_chapters_are_kept_and_an_attachment_is_left_out_by_name(tmp_path, caplog):
    chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.add_attachment("note.txt", "text/plain", b"hello")
        container.set_chapters([chapter])
        for i, picture in enumerate(pan(5)):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    enlarge(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert "streams that are left out: attachment 1" in caplog.text
    with av.open(str(tmp_path / "b.mkv")) as container:
        (found,) = container.chapters()
    assert (found["metadata"], found["end"] * found["time_base"]) == ({"title": "one"}, Fraction(1, 10))


def test_odd_sizes_stay_odd(tmp_path):
    path = write_film(tmp_path / "a.mkv", [picture[:47, :61].copy() for picture in pan(3)])
    enhance_film(path, tmp_path / "b.mkv", lambda picture: picture, Steady(0), FilmOptions())
    assert {result.shape for result in arrays(tmp_path / "b.mkv")} == {(47, 61, 3)}


def test_a_film_of_one_picture(tmp_path):
    enlarge(write_film(tmp_path / "a.mp4", pan(1)), tmp_path / "b.mp4")
    assert len(frames_of(tmp_path / "b.mp4")) == 1


def test_a_broken_picture_is_the_one_before_it(tmp_path, caplog):
    path = write_film(tmp_path / "a.mkv", pan(20), codec="mpeg4", pixel_format="yuv420p")
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
    assert "1 of 20 pictures are broken; each is the one before it" in caplog.text
    results = arrays(tmp_path / "b.mkv")
    assert np.abs(results[5].astype(int) - results[4]).mean() < 2


def test_a_film_that_is_cut_off_ends_there(tmp_path):
    path = write_film(tmp_path / "a.mkv", pan(60, noise=20), sound=True)
    (tmp_path / "cut.mkv").write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    enlarge(tmp_path / "cut.mkv", tmp_path / "b.mkv")
    assert 20 < len(frames_of(tmp_path / "b.mkv")) < 60


def write_sound(path):
    with av.open(str(path), "w") as container:
        voice = container.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44_100
        container.mux(voice.encode(frame))
        container.mux(voice.encode())


def write_song_with_cover(path):
    cover = BytesIO()
    Image.new("RGB", (64, 64), (200, 0, 0)).save(cover, "JPEG")
    write_sound(path.with_name("sound.mp4"))
    with av.open(str(path.with_name("sound.mp4"))) as source, av.open(str(path), "w", format="mp4") as container:
        voice = container.add_stream_from_template(source.streams.audio[0])
        picture = container.add_stream("mjpeg", rate=1)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuvj420p"
        picture.disposition = Disposition.attached_pic
        container.start_encoding()
        packet = av.Packet(cover.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = picture, 0, 0, Fraction(1, 1)
        container.mux(packet)
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = voice
                container.mux(packet)


def write_nothing(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()


def cut_index(path):
    write_film(path, pan(10))
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"\x00" * 1000), "cannot be opened as a film"),
        (lambda path: path.write_bytes(b""), "cannot be opened as a film"),
        (lambda path: Image.new("RGB", (40, 40)).save(path, "JPEG"), "a picture with the name of a film"),
        (write_sound, "there are no pictures in it"),
        (write_song_with_cover, "there are no pictures in it"),
        (write_nothing, "there are no pictures in it"),
        (cut_index, "cannot be opened as a film"),
    ],
    ids=["zeros", "empty", "a renamed JPEG", "only sound", "a song with a cover", "no frames", "no index"],
)
def test_what_is_no_film_gets_a_line_and_leaves_nothing(make, message, tmp_path, caplog):
    path = tmp_path / "a.mp4"
    make(path)
    with pytest.raises(FilmError) as error:
        enlarge(path, tmp_path / "b.mp4")
    assert message in str(error.value)
    good = write_film(tmp_path / "good.mp4", pan(2))
    plan = [(path, tmp_path / "out/a.mp4"), (good, tmp_path / "out/good.mp4")]
    assert enhance_films(plan, twice, lambda: Steady(0), FilmOptions(scale=2)) == 1
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["good.mp4"]
    assert "1 of 2 films failed" in caplog.text


def test_an_interlaced_film_is_refused(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.options = {"x264-params": "tff=1"}
        for i in range(5):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(FilmError, match="interlaced"):
        probe(path)


def test_reading_holds_few_pictures(tmp_path):
    path = write_film(tmp_path / "a.mp4", pan(200, size=(32, 32)))
    film = probe(path)
    with open_film(path) as source:
        items = read_pictures(source, film)
        assert sum(isinstance(item, Picture) for item in items) == 200
