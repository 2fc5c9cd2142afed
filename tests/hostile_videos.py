"""Videos with which programs like this one have trouble."""

from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

from tests.videos import pan, write_video

NO_VIDEOS = {  # a file of `make_videos`: what is said of it
    "zeros.mp4": "cannot be opened as a video; is it cut off? (Invalid data found when processing input)",
    "empty.mp4": "cannot be opened as a video; is it cut off? (Invalid data found when processing input)",
    "picture.mp4": "a picture with the name of a video; give it a picture's ending",
    "sound.mp4": "there are no frames in it",
    "song.mp4": "there are no frames in it",
    "nothing.mp4": "there are no frames in it",
    "noindex.mp4": "cannot be opened as a video; is it cut off? (Invalid data found when processing input)",
    "stripes.mkv": "interlaced; deinterlace it first, as with ffmpeg -i IN -vf bwdif OUT",
}


def make_videos(folder: Path) -> None:
    """Fills `folder` with NO_VIDEOS, and cut.mkv, odd.mp4 and one.mp4, of which something can be made."""
    folder.mkdir()
    (folder / "zeros.mp4").write_bytes(bytes(1000))
    (folder / "empty.mp4").write_bytes(b"")
    Image.new("RGB", (40, 40)).save(folder / "picture.mp4", "JPEG")
    write_sound(folder / "sound.mp4")
    write_song_with_cover(folder / "song.mp4")
    write_without_frames(folder / "nothing.mp4")
    write_interlaced(folder / "stripes.mkv")
    whole = write_video(folder / "noindex.mp4", pan(10))
    whole.write_bytes(whole.read_bytes()[:2000])
    whole = write_video(folder / "cut.mkv", pan(30, noise=20), sound=True)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    write_video(folder / "odd.mp4", pan(3, size=(65, 47)))
    write_video(folder / "one.mp4", pan(1))


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        voice = container.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44_100
        container.mux(voice.encode(frame))
        container.mux(voice.encode())


def write_song_with_cover(path: Path) -> None:
    cover = BytesIO()
    Image.new("RGB", (64, 64), (200, 0, 0)).save(cover, "JPEG")
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


def write_without_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()


def write_interlaced(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.options = {"x264-params": "tff=1"}
        for i in range(5):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
