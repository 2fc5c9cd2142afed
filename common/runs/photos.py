"""Which photos a run trains on, and which it holds out: saved in its folder, so that it resumes with the same ones."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from common.batches.block import check_batch_sizes
from common.batches.folders import PhotoSplit, sample_photos
from common.config.sections import TaskConfig
from common.runtime import processes
from common.runtime.errors import UserError
from common.runtime.files import read_json, write_json
from common.runtime.names import in_either_form

log = logging.getLogger(__name__)

Config = TypeVar("Config", bound=TaskConfig)

PHOTOS_FILE = "photos.json"


def get_run_photos(resume: Path | None, config: Config, find: Callable[[Config], PhotoSplit]) -> PhotoSplit:
    """Returns the photos that find(config) finds, or those of the earlier run whose folder is `resume`.

    Raises UserError if photos of the earlier run cannot be used.
    """
    if resume is None:
        return processes.run_on_main(partial(find, config))
    train, held_out = processes.run_on_main(partial(read_photo_split, resume / PHOTOS_FILE, config.data.path))
    check_batch_sizes(len(train), config.data, config.train)
    return PhotoSplit(train, held_out)


def save_photo_split(path: Path, photos: PhotoSplit, folder: Path | None) -> None:
    """Writes the photos as paths relative to `folder` (None: as names of the sample photos)."""
    train, held_out = ([relative_name(photo, folder) for photo in part] for part in photos)
    write_json(path, {"train": train, "held out": held_out})


def read_photo_split(path: Path, folder: Path | None) -> PhotoSplit:
    """Returns what `save_photo_split` wrote, now below `folder`, and logs a warning for each photo that is missing.

    Raises UserError if the file is broken, or no training photo or no held-out photo is left.
    """
    if folder is not None and not folder.expanduser().is_dir():
        raise UserError(f"data.path = {folder}: no such folder; give the one where the photos of this run are now")
    samples = {photo.name: photo for photo in sample_photos()} if folder is None else {}
    names = read_json(path)
    try:
        train, held_out = (
            [
                samples.get(name, Path(name)) if folder is None else in_either_form(folder.expanduser(), Path(name))
                for name in names[part]
            ]
            for part in ("train", "held out")
        )
    except (LookupError, TypeError):
        raise UserError(f"{path}: not the photos of a run; without it the run cannot be continued") from None
    missing = {photo for photo in [*train, *held_out] if not photo.is_file()}
    for photo in sorted(missing):
        log.warning("%s: missing; it was there when the run began", photo)
    if missing >= set(train) or missing >= set(held_out):
        raise UserError(f"data.path = {folder}: too few photos of this run are here; give their folder")
    # A missing training photo keeps its place, so that the others keep theirs: `common.batches.loader` replaces it.
    return PhotoSplit(train, [photo for photo in held_out if photo not in missing])


def relative_name(photo: Path, folder: Path | None) -> str:
    return photo.name if folder is None else photo.relative_to(folder.expanduser()).as_posix()
