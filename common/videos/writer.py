"""Writing a video: new frames, and everything else as it is."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from common.videos.colors import RGB, range_number
from common.videos.decoding import BEGIN_ANYWHERE
from common.videos.encoding import AVI, CODECS, DEFAULT_QUALITY, format_of, is_mp4, is_rgb, pixel_format
from common.videos.streams import Copies
from common.videos.tags import quicktime_tags, tags_of_video
from common.videos.video import Video, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer

FEW = 2  # frames, of which none changes places; x265 gives them any time of decoding (from memory that it did not fill)


class VideoWriter:
    """A video in a new file; the other streams of `source` come along. size: width and height before players turn it.

    Packets are given as they come from the source. `left_out` says which streams the container does not take.
    """

    def __init__(
        self,
        path: Path,
        video: Video,
        source: "InputContainer",
        size: tuple[int, int],
        codec: str,
        quality: int = DEFAULT_QUALITY,
    ) -> None:
        self.ending, kind, tags = path.suffix.lower(), CODECS[codec], tags_of_video(source.metadata)
        self.container = av.open(str(path.absolute()), "w", format=format_of(self.ending))
        self.container.metadata.update(tags)
        stream = self.container.add_stream(kind.encoder, rate=video.rate)
        assert isinstance(stream, VideoStream)
        self.stream, self.size = stream, size
        given = video_stream(source)
        stream.width, stream.height = size
        stream.pix_fmt = self.pixel_format = pixel_format(kind, video)
        context, origin = stream.codec_context, given.codec_context
        evenly = 1 / Fraction(video.rate) if self.ending == AVI else None
        if time_base := evenly or given.time_base:
            context.time_base = stream.time_base = time_base  # so that uneven times are kept
        rgb = is_rgb(self.pixel_format)
        context.color_range, context.colorspace = range_number(video.full_range or rgb), RGB if rgb else video.matrix
        context.color_primaries, context.color_trc = origin.color_primaries, origin.color_trc
        if given.sample_aspect_ratio:
            context.sample_aspect_ratio = given.sample_aspect_ratio
        rate = {kind.option: f"{kind.worst + (kind.best - kind.worst) * (quality - 1) / 99:.0f}"} if kind.option else {}
        context.options = {**kind.others, **rate}
        if self.ending == AVI:
            context.max_b_frames = 0
        if codec == "h265" and is_mp4(self.ending):
            context.codec_tag = "hvc1"  # Apple's players know no other
        if video.rotation or video.mirrored:
            stream.set_display_rotation(video.rotation, video.mirrored)
        stream.disposition = given.disposition
        stream.metadata.update(tags_of_video(given.metadata))
        self.count = 0
        self.durations: dict[int, int] = {}  # of frames by their times
        starts = source.format.name in BEGIN_ANYWHERE
        self.start = Fraction(source.start_time or 0, av.time_base) if starts else Fraction(0)
        self.copies = Copies(video.path, source, self.container, self.ending)
        self.left_out = self.copies.left_out
        self.container.set_chapters(source.chapters())
        if is_mp4(self.ending):
            keys = quicktime_tags(tags)
            if keys and self.copies.covers:  # in QuickTime's way there is no place for a cover
                self.left_out.extend(keys)
                keys = []
            self.container.options["movflags"] = "+faststart" + "+use_metadata_tags" * bool(keys)

    def copy(self, packet: Packet) -> None:
        """Writes a packet of another stream as it is, or as AAC if the container does not hold it."""
        for written in self.copies.packets(packet):
            start = round(self.start / written.time_base)
            written.pts = None if written.pts is None else written.pts - start
            written.dts = None if written.dts is None else written.dts - start
            self.container.mux(written)

    def write(self, frame: VideoFrame, duration: int) -> None:
        """duration: how long the frame is shown, in the source's ticks, or 0: the last one's is the video's end."""
        if frame.pts is not None and frame.time_base:
            frame.pts -= round(self.start / frame.time_base)
            if duration and self.ending != AVI:
                self.durations[frame.pts] = duration
        self.mux(frame)

    def mux(self, frame: VideoFrame | None) -> None:
        self.count += frame is not None
        for packet in self.stream.encode(frame):
            if self.count <= FEW:
                packet.dts = packet.pts
            if packet.pts in self.durations:
                packet.duration = self.durations.pop(packet.pts)
            self.container.mux(packet)

    def __enter__(self) -> Self:
        self.copies.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.mux(None)
        finally:
            self.container.close()  # else a file on a full disk stays open after it is deleted, and the disk full
