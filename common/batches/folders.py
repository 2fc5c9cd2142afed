"""Folders of photos: finding the files, leaving out what cannot be used, splitting off the held-out ones."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from tqdm import tqdm

from common.photos.flat import open_photo
from common.photos.formats import (
    CAN_READ_VIDEOS,
    HEIF_SUFFIXES,
    INSTALL_HEIF,
    INSTALL_VIDEOS,
    READABLE_SUFFIXES,
    UNREADABLE_SUFFIXES,
    VIDEO_SUFFIXES,
)
from common.photos.open import PhotoError
from common.photos.video_endings import is_script
from common.runtime.errors import UserError
from common.runtime.names import nfc

log = logging.getLogger(__name__)

# Photos of one folder that are decoded before training starts; in larger folders the rest are checked when first used.
CHECKED_AT_START = 2000

MAX_NAMED = 3  # examples in a message

# What the folders of runs, of studies and of results have in them; their pictures are no photos.
RESULTS_MARKER = ".results-of-predict"  # an empty file in the folders that predict and evaluate make
RUN_FILES = ({"config.yaml", "environment.json"}, {"study.yaml", "photos.json"}, {RESULTS_MARKER})

SAMPLE_PHOTOS = {
    "skimage": [
        "astronaut.png",
        "chelsea.png",
        "coffee.png",
        "hubble_deep_field.jpg",
        "ihc.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
        "retina.jpg",
        "rocket.jpg",
    ],
    "sklearn": ["china.jpg", "flower.jpg"],
}
SAMPLE_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


class PhotoSplit(NamedTuple):
    """Photos to train on, and those held out."""

    train: list[Path]
    held_out: list[Path]

    def to_measure(self, n: int) -> list[Path]:
        """Of the held-out photos n at most, from all of their folder."""
        return (
            [self.held_out[i * len(self.held_out) // n] for i in range(n)] if len(self.held_out) > n else self.held_out
        )


def sample_photos() -> list[Path]:
    """Paths of the colour photographs inside the installed scikit-image and scikit-learn. Needs no network."""
    paths = []
    for package, names in SAMPLE_PHOTOS.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise UserError(f"the sample photos need the package {package}: install it, or set data.path to a folder")
        paths += [Path(spec.origin).parent / SAMPLE_FOLDERS[package] / name for name in names]
    return paths


def find_photos(folder: Path, with_videos: bool = False) -> list[Path]:
    """All files below `folder` with a photo's ending, or a video's, sorted; other and hidden files are left out,
    and so are folders of runs and those that systems fill (`@eaDir`, `__MACOSX`).

    Raises UserError if the folder is missing or holds none.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder}: {'is a file, not a' if folder.exists() else 'no such'} folder of photos")
    photos: list[Path] = []
    others, heif, videos, unreadable, seen = 0, 0, 0, 0, set()
    endings = READABLE_SUFFIXES + (VIDEO_SUFFIXES if with_videos and CAN_READ_VIDEOS else ())
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=report_folder):
        if (real := os.path.realpath(parent)) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        if Path(parent) != folder and any(files <= set(names) for files in RUN_FILES):
            log.info("%s: left out, the folder of a run or of its results", parent)
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith((".", "@")) and name != "__MACOSX")
        for name in names:
            if name.lower().endswith(endings) and not name.startswith("."):
                path = Path(parent, name)
                if path.is_file():
                    if is_script(path):
                        others += 1
                    else:
                        photos.append(path)
                else:
                    log.warning("skipped %s: a broken link, or not a regular file", path)
            else:
                others += 1
                heif += name.lower().endswith(HEIF_SUFFIXES)
                videos += with_videos and name.lower().endswith(VIDEO_SUFFIXES)
                unreadable += name.lower().endswith(UNREADABLE_SUFFIXES)
    if unreadable:
        log.warning("%s: JPEG XL photos left out: %d (save them in another format)", folder, unreadable)
    if videos:
        log.warning("%s: videos left out: %d (to read them: %s)", folder, videos, INSTALL_VIDEOS)
    if heif:
        log.warning("%s: HEIC photos left out: %d (to read them: %s)", folder, heif, INSTALL_HEIF)
    if not photos:
        known = " ".join(sorted(READABLE_SUFFIXES))
        raise UserError(f"{folder}: no photos in this folder ({others} other files; photos end in {known})")
    if others:
        log.info("%s: other files left out: %d", folder, others)
    return sorted(photos)


def report_folder(error: OSError) -> None:
    log.warning("skipped %s: the folder cannot be read (%s)", error.filename, error.strerror)


