"""A film, picture by picture: decoding, enhancing and encoding side by side, in memory that does not grow."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from av.error import FFmpegError
from av.packet import Packet

from common.films.encoding import CODECS, DEFAULT_QUALITY, check_result, default_codec, size_of_result
from common.films.film import Film, open_film, probe
from common.films.frames import to_frame
from common.films.pictures import Picture, read_pictures
from common.films.progress import each_message_once, progress_of
from common.films.steady import Steady
from common.films.threads import ahead, behind
from common.films.writer import FilmWriter
from common.inference.batch import FAILURES, Enhance, Together, enhance_together, explain_failure
from common.inference.precision import with_bits
from common.runtime.files import atomic_write
from common.runtime.interrupt import StopRequest

log = logging.getLogger(__name__)

BITS = 10  # that a result has of a film with more than 8
OF_A_PICTURE = ("common.inference.batch", "common.inference.precision", "common.inference.tiles", "styletransfer.photo")


class Clock:
    """Seconds that each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(("decode", "enhance", "encode"), 0.0)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - began

    def over(self, pictures: Iterator[Picture | Packet]) -> Iterator[Picture | Packet]:
        """The same, timed as decoding."""
        while True:
            with self.of("decode"):
                item = next(pictures, None)
            if item is None:
                return
            yield item


@dataclass(frozen=True)
class FilmOptions:
    """How films are written. codec: of `encoding.CODECS`; None for the usual one of the ending. quality: 1 to 100.

    scale: how many times larger results are.
    """

    codec: str | None = None
    quality: int = DEFAULT_QUALITY
    scale: int = 1


class FilmStopped(KeyboardInterrupt):
    """Ctrl-C within a film: what there is plays."""


def enhance_films(
    plan: Sequence[tuple[Path, Path]],
    enhance: Enhance,
    make_steady: Callable[[], Steady],
    options: FilmOptions,
    together: Together | None = None,
) -> int:
    """`enhance_film` for each (film, result) of a plan; one that fails gets a line. Returns how many those were."""
    failed = 0
    for path, result in plan:
        try:
            enhance_film(path, result, enhance, make_steady(), options, together)
        except FilmStopped as stopped:
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


def enhance_film(
    path: Path,
    result: Path,
    enhance: Enhance,
    steady: Steady,
    options: FilmOptions,
    together: Together | None = None,
) -> Film:
    """Writes the film `path`, each picture enhanced and steadied, whole or not at all.

    together: enhances several pictures at once. After Ctrl-C the picture at hand is finished, and what there is becomes
    `NAME.part.mp4` and plays; FilmStopped is raised then. Raises FilmError if the film cannot be read or written.
    """
    film, clock = probe(path), Clock()
    codec = options.codec or default_codec(result, film)
    check_result(result, codec, film)
    size = size_of_result(CODECS[codec], film, options.scale)
    at_once = max(1, together.pixels // (film.width * film.height)) if together else 1
    broken = count = 0
    stopped, part = False, free_name_for_part(result)
    result.parent.mkdir(parents=True, exist_ok=True)
    with StopRequest() as stop, open_film(path) as source, atomic_write(result) as temporary:
        with FilmWriter(temporary, film, source, size, codec, options.quality) as writer:
            if left_out := [*film.lost, *writer.left_out]:
                log.warning("%s: left out of the result: %s", path, ", ".join(left_out))

            def write(item: Picture | Packet) -> None:
                with clock.of("encode"):
                    if isinstance(item, Packet):
                        writer.copy(item)
                    else:
                        frame = to_frame(item.pixels, film, item.like, item.pts, writer.pixel_format, size)
                        writer.write(frame, item.like.duration)

            with (
                each_message_once(*OF_A_PICTURE),
                with_bits(BITS),
                progress_of(path, film.frames) as progress,
                ahead(clock.over(read_pictures(source, film))) as items,
                behind(write) as put,
            ):
                for group in in_groups(items, at_once):
                    if stop.asked:
                        stopped = True
                        break
                    pictures = [item.pixels for item in group if isinstance(item, Picture)]
                    with clock.of("enhance"):
                        many = None
                        if together and len(pictures) > 1:
                            many = enhance_together(pictures, together)
                            together = together if many else None  # where memory does not suffice, not again
                        results = iter(many or map(enhance, pictures))
                        for item in group:
                            if isinstance(item, Picture):
                                pixels = steady(item.pixels, next(results))
                                item = Picture(pixels, item.like, item.pts, item.broken)
                                broken, count = broken + item.broken, count + 1
                                progress()
                            put(item)
        if stopped:
            temporary.replace(part)
            raise FilmStopped(f"{path}: stopped after {count} of {film.frames} frames; {part} has these, and plays")
    if broken:
        log.warning("%s: %d of %d frames are broken; each is replaced by the one before it", path, broken, count)
    rates = ", ".join(f"{name} {count / max(seconds, 1e-9):.1f}" for name, seconds in clock.seconds.items())
    log.info("%s  %d frames; frames a second: %s", result, count, rates)
    if stop.asked:
        raise FilmStopped(f"{result}: was finished; stopped before the next")
    return film


def free_name_for_part(result: Path) -> Path:
    """`NAME.part.mp4`, or if there is one, `NAME.part2.mp4`, and so on."""
    names = (f"{result.stem}.part{number}{result.suffix}" for number in ("", *range(2, 10_000)))
    return next(path for name in names if not (path := result.with_name(name)).exists())


def in_groups(items: Iterable[Picture | Packet], size: int) -> Iterator[list[Picture | Packet]]:
    """Items one after the other: up to `size` pictures of one shape at a time, and the packets between them."""
    group: list[Picture | Packet] = []
    shapes: list[tuple[int, ...]] = []
    for item in items:
        if isinstance(item, Picture) and shapes and item.pixels.shape != shapes[0]:
            yield group
            group, shapes = [], []
        group.append(item)
        if isinstance(item, Picture):
            shapes.append(item.pixels.shape)
        if not shapes or len(shapes) == size:
            yield group
            group, shapes = [], []
    if group:
        yield group
