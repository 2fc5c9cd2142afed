"""The frames of a video one after the other, none missing: one that cannot be read is the one before it."""

import bisect
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame

from common.videos.frames import to_array
from common.videos.video import Video, check_progressive, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

BEGIN_ANYWHERE = ("mpegts", "mpeg")  # FFmpeg's containers whose times are those of a broadcast, not of the video
AHEAD = 10  # seconds: a longer gap is another piece, as FFmpeg takes it
SHORT, SHORTEST = 0.05, 0.25  # a part, and seconds: frames may end so much before the sound


@dataclass
class DecodedFrame:
    """A frame as (H, W, 3) pixels, upright. like: FFmpeg's; pts: its time; broken: it is a copy of another."""

    pixels: np.ndarray
    like: VideoFrame
    pts: int
    broken: bool = False


def read_frames(source: "InputContainer", video: Video) -> Iterator[DecodedFrame | Packet]:
    """The frames of a video in the order of their times, and the packets of its sound and subtitles between them.

    Where the file is cut off, a line says so, and they end. Raises VideoError if a frame is interlaced.
    """
    stream = video_stream(source)
    stream.thread_type = "SLICE"  # with threads for frames, a broken one takes those beside it along
    tick = max(1, round(1 / (video.rate * (stream.time_base or 1 / video.rate))))
    times = times_in(source)
    expected: list[int] = []  # times of frames that are still to come
    last: DecodedFrame | None = None
    was_told = False
    others_end = 0.0  # seconds
    for packet in packets_of(source, stream):
        if isinstance(packet, Packet) and packet.stream is not stream:
            if packet.pts is not None:
                others_end = max(others_end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            yield packet
            continue
        if isinstance(packet, FFmpegError):
            log.warning("%s: cut off or broken from here on (%s)", video.path, packet)
            was_told = True
        elif times and (time := getattr(packet, times)) is not None and is_shown(packet):
            bisect.insort(expected, time)
        for frame in decoded(packet, stream):
            check_progressive(frame, video.path)
            time = getattr(frame, times) if times else None
            pts = time if time is not None else 0 if last is None else last.pts + tick
            while expected and expected[0] < pts:
                missing = expected.pop(0)
                if last is not None and missing > last.pts:
                    yield DecodedFrame(last.pixels, last.like, missing, broken=True)
            if expected and expected[0] == pts:
                expected.pop(0)
            if last is not None and pts <= last.pts:
                continue  # a time cannot come twice
            if frame.is_corrupt and last is not None:
                last = DecodedFrame(last.pixels, last.like, pts, broken=True)
            else:
                last = DecodedFrame(to_array(frame, video), frame, pts)
            yield last
    for missing in expected:
        if last is not None and missing > last.pts:
            yield DecodedFrame(last.pixels, last.like, missing, broken=True)
    if last is not None and times and not was_told:
        end = max([last.pts + (last.like.duration or tick), *expected])
        start = stream.start_time if stream.duration and stream.start_time else 0  # else it counts from 0
        seconds = float((end - start) * (stream.time_base or 0))
        warn_if_short(video, seconds, seconds if tells_each_length(source) else max(seconds, others_end))


def times_in(source: "InputContainer") -> Literal["pts", "dts"] | None:
    """Which of a frame's times can be believed: AVI has only those of decoding, and none if frames change places."""
    if source.format.name != "avi":
        return "pts"
    return None if video_stream(source).codec_context.has_b_frames else "dts"


def packets_of(source: "InputContainer", stream: "VideoStream") -> Iterator[Packet | FFmpegError]:
    """The packets, of which the last of each stream are empty; where the file is broken, an error ends them."""
    even = EvenTimes() if source.format.name in BEGIN_ANYWHERE else None
    try:
        for packet in source.demux(stream, *source.streams.audio, *source.streams.subtitles):
            if even is not None and packet.dts is not None:
                even.move(packet, packet.dts)
            yield packet
    except FFmpegError as error:
        yield error


class EvenTimes:
    """Recordings are put together of pieces, each with times of its own: every piece begins where the last one ends."""

    def __init__(self) -> None:
        self.shifts = [Fraction(0)]  # of each piece, in seconds
        self.piece: dict[int, int] = {}  # at which each stream is; they come to the next one at different packets
        self.last: dict[int, tuple[Fraction, Fraction]] = {}  # by stream: the last packet's time, and its end

    def move(self, packet: Packet, dts: int) -> None:
        """Changes the packet's times, of which the one of decoding is `dts`."""
        stream, time = packet.stream_index, dts * packet.time_base
        before, end = self.last.get(stream, (time - 1, time))
        piece = self.piece.get(stream, 0)
        limit = end + AHEAD if packet.stream.type != "subtitle" else None  # there is no end to their gaps
        if not before < time + self.shifts[piece] or (limit is not None and time + self.shifts[piece] > limit):
            piece += 1
            if piece == len(self.shifts):
                self.shifts.append(end - time)
            elif time + self.shifts[piece] <= before:  # this stream was longer than the one that came here first
                self.shifts[piece] = end - time
        self.piece[stream] = piece
        time += self.shifts[piece]
        ticks = round(self.shifts[piece] / packet.time_base)
        packet.dts, packet.pts = dts + ticks, None if packet.pts is None else packet.pts + ticks
        self.last[stream] = time, time + max(packet.duration or 0, 1) * packet.time_base


def is_shown(packet: Packet) -> bool:
    """Whether a packet has a frame to show: VP8 has some that only later ones are made from."""
    hidden = packet.stream.codec_context.name == "vp8" and packet.size and not bytes(packet)[0] & 0x10
    return bool(packet.size) and not packet.is_discard and not hidden


def decoded(packet: Packet | FFmpegError, stream: "VideoStream") -> list[VideoFrame]:
    """The frames that a packet completes, none if it is broken; after an error of the file, those that are left."""
    try:
        frames = packet.decode() if isinstance(packet, Packet) else stream.codec_context.decode(None)
        return [frame for frame in frames if isinstance(frame, VideoFrame)]
    except FFmpegError:
        return []


def tells_each_length(source: "InputContainer") -> bool:
    """Whether the container says how long the frames are; others say how long all is, such as sound that goes on."""
    return source.format.name == "avi" or "mp4" in source.format.name


def warn_if_short(video: Video, seconds: float, until: float) -> None:
    """Not all containers tell that they are cut off: a line, if a video ends well before it should.

    seconds: how long its frames are; until: where what counts ends, its sound as well where only that is known.
    """
    if video.seconds - until > max(SHORT * video.seconds, SHORTEST):
        log.warning("%s: ends after %.1f of %.1f seconds; is it cut off?", video.path, seconds, video.seconds)
