"""Writing a film: new pictures, and sound, subtitles and chapters copied as they are."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from common.films.film import Film, FilmError, video_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

# Encoder, its quality option's name for --quality 1 to 100, at 1 and at 100, and what else it is told.
CODECS: Mapping[str, tuple[str, str, float, float, Mapping[str, str]]] = {
    "h264": ("libx264", "crf", 45, 8, {"preset": "medium"}),
    "h265": ("libx265", "crf", 45, 8, {"preset": "medium", "x265-params": "log-level=error"}),
    "vp9": ("libvpx-vp9", "crf", 55, 10, {"b:v": "0", "row-mt": "1"}),
    "ffv1": ("ffv1", "", 0, 0, {}),  # lossless
}
DEFAULT_QUALITY = 75
WEBM = ".webm"  # takes VP9


def default_codec(result: Path) -> str:
    return "vp9" if result.suffix.lower() == WEBM else "h264"


def check_codec(result: Path, codec: str) -> None:
    """Raises FilmError if the container of the result cannot have the codec, or this FFmpeg cannot write it."""
    if (result.suffix.lower() == WEBM) != (codec == "vp9") and codec != "vp9":
        raise FilmError(f"{result}: WebM has no {codec}; take --codec vp9, or another ending")
    try:
        av.Codec(CODECS[codec][0], "w")
    except FFmpegError:
        raise FilmError(f"{result}: the FFmpeg of this PyAV cannot write {codec}; take another with --codec") from None


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
        self.container = av.open(str(path), "w", options={"movflags": "+faststart"} if is_mp4(path) else {})
        self.container.metadata.update(source.metadata)
        encoder, option, worst, best, options = CODECS[codec]
        width, height = size
        stream = self.container.add_stream(encoder, rate=film.rate)
        assert isinstance(stream, VideoStream)
        self.stream = stream
        video = video_of(source)
        stream.width, stream.height = width, height
        stream.pix_fmt = pixel_format(width, height, film.deep, codec)
        context, origin = stream.codec_context, video.codec_context
        if video.time_base is not None:
            context.time_base = stream.time_base = video.time_base  # so that uneven times are kept
        context.color_range, context.colorspace = origin.color_range, origin.colorspace
        context.color_primaries, context.color_trc = origin.color_primaries, origin.color_trc
        if video.sample_aspect_ratio:
            context.sample_aspect_ratio = video.sample_aspect_ratio
        rate = {option: f"{worst + (best - worst) * (quality - 1) / 99:.0f}"} if option else {}
        context.options = {**options, **rate}
        if path.suffix.lower() == ".avi":
            context.max_b_frames = 0  # AVI has no times of its own for them
        if film.rotation:
            stream.set_display_rotation(film.rotation)
        stream.metadata.update(video.metadata)
        self.left_out: list[str] = []
        self.source_index = video.index
        self.copies = self.copy_streams(source)
        self.container.set_chapters(source.chapters())
        self.pixel_format = stream.pix_fmt

    def copy_streams(self, source: "InputContainer") -> dict[int, "Stream"]:
        """{index in the source: stream here} of sound and subtitles; the names of others go to `left_out`."""
        copies: dict[int, Stream] = {}
        copied = (*source.streams.audio, *source.streams.subtitles)
        for stream in source.streams:
            if stream in copied:
                try:
                    copies[stream.index] = self.container.add_stream_from_template(stream)
                    copies[stream.index].metadata.update(stream.metadata)
                    continue
                except (FFmpegError, ValueError):
                    pass
            if stream.index != self.source_index:
                self.left_out.append(f"{stream.type} {stream.index}")
        return copies

    def copy(self, packet: Packet) -> None:
        """Writes a packet of another stream as it is."""
        stream = self.copies.get(packet.stream_index)
        if stream is not None and packet.dts is not None:
            packet.stream = stream
            self.container.mux(packet)

    def write(self, frame: VideoFrame) -> None:
        self.container.mux(self.stream.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.container.mux(self.stream.encode())
        self.container.close()


def is_mp4(path: Path) -> bool:
    return path.suffix.lower() in (".mp4", ".mov", ".m4v")


def pixel_format(width: int, height: int, deep: bool, codec: str) -> str:
    """4:2:0, which all players show; 4:4:4 where a side is odd, which 4:2:0 cannot have."""
    chroma = "420" if width % 2 == height % 2 == 0 else "444"
    return f"yuv{chroma}p" + ("10le" if deep else "")
