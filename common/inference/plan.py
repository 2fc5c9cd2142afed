"""Which photo becomes which file: names kept, nothing overwritten unasked."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from common.batches.folders import RESULTS_MARKER, find_photos
from common.photos.formats import (
    HEIF_SUFFIXES,
    JPEG_SUFFIXES,
    READABLE_SUFFIXES,
    TIFF_SUFFIXES,
    UNREADABLE_SUFFIXES,
    VIDEO_SUFFIXES,
    WRITABLE_SUFFIXES,
    WRITABLE_VIDEO_SUFFIXES,
)
from common.photos.video_endings import ending_of_result
from common.runtime.errors import UserError
from common.runtime.files import check_can_write, check_may_replace, remove_temporary_files
from common.runtime.names import get_name_key, in_either_form, look_alike

log = logging.getLogger(__name__)

NOT_WRITTEN = {*READABLE_SUFFIXES, *HEIF_SUFFIXES, *UNREADABLE_SUFFIXES} - {*WRITABLE_SUFFIXES}


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
    if output.suffix.lower() in NOT_WRITTEN and not output.is_dir():
        raise UserError(f"-o {output}: pictures are written as {' '.join(WRITABLE_SUFFIXES)}; give one of these")
    names_a_picture = output.suffix.lower() in (*WRITABLE_SUFFIXES, *VIDEO_SUFFIXES) and not output.is_dir()
    if names_a_picture and (len(inputs) > 1 or inputs[0].is_dir()):
        raise UserError(f"-o {output}: the name of one picture, for several photos; give a folder")
    same = next((kind for kind in (JPEG_SUFFIXES, TIFF_SUFFIXES) if suffix in kind), (suffix,))
    if names_a_picture and suffix is not None and output.suffix.lower() not in (*same, *VIDEO_SUFFIXES):
        raise UserError(f"-o {output}: --format says {suffix[1:]}; leave one of the two out")
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
    plan = list(dict.fromkeys(plan))  # a photo may be named twice, by itself and with its folder
    kept = {result for _, result in plan}
    plan = [(photo, get_writable_path(result, kept, photo)) for photo, result in plan]
    changed = sorted({photo.suffix for photo, result in plan if is_video(photo) and photo.suffix != result.suffix})
    if changed and not names_a_picture:
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
    for result in sorted(existing):
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
            raise UserError(f"{other} and {photo} would both become {result}: give each a folder of its own with -o")


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
