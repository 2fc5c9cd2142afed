"""Many photos in, as many photos out: names kept, nothing overwritten unasked, one broken photo stops no other."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from common.data.folders import find_photos
from common.data.formats import WRITABLE_SUFFIXES
from common.data.photos import PhotoError, read_photo, to_srgb_photo, write_photo
from common.runtime.errors import UserError, WriteError
from common.runtime.files import atomic_write
from common.runtime.memory import release_freed_memory

log = logging.getLogger(__name__)


def plan_outputs(inputs: Sequence[Path], folder: Path, overwrite: bool = False) -> list[tuple[Path, Path]]:
    """[(photo, its result's path)] for files and for folders, which are searched recursively and keep their tree.

    A photo in a format that is not written becomes a PNG; if another photo has that name, `a.gif` becomes `a.gif.png`.
    Makes `folder`. Raises UserError if that cannot be done, an input is missing, two results would have one name, a
    result would replace a photo that is read, or a result exists and `overwrite` is false.
    """
    plan: list[tuple[Path, Path]] = []
    for source in map(Path, inputs):
        photos = find_photos(source) if source.is_dir() else [source]
        for photo in photos:
            if not photo.is_file():
                raise UserError(f"{photo}: no such photo or folder")
            name = photo.relative_to(source) if source.is_dir() else Path(photo.name)
            plan.append((photo, Path(folder) / name))
    kept = {result for _, result in plan}
    plan = [(photo, get_writable_path(result, kept)) for photo, result in plan]
    sources: dict[Path, Path] = {}
    for photo, result in plan:
        if result in sources:
            raise UserError(f"{sources[result]} and {photo} would both become {result}: give them one at a time")
        sources[result] = photo
    originals = {photo.resolve() for photo, _ in plan}
    for _, result in plan:
        if result.resolve() in originals:
            raise UserError(f"{result}: is one of the photos to read; give another folder with -o")
    existing = [result for _, result in plan if result.exists()]
    if existing and not overwrite:
        raise UserError(
            f"{existing[0]}{f' and {len(existing) - 1} more' * (len(existing) > 1)}: exists; add --overwrite"
        )
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be created as a folder for the results ({error.strerror})") from None
    return plan


def get_writable_path(result: Path, others: set[Path]) -> Path:
    """The path with an ending that is written: `.png` in place of another one, or after it if `others` has that."""
    if result.suffix.lower() in WRITABLE_SUFFIXES:
        return result
    path = result.with_suffix(".png")
    if path in others:
        path = result.with_name(f"{result.name}.png")
        log.info("%s becomes %s, since there is another %s", result.name, path.name, result.with_suffix(".png").name)
    others.add(path)
    return path


def enhance_photos(
    plan: Sequence[tuple[Path, Path]], enhance: Callable[[np.ndarray], np.ndarray], keep_grey: bool = True
) -> int:
    """Reads, enhances and writes each photo of `plan_outputs`. enhance: (H, W, 3) uint8 -> (H', W', 3) uint8.

    keep_grey: a grey photo's result is saved grey.

    A photo that cannot be read or written gets one line. Returns how many those were.
    """
    failed = 0
    for number, (path, result) in enumerate(plan, start=1):
        release_freed_memory()
        try:
            photo = read_photo(path)
            if not keep_grey:
                photo = to_srgb_photo(photo)
            pixels = enhance(photo.rgb)
            result.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(result) as temporary:
                write_photo(temporary, pixels, like=photo)
        except (PhotoError, WriteError) as error:
            failed += 1
            log.error("failed %s", error)
        except (MemoryError, OSError) as error:
            failed += 1
            log.error("failed %s: %s", path, getattr(error, "strerror", None) or str(error) or "not enough memory")
        else:
            log.info("%d/%d %s  %d x %d", number, len(plan), result, pixels.shape[1], pixels.shape[0])
    if failed:
        log.error("%d of %d photos failed", failed, len(plan))
    return failed
