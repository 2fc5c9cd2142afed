"""Many photos in, as many photos out: names kept, nothing overwritten unasked, one broken photo stops no other."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.batches.folders import RESULTS_MARKER, find_photos
from common.photos.formats import MAX_SIDES, VIDEO_SUFFIXES, WRITABLE_SUFFIXES, WRITABLE_VIDEO_SUFFIXES
from common.photos.open import PhotoError
from common.photos.video_endings import ending_of_result
from common.photos.whole import Photo, read_photo, to_srgb_photo
from common.photos.write import write_photo
from common.runtime.errors import ResultNotFinite, UserError, WriteError
from common.runtime.files import atomic_write, check_can_write, check_may_replace, remove_temporary_files
from common.runtime.memory import machine_memory, release_freed_memory
from common.runtime.names import get_name_key, in_either_form, look_alike
from common.runtime.out_of_memory import first_that_fits

log = logging.getLogger(__name__)

# Three channels as an array, four in Pillow's copy of it: 8 bytes; 192 megapixels enhanced at their size took 3.6 GB.
BYTES_OF_A_VALUE, WORTH_SAYING = 8, 2e9

FAILURES = (PhotoError, WriteError, ResultNotFinite, MemoryError, OSError)  # of one photo; the others go on

Enhance = Callable[[np.ndarray], np.ndarray]  # (H, W, 3) uint8 or uint16 -> (scale H, scale W, 3)


class Together(NamedTuple):
    """How several small photos are enhanced at once, which keeps a GPU busy."""

    enhance: Callable[[list[np.ndarray]], list[np.ndarray]]  # photos of one size and depth
    pixels: int  # that they may have in all


class OpenPhoto(NamedTuple):
    """A photo of a plan, read: the plan's number, its path, its result's path."""

    number: int
    path: Path
    result: Path
    photo: Photo


def plan_outputs(
    inputs: Sequence[Path],
    output: Path,
    overwrite: bool = False,
    skip_existing: bool = False,
    suffix: str | None = None,
) -> list[tuple[Path, Path]]:
    """[(photo or video, its result's path)] for files and folders, which are searched recursively and keep their tree.

    output: the folder of the results, or for a single photo the result's own name. suffix: the results' ending, such as
    '.png'; without it they keep that of their photo. A photo in a format that is not written becomes a PNG, a video MP4
    or MKV; if another photo has that name, `a.gif` becomes `a.gif.png`. Photos in a folder of results below one that is
    read are left out.

    Makes the folder. Raises UserError if that cannot be done, an input is missing, two results would have one name, a
    result would replace a photo that is read, or a result exists and is neither to be overwritten nor skipped.
    """
    inputs, output = [Path(source) for source in inputs], Path(output)
    if is_video(output) and output.suffix.lower() not in WRITABLE_VIDEO_SUFFIXES and not output.is_dir():
        raise UserError(f"-o {output}: videos are written as {' '.join(WRITABLE_VIDEO_SUFFIXES)}; give one of these")
    names_a_picture = output.suffix.lower() in (*WRITABLE_SUFFIXES, *VIDEO_SUFFIXES) and not output.is_dir()
    if names_a_picture and (len(inputs) > 1 or inputs[0].is_dir()):
        raise UserError(f"-o {output}: the name of one picture, for several photos; give a folder")
    plan: list[tuple[Path, Path]] = []
    for source in inputs:
        found = find_photos(source, with_videos=True) if source.is_dir() else [source]
        photos = without_results(found, source, output) if source.is_dir() else found
        for photo in photos:
            if not photo.is_file():
                raise UserError(f"{photo}: no such photo or folder")
            name = photo.relative_to(source) if source.is_dir() else Path(photo.name)
            if suffix is not None and not is_video(name):
                name = name.with_suffix(suffix)
            result = output if names_a_picture else output / name
            if is_video(photo) != is_video(result):
                kind = "a video" if is_video(photo) else "no video"
                raise UserError(f"-o {output}: {photo} is {kind}; give a name that fits")
            plan.append((photo, result))
    kept = {result for _, result in plan}
    plan = [(photo, get_writable_path(result, kept, photo)) for photo, result in plan]
    if changed := sorted({photo.suffix for photo, result in plan if is_video(photo) and photo.suffix != result.suffix}):
        log.info("videos that end in %s become .mp4, or .mkv for sound that MP4 does not hold", " ".join(changed))
    check_names(plan, output)
    alike = Counter(look_alike(result) for _, result in plan)
    root = output.parent if names_a_picture else output
    plan = [  # a result that exists may have its name from a Mac
        (photo, in_either_form(root, result.relative_to(root)) if alike[look_alike(result)] == 1 else result)
        for photo, result in plan
    ]
    originals = {file_number(photo) for photo, _ in plan}
    existing = {result for _, result in plan if result.exists()}
    for result in existing:
        if file_number(result) in originals:
            raise UserError(f"{result}: is one of the photos to read; give another folder with -o")
    if skip_existing:
        log.info("%d of %d results exist and are skipped", len(existing), len(plan))
        plan = [(photo, result) for photo, result in plan if result not in existing]
    else:
        check_may_replace(existing, overwrite, "--skip-existing")
    make_results_folder(root)
    for folder in {result.parent for _, result in plan}:
        remove_temporary_files(folder)
    return plan


def check_names(plan: Sequence[tuple[Path, Path]], output: Path) -> None:
    """Raises UserError if two results would be one file, also on a drive that does not tell upper from lower case."""
    if len({look_alike(result) for _, result in plan}) == len(plan):
        return
    key = get_name_key(next(path for path in (output, *output.absolute().parents) if path.is_dir()))
    sources: dict[str, Path] = {}
    for photo, result in plan:
        if (other := sources.setdefault(key(result), photo)) is not photo:
            raise UserError(f"{other} and {photo} would both become {result}: give them one at a time")


def file_number(path: Path) -> tuple[int, int]:
    """The same for all names of a file."""
    found = path.stat()
    return found.st_dev, found.st_ino


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its ending."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def without_results(photos: list[Path], source: Path, output: Path) -> list[Path]:
    """The photos that are not in the folder of results, if that is below `source`."""
    results = output.resolve()
    if not results.is_relative_to(source.resolve()) or results == source.resolve():
        return photos
    return [photo for photo in photos if not photo.resolve().is_relative_to(results)]


def check_size(result: Path, width: int, height: int) -> None:
    """Raises PhotoError if the format of the result cannot have so many pixels."""
    limit = MAX_SIDES.get(result.suffix.lower())
    if limit is not None and max(width, height) > limit:
        raise PhotoError(
            f"{result}: {width} x {height} px, and the format has at most {limit:,} a side; take another, such as "
            "--format png"
        )


def check_memory(path: Path, values: int) -> None:
    """Says how much memory a large photo and its result take. values: bytes of one channel of both.

    Raises PhotoError if that is more than the machine has.
    """
    needed, memory = BYTES_OF_A_VALUE * values, machine_memory()
    if memory is not None and needed > memory:
        raise PhotoError(f"{path}: needs {needed / 1e9:.0f} GB of memory, and this machine has {memory / 1e9:.0f}")
    if needed > WORTH_SAYING:
        log.info("%s: needs about %.1f GB of memory", path, needed / 1e9)


def make_results_folder(folder: Path) -> None:
    """Makes the folder, marked so that no training takes results for photos; one that exists stays as it is.

    Raises UserError if that cannot be done, or nothing can be written into it.
    """
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / RESULTS_MARKER).touch()
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be created as a folder for the results ({error.strerror})") from None
    check_can_write(folder)


def get_writable_path(result: Path, others: set[Path], source: Path) -> Path:
    """The path with an ending that is written: `.png` in place of another one, or after it if `others` has that.

    A video gets an ending that suits the sound of `source`.
    """
    if result.suffix.lower() in (*WRITABLE_SUFFIXES, *WRITABLE_VIDEO_SUFFIXES):
        return result
    ending = ending_of_result(source) if is_video(result) else ".png"
    path = result.with_suffix(ending)
    if path in others:
        path = result.with_name(f"{result.name}{ending}")
        log.info("%s becomes %s, since there is another %s", result.name, path.name, result.with_suffix(ending).name)
    others.add(path)
    return path


def enhance_photos(
    plan: Sequence[tuple[Path, Path]],
    enhance: Enhance,
    keep_grey: bool = True,
    quality: int | None = None,
    scale: int = 1,
    together: Together | None = None,
) -> int:
    """Reads, enhances and writes each photo of `plan_outputs`. enhance: (H, W, 3) uint8 -> (H', W', 3) uint8.

    keep_grey: a grey photo's result is saved grey. quality: of `common.photos.write.write_photo`.
    scale: how many times larger results are. together: for small photos of one size that follow each other.

    A photo that cannot be read or written gets one line. Returns how many those were.
    """
    failed = 0

    def report_failure(path: Path, error: BaseException) -> None:
        nonlocal failed
        failed += 1
        log.error("failed %s", explain_failure(path, error))

    def read_photos() -> Iterator[OpenPhoto]:
        for number, (path, result) in enumerate(plan, start=1):
            try:
                yield OpenPhoto(number, path, result, read_to_enhance(path, result, keep_grey, scale))
            except FAILURES as error:
                report_failure(path, error)

    for group in group_by_size(read_photos(), together.pixels if together else 0):
        pixels = [item.photo.rgb for item in group]
        results = enhance_together(pixels, together) if together and len(group) > 1 else None
        for index, (number, path, result, photo) in enumerate(group):
            try:
                enhanced = results[index] if results else enhance(photo.rgb)
                write_result(result, enhanced, photo, quality)
            except FAILURES as error:
                report_failure(path, error)
            else:
                log.info("%d/%d %s  %d x %d", number, len(plan), result, *enhanced.shape[1::-1])
    if failed:
        log.error("%d of %d photos failed", failed, len(plan))
    return failed


def group_by_size(photos: Iterable[OpenPhoto], pixels: int) -> Iterator[list[OpenPhoto]]:
    """Photos of one size and depth that follow each other, as many as have `pixels` in all; larger ones alone."""
    group: list[OpenPhoto] = []
    for item in photos:
        rgb = item.photo.rgb
        if group and (group[0].photo.rgb.shape, group[0].photo.rgb.dtype) != (rgb.shape, rgb.dtype):
            yield group
            group = []
        group.append(item)
        if (len(group) + 1) * rgb.shape[0] * rgb.shape[1] > pixels:
            yield group
            group = []
    if group:
        yield group


def enhance_together(photos: list[np.ndarray], together: Together) -> list[np.ndarray] | None:
    """The results of photos of one size, or None if they must be made one by one: memory does not suffice for all at
    once, or one of them is not finite."""
    ways = [(f"{len(photos)} photos at once", lambda: together.enhance(photos)), ("one at a time", lambda: None)]
    try:
        return first_that_fits(ways)
    except ResultNotFinite:
        return None


def enhance_photo(
    path: Path,
    result: Path,
    enhance: Enhance,
    keep_grey: bool = True,
    quality: int | None = None,
    scale: int = 1,
) -> tuple[int, int]:
    """One photo of `enhance_photos`; returns (height, width) of the result. Raises one of FAILURES."""
    photo = read_to_enhance(path, result, keep_grey, scale)
    pixels = enhance(photo.rgb)
    write_result(result, pixels, photo, quality)
    return pixels.shape[0], pixels.shape[1]


def read_to_enhance(path: Path, result: Path, keep_grey: bool, scale: int) -> Photo:
    """The photo. Raises one of FAILURES, also if its result is too large for its format or the memory."""
    release_freed_memory()
    photo = read_photo(path)
    if not keep_grey:
        photo = to_srgb_photo(photo)
    height, width = photo.rgb.shape[:2]
    check_size(result, scale * width, scale * height)
    check_memory(path, (1 + scale**2) * height * width * photo.rgb.itemsize)
    return photo


def write_result(result: Path, pixels: np.ndarray, like: Photo, quality: int | None) -> None:
    """Writes the whole file or none, and makes its folder. Raises one of FAILURES."""
    result.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(result) as temporary:
        write_photo(temporary, pixels, like=like, quality=quality, name=result)


def explain_failure(path: Path, error: BaseException) -> str:
    """One of FAILURES in a line that begins with the photo's path."""
    if isinstance(error, PhotoError | WriteError):
        return str(error)
    return f"{path}: {getattr(error, 'strerror', None) or str(error) or 'not enough memory'}"
