"""A video, frame by frame: decoding, enhancing and encoding side by side, in memory that does not grow."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from av.error import FFmpegError
from av.packet import Packet

from common.inference.precision import with_bits
from common.inference.work import FAILURES, Enhance, Together, enhance_together, explain_failure
from common.runtime.files import atomic_write
from common.runtime.interrupt import StopRequest
from common.runtime.threads import ahead, behind
from common.videos.decoding import DecodedFrame, read_frames
from common.videos.encoding import CODECS, DEFAULT_QUALITY, check_result, default_codec, size_of_result
from common.videos.frames import to_frame
from common.videos.progress import each_message_once, progress_of
from common.videos.steady import Steady
from common.videos.video import Video, open_video, probe
from common.videos.writer import VideoWriter

log = logging.getLogger(__name__)

BITS = 10  # that a result has of a video with more than 8
OF_A_FRAME = ("common.runtime.out_of_memory", "common.inference.precision", "common.inference.tiles")  # loggers


class Clock:
    """Seconds that each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(("decode", "enhance", "encode"), 0.0)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - began

    def over(self, frames: Iterator[DecodedFrame | Packet]) -> Iterator[DecodedFrame | Packet]:
        """The same, timed as decoding."""
        while True:
            with self.of("decode"):
                item = next(frames, None)
            if item is None:
                return
            yield item


@dataclass(frozen=True)
class VideoOptions:
    """How videos are written. codec: of `encoding.CODECS`; None for the usual one of the ending. quality: 1 to 100.

    scale: how many times larger results are. loggers: more that speak of a frame, and say each thing once a video.
    """

    codec: str | None = None
    quality: int = DEFAULT_QUALITY
    scale: int = 1
    loggers: tuple[str, ...] = ()


class VideoStopped(KeyboardInterrupt):
    """Ctrl-C within a video: what there is plays."""


def enhance_videos(
    plan: Sequence[tuple[Path, Path]],
    make_enhance: Callable[[], Enhance],
    make_steady: Callable[[], Steady],
    options: VideoOptions,
    together: Together | None = None,
) -> int:
    """`enhance_video` for each (video, result) of a plan; one that fails gets a line. Returns how many those were."""
    failed = 0
    for path, result in plan:
        try:
            enhance_video(path, result, make_enhance(), make_steady(), options, together)
        except VideoStopped as stopped:
            log.info("%s", stopped)
            raise
        except FAILURES as error:
            failed += 1
            log.error("failed %s", explain_failure(path, error))
        except FFmpegError as error:
            failed += 1
            log.error("failed %s: cannot be written as %s (%s)", path, result.name, error)
    if failed:
        log.error("%d of %d videos failed", failed, len(plan))
    return failed


def enhance_video(
    path: Path,
    result: Path,
    enhance: Enhance,
    steady: Steady,
    options: VideoOptions,
    together: Together | None = None,
) -> Video:
    """Writes the video `path`, each frame enhanced and steadied, whole or not at all.

    together: enhances several frames at once. After Ctrl-C the frame at hand is finished, and what there is becomes
    `NAME.part.mp4` and plays; VideoStopped is raised then. So it is after an error in the middle, which is raised.
    Raises VideoError if the video cannot be read or written.
    """
    video, clock = probe(path), Clock()
    codec = options.codec or default_codec(result, video)
    check_result(result, codec, video)
    size = size_of_result(CODECS[codec], video, options.scale)
    at_once = max(1, together.pixels // (video.width * video.height)) if together else 1
    broken = count = 0
    failure: Exception | None = None
    stopped, part = False, free_name_for_part(result)
    result.parent.mkdir(parents=True, exist_ok=True)
    with StopRequest() as stop, open_video(path) as source, atomic_write(result) as temporary:
        with VideoWriter(temporary, video, source, size, codec, options.quality) as writer:
            if left_out := [*video.lost, *writer.left_out]:
                log.warning("%s: left out of the result: %s", path, ", ".join(left_out))

            def write(item: DecodedFrame | Packet) -> None:
                with clock.of("encode"):
                    if isinstance(item, Packet):
                        writer.copy(item)
                    else:
                        frame = to_frame(item.pixels, video, item.like, item.pts, writer.pixel_format, size)
                        writer.write(frame, item.like.duration)

            with (
                each_message_once(*OF_A_FRAME, *options.loggers),
                with_bits(BITS),
                progress_of(path, video.frames) as progress,
                ahead(clock.over(read_frames(source, video))) as items,
                behind(write) as put,
            ):
                try:
                    for group in in_groups(items, at_once):
                        if stop.asked:
                            stopped = True
                            break
                        frames = [item.pixels for item in group if isinstance(item, DecodedFrame)]
                        with clock.of("enhance"):
                            many = None
                            if together and len(frames) > 1:
                                many = enhance_together(frames, together)
                                together = together if many else None  # where memory does not suffice, not again
                            results = iter(many or map(enhance, frames))
                            for item in group:
                                if isinstance(item, DecodedFrame):
                                    result_pixels = next(results)
                                    if getattr(enhance, "begins_anew", False):
                                        steady.before = None
                                    pixels = steady(item.pixels, result_pixels)
                                    item = DecodedFrame(pixels, item.like, item.pts, item.broken)
                                    broken, count = broken + item.broken, count + 1
                                    progress()
                                put(item)
                except FAILURES as error:  # what was made is kept
                    failure = error
        if count and (stopped or failure is not None):
            temporary.replace(part)
        if failure is not None:
            if count:
                log.warning("%s: %s has the %d frames that were made, and plays", path, part, count)
            raise failure
        if stopped and count == 0:
            raise VideoStopped(f"{path}: stopped before its first frame")
        if stopped:
            raise VideoStopped(f"{path}: stopped after {count} of {video.frames} frames; {part} has these, and plays")
    if broken:
        log.warning("%s: %d of %d frames are broken; each is replaced by the one before it", path, broken, count)
    rates = ", ".join(f"{name} {count / max(seconds, 1e-9):.1f}" for name, seconds in clock.seconds.items())
    log.info("%s  %d frames; frames a second: %s", result, count, rates)
    if stop.asked:
        raise VideoStopped(f"{result}: was finished; stopped before the next")
    return video


def free_name_for_part(result: Path) -> Path:
    """`NAME.part.mp4`, or if there is one, `NAME.part2.mp4`, and so on."""
    names = (f"{result.stem}.part{number}{result.suffix}" for number in ("", *range(2, 10_000)))
    return next(path for name in names if not (path := result.with_name(name)).exists())


def in_groups(items: Iterable[DecodedFrame | Packet], size: int) -> Iterator[list[DecodedFrame | Packet]]:
    """Items one after the other: up to `size` frames of one shape at a time, and the packets between them."""
    group: list[DecodedFrame | Packet] = []
    shapes: list[tuple[int, ...]] = []
    for item in items:
        if isinstance(item, DecodedFrame) and shapes and item.pixels.shape != shapes[0]:
            yield group
            group, shapes = [], []
        group.append(item)
        if isinstance(item, DecodedFrame):
            shapes.append(item.pixels.shape)
        if not shapes or len(shapes) == size:
            yield group
            group, shapes = [], []
    if group:
        yield group
