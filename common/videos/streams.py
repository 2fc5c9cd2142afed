"""What goes along with a video's frames as it is: sound, subtitles, covers, fonts."""

import logging
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from common.videos.encoding import AVI, format_of, is_mp4
from common.videos.sound import AsAac
from common.videos.tags import tags_of_sound
from common.videos.video import is_cover, video_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

log = logging.getLogger(__name__)

MKV = ".mkv"
PICTURE_TYPES = {"mjpeg": "jpeg", "png": "png", "bmp": "bmp", "gif": "gif", "webp": "webp"}  # FFmpeg's name: MIME type


def covers_of(path: Path, source: "InputContainer") -> dict[int, bytes]:
    """{number of the stream: picture file} of a video's covers, which FFmpeg gives before all else."""
    wanted = [stream.index for stream in source.streams.video if is_cover(stream)]
    covers: dict[int, bytes] = {}
    if wanted:
        with av.open(str(path.absolute()), metadata_errors="ignore") as again:
            for packet in again.demux(wanted):
                covers.setdefault(packet.stream_index, bytes(packet))
                if len(covers) == len(wanted):
                    break
    return covers


class Copies:
    """The streams of `source` that go along into `container`, whose ending is `ending`.

    left_out: names of those that the container does not take, but for sound, which becomes AAC.
    """

    def __init__(self, path: Path, source: "InputContainer", container: "OutputContainer", ending: str) -> None:
        self.streams: dict[int, Stream] = {}  # by their number in the source
        self.left_out: list[str] = []
        self.covers: list[tuple[Stream, bytes]] = []
        self.recoded: dict[int, AsAac] = {}  # by their number in the source
        self.container = container
        covers, enhanced = covers_of(path, source), video_stream(source)
        for stream in source.streams:
            if stream is enhanced or is_written_anew(stream, source, ending):
                continue
            if stream.index in covers and ending == MKV:
                kind = PICTURE_TYPES.get(stream.codec_context.name, "jpeg")
                container.add_attachment(f"cover.{kind.replace('jpeg', 'jpg')}", f"image/{kind}", covers[stream.index])
            elif goes_along(stream, ending):
                copy = self.streams[stream.index] = container.add_stream_from_template(stream, opaque=True)
                copy.metadata.update(tags_of_sound(stream.metadata))
                copy.disposition = stream.disposition
                if stream.index in covers:
                    self.covers.append((copy, covers[stream.index]))
            elif isinstance(stream, AudioStream) and stream.codec_context and (is_mp4(ending) or ending == MKV):
                log.warning(
                    "%s: %s is %s, which %s does not hold: it becomes AAC",
                    path,
                    name_of(stream),
                    stream.codec_context.codec.canonical_name,
                    ending,
                )
                self.recoded[stream.index] = AsAac(stream, container)
            else:
                self.left_out.append(name_of(stream))

    def packets(self, packet: Packet) -> "Iterator[Packet]":
        """What is written for a packet of the source."""
        if packet.stream_index in self.recoded:
            yield from self.recoded[packet.stream_index].packets(packet)
        elif packet.stream_index in self.streams and packet.dts is not None:
            packet.stream = self.streams[packet.stream_index]
            yield packet

    def begin(self) -> None:
        """Writes the covers, which come before all else."""
        for stream, picture in self.covers:
            assert stream.time_base is not None
            packet = Packet(picture)
            packet.stream, packet.pts, packet.dts = stream, 0, 0
            self.container.mux(packet)


def is_written_anew(stream: "Stream", source: "InputContainer", ending: str) -> bool:
    """Whether a stream need not be copied: FFmpeg writes the track of a timecode, and that of chapters, itself."""
    if stream.type != "data" or ending == AVI:
        return False
    timecode = stream.metadata.get("timecode")
    is_chapters = getattr(stream, "name", None) == "bin_data" and bool(source.chapters())
    return is_chapters or (timecode is not None and timecode == video_stream(source).metadata.get("timecode"))


def goes_along(stream: "Stream", ending: str) -> bool:
    """Whether a copy of the stream is written: some containers find out when the header is written."""
    if stream.type == "video" and not (is_cover(stream) and is_mp4(ending) and ending != ".mov"):
        return False  # QuickTime has no covers
    if stream.type not in ("audio", "subtitle", "attachment", "video"):
        return False
    try:
        with av.open(BytesIO(), "w", format=format_of(ending)) as trial:
            trial.add_stream_from_template(stream, opaque=True).disposition = stream.disposition
            trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True


def name_of(stream: "Stream") -> str:
    """What users read of a stream: what it is, and its number."""
    is_timecode = stream.type == "data" and "timecode" in stream.metadata
    kind = "timecode" if is_timecode else "cover" if is_cover(stream) else stream.type
    return f"{kind} {stream.index}"