def keep_usable_photos(paths: list[Path], open_photo: Callable[[Path], Image.Image] = open_photo) -> list[Path]:
    """The photos of `paths` that `open_photo` opens; a line for each one that it refuses with PhotoError.

    Opens at most the first CHECKED_AT_START. Raises UserError if not one is usable.
    """
    first, rest = paths[:CHECKED_AT_START], paths[CHECKED_AT_START:]
    with ThreadPoolExecutor(max_workers=4) as pool:
        checks = pool.map(lambda path: why_unusable(path, open_photo), first)
        faults = list(tqdm(checks, "checking photos", len(first), leave=False, disable=None))
    usable = [path for path, problem in zip(first, faults, strict=True) if problem is None]
    skipped = [problem for problem in faults if problem is not None]
    for problem in skipped:
        log.warning("skipped %s", problem)
    if skipped:
        reasons = Counter(problem.partition(": ")[2] for problem in skipped).most_common()
        often = "; ".join(f"{reason}: {count}" for reason, count in reasons if count > 1)
        log.warning("%d of %d photos skipped%s", len(skipped), len(first), often and f" ({often})")
    if not usable:
        raise UserError(f"none of {len(first)} photos is usable; the lines above say why")
    return usable + rest


def why_unusable(path: Path, open_photo: Callable[[Path], Image.Image]) -> str | None:
    """Why `open_photo` refuses the photo, as one line, or None."""
    try:
        open_photo(path)
    except PhotoError as error:
        return str(error)
    return None


def split_photos(
    paths: Sequence[Path],
    valid: float | list[str],
    seed: int,
    folder: Path | None = None,
    doubles: Sequence[Sequence[Path]] = (),
) -> PhotoSplit:
    """Photos to train on, and those held out.

    valid: names or patterns (`chelsea.png`, `test/*`) that are matched with a photo's name and with its path below
    `folder`; or a part between 0 and 1, which is about how many are drawn: each photo by itself, by `seed` and its path
    below `folder`, so that whatever else comes or goes moves none to the other side. doubles: groups of photos that are
    the same; one on both sides goes to one, with a line: where it was named, else to training.

    Raises UserError if a name matches nothing or a side is empty.
    """
    names = {path: name_below(path, folder) for path in paths}
    if isinstance(valid, list):
        for pattern in valid:
            if not any(matches_pattern(name, pattern) for name in names.values()):
                raise UserError(f"data.valid: '{pattern}' matches no photo of {folder or 'the sample photos'}")
        chosen = {path for path in paths if any(matches_pattern(names[path], pattern) for pattern in valid)}
        gathered = chosen.union(*(group for group in doubles if chosen & set(group)))
    else:
        numbers = {path: draw_number(seed, name) for path, name in names.items()}
        highest = {path: max(numbers[double] for double in group) for group in doubles for path in group}
        chosen, gathered = draw(numbers, valid), draw(numbers | highest, valid)
    held_out = gathered if len(gathered) < len(paths) else chosen
    torn = [group for group in doubles if 0 < len(chosen & set(group)) < len(group)]
    if torn:
        examples = "; ".join(
            " = ".join(sorted(names[path] for path in group)[:MAX_NAMED]) + " = ..." * (len(group) > MAX_NAMED)
            for group in torn[:MAX_NAMED]
        )
        sides = {set(group) <= held_out for group in torn}
        results = {True: "all of them are held out", False: "all of them are trained on"}
        result = results[sides.pop()] if len(sides) == 1 else "each is on one side with those that are the same"
        log.warning(
            "WARNING: photos that are the same would be held out and trained on: %s%s: %s",
            examples, "; ..." * (len(torn) > MAX_NAMED),
            result if held_out is gathered else "they are, since all photos look alike",
        )  # fmt: skip
    train = [path for path in paths if path not in held_out]
    if not train or not held_out:
        raise UserError(
            f"data.valid = {valid}: of {len(paths)} photos {len(train)} are left to train on and {len(held_out)} are "
            "held out; both need at least one"
        )
    return PhotoSplit(train, [path for path in paths if path in held_out])


def draw_number(seed: int, name: str) -> float:
    """A number from 0 to 1 that follows from the photo's name alone."""
    return int.from_bytes(sha256(f"{seed}/{name}".encode(errors="surrogatepass")).digest()[:8]) / 2**64


def draw(numbers: Mapping[Path, float], part: float) -> set[Path]:
    """The photos whose number is below `part`: at least those with the lowest, and not those with the highest."""
    lowest, *others = sorted(set(numbers.values()))
    limit = max((number for number in others[:-1] if number < part), default=lowest)
    return {path for path, number in numbers.items() if number <= limit}


def name_below(path: Path, folder: Path | None) -> str:
    """Its path below the folder of photos, written in the same way on every system."""
    return nfc(path.name if folder is None else path.relative_to(folder).as_posix())


def matches_pattern(name: str, pattern: str) -> bool:
    """Whether a pattern means a photo of this name, with or without its folders."""
    return any(part == nfc(pattern) or fnmatch(part, nfc(pattern)) for part in (name, name.rpartition("/")[2]))
