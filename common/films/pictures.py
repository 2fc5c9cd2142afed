"""The pictures of a film one after the other, none missing: one that cannot be read is the one before it."""

import bisect
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame

from common.films.film import Film, video_of
from common.films.frames import to_array

if TYPE_CHECKING:
    from av.container import InputContainer

log = logging.getLogger(__name__)

SHORT, SHORTEST = 0.05, 0.25  # a part, and seconds: pictures may end so much before the sound


@dataclass
class Picture:
    """A picture, (H, W, 3) upright. like: the frame that it was; pts: its time; broken: it is a copy of another."""

    pixels: np.ndarray
    like: VideoFrame
    pts: int
    broken: bool = False


def read_pictures(source: "InputContainer", film: Film) -> Iterator[Picture | Packet]:
    """The pictures of a film in the order of their times, and the packets of its sound and subtitles between them.

    Where the file is cut off, a line says so, and they end.
    """
    video = video_of(source)
    video.thread_type = "AUTO"
    tick = max(1, round(1 / (film.rate * (video.time_base or 1 / film.rate))))
    has_times = source.format.name != "avi"  # there they are guessed, and wrong for H.264
    expected: list[int] = []  # times of pictures that are still to come
    last: Picture | None = None
    was_told = False  # that the file is cut off
    packets = source.demux(video, *source.streams.audio, *source.streams.subtitles)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except FFmpegError as error:
            log.warning("%s: cut off or broken from here on (%s)", film.path, error)
            was_told = True
            break
        if packet.stream_index != video.index:
            yield packet
            continue
        if has_times and packet.pts is not None and packet.size and not packet.is_discard:
            bisect.insort(expected, packet.pts)
        for frame in decoded(packet):
            pts = frame.pts if frame.pts is not None and has_times else 0 if last is None else last.pts + tick
            while expected and expected[0] < pts:
                missing = expected.pop(0)
                if last is not None and missing > last.pts:
                    yield Picture(last.pixels, last.like, missing, broken=True)
            if expected and expected[0] == pts:
                expected.pop(0)
            if last is not None and pts <= last.pts:
                continue  # a time cannot come twice
            if frame.is_corrupt and last is not None:
                last = Picture(last.pixels, last.like, pts, broken=True)
            else:
                last = Picture(to_array(frame, film), frame, pts)
            yield last
    for missing in expected:
        if last is not None and missing > last.pts:
            yield Picture(last.pixels, last.like, missing, broken=True)
    if last is not None and has_times and not was_told:
        end = max([last.pts, *expected]) + tick
        warn_if_short(film, float((end - (video.start_time or 0)) * (video.time_base or 0)))


def warn_if_short(film: Film, seconds: float) -> None:
    """Not all containers tell that they are cut off: a line, if a film ends well before it should."""
    if film.seconds - seconds > max(SHORT * film.seconds, SHORTEST):
        log.warning("%s: ends after %.1f of %.1f seconds; is it cut off?", film.path, seconds, film.seconds)


def decoded(packet: Packet) -> list[VideoFrame]:
    """The pictures that a packet completes; none if it is broken."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
    except FFmpegError:
        return []
