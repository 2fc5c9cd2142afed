"""Writing a film: new pictures, and sound, subtitles and chapters copied as they are."""

import logging
from collections.abc import Mapping
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from common.films.colors import range_number
from common.films.film import Film, FilmError, video_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

log = logging.getLogger(__name__)

# Encoder, its quality option's name for --quality 1 to 100, at 1 and at 100, and what else it is told.
CODECS: Mapping[str, tuple[str, str, float, float, Mapping[str, str]]] = {
    "h264": ("libx264", "crf", 45, 8, {"preset": "medium"}),
    "h265": ("libx265", "crf", 45, 8, {"preset": "medium", "x265-params": "log-level=error"}),
    "vp9": ("libvpx-vp9", "crf", 55, 10, {"b:v": "0", "row-mt": "1"}),
    "ffv1": ("ffv1", "", 0, 0, {}),  # lossless
}
DEFAULT_QUALITY = 75
WEBM, AVI = ".webm", ".avi"  # the first takes VP9; the second has neither times of its own nor rotation


def default_codec(result: Path) -> str:
    return "vp9" if result.suffix.lower() == WEBM else "h264"


def check_result(result: Path, codec: str, film: Film) -> None:
    """Raises FilmError if FFmpeg cannot write the codec, or the container cannot have it, or not the rotation."""
    try:
        name = av.Codec(CODECS[codec][0], "w").canonical_name
    except FFmpegError:
        raise FilmError(f"{result}: the FFmpeg of this PyAV cannot write {codec}; take another with --codec") from None
    ending = result.suffix.lower()
    if name not in supported_codecs(ending):
        raise FilmError(f"{result}: {ending} files have no {codec}; take another --codec, or another ending")
    if ending == AVI and (film.rotation or film.mirrored):
        raise FilmError(f"{result}: {ending} files cannot say that they are rotated; take another ending")


def supported_codecs(ending: str) -> set[str]:
    """FFmpeg's names of what a container can have."""
    with av.open(BytesIO(), "w", format=format_of(ending)) as trial:
        return trial.supported_codecs


def format_of(ending: str) -> str:
    """FFmpeg's name of the container."""
    return {".mkv": "matroska", ".m4v": "mp4"}.get(ending, ending.removeprefix("."))


def takes(ending: str, stream: "Stream") -> bool:
    """Whether a container takes a copy of the stream: some find out when the header is written."""
    try:
        with av.open(BytesIO(), "w", format=format_of(ending)) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True


class FilmWriter:
    """A film in a new file; the other streams of `source` come along. size: width and height before players turn it.

    Packets are given as they come from the source. `left_out` says which streams the container does not take.
    """

    def __init__(
        self,
        path: Path,
        film: Film,
        source: "InputContainer",
        size: tuple[int, int],
        codec: str,
        quality: int = DEFAULT_QUALITY,
    ) -> None:
        self.ending = path.suffix.lower()
        options = {"movflags": "+faststart"} if is_mp4(path) else {}
        self.container = av.open(str(path.absolute()), "w", options=options)
        self.container.metadata.update(source.metadata)
        encoder, option, worst, best, others = CODECS[codec]
        width, height = size
        stream = self.container.add_stream(encoder, rate=film.rate)
        assert isinstance(stream, VideoStream)
        self.stream = stream
        video = video_of(source)
        stream.width, stream.height = width, height
        self.size, stream.pix_fmt = size, pixel_format(width, height, film.deep, encoder)
        if film.deep and not stream.pix_fmt.endswith("le"):
            log.warning("%s: 10 bits become 8; --codec h264 in another container keeps them", film.path)
        context, origin = stream.codec_context, video.codec_context
        evenly = 1 / Fraction(film.rate) if self.ending == AVI else None
        if time_base := evenly or video.time_base:
            context.time_base = stream.time_base = time_base  # so that uneven times are kept
        context.color_range, context.colorspace = range_number(film.full_range), film.matrix
        context.color_primaries, context.color_trc = origin.color_primaries, origin.color_trc
        if video.sample_aspect_ratio:
            context.sample_aspect_ratio = video.sample_aspect_ratio
        rate = {option: f"{worst + (best - worst) * (quality - 1) / 99:.0f}"} if option else {}
        context.options = {**others, **rate}
        if self.ending == AVI:
            context.max_b_frames = 0
        if film.rotation or film.mirrored:
            stream.set_display_rotation(film.rotation, film.mirrored)
        stream.disposition = video.disposition
        stream.metadata.update(video.metadata)
        self.left_out: list[str] = []
        self.durations: dict[int, int] = {}  # of frames by their times
        self.source_index = video.index
        self.copies = self.copy_streams(source)
        self.container.set_chapters(source.chapters())
        self.pixel_format = stream.pix_fmt

    def copy_streams(self, source: "InputContainer") -> dict[int, "Stream"]:
        """{index in the source: stream here} of sound and subtitles; the names of others go to `left_out`."""
        copies: dict[int, Stream] = {}
        copied = (*source.streams.audio, *source.streams.subtitles)
        for stream in source.streams:
            if stream in copied and takes(self.ending, stream):
                copy = copies[stream.index] = self.container.add_stream_from_template(stream)
                copy.metadata.update(stream.metadata)
                copy.disposition = stream.disposition
            elif stream.index != self.source_index:
                self.left_out.append(f"{stream.type} {stream.index}")
        return copies

    def copy(self, packet: Packet) -> None:
        """Writes a packet of another stream as it is."""
        stream = self.copies.get(packet.stream_index)
        if stream is not None and packet.dts is not None:
            packet.stream = stream
            self.container.mux(packet)

    def write(self, frame: VideoFrame, duration: int) -> None:
        """duration: how long the frame is shown, in the source's ticks, or 0: the last one's is the end of the film."""
        if duration and frame.pts is not None and self.ending != AVI:
            self.durations[frame.pts] = duration
        self.mux(frame)

    def mux(self, frame: VideoFrame | None) -> None:
        for packet in self.stream.encode(frame):
            if packet.pts in self.durations:
                packet.duration = self.durations.pop(packet.pts)
            self.container.mux(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.mux(None)
        self.container.close()


def is_mp4(path: Path) -> bool:
    return path.suffix.lower() in (".mp4", ".mov", ".m4v")


def pixel_format(width: int, height: int, deep: bool, encoder: str) -> str:
    """4:2:0, which all players show; 4:4:4 where a side is odd, which 4:2:0 cannot have. 10 bits if the encoder can."""
    chroma = "420" if width % 2 == height % 2 == 0 else "444"
    with_ten = f"yuv{chroma}p10le"
    can = {form.name for form in av.Codec(encoder, "w").video_formats or ()}
    return with_ten if deep and with_ten in can else f"yuv{chroma}p"
