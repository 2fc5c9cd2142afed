"""Which photos a run trains on, and which it holds out: kept in its folder, so that it goes on with the same."""

import logging
from functools import partial
from pathlib import Path

from common.data.dataloaders import check_batch_sizes
from common.data.folders import sample_photos
from common.runtime import processes
from common.runtime.errors import UserError
from common.runtime.files import read_json, write_json

log = logging.getLogger(__name__)

PHOTOS_FILE = "photos.json"


def get_run_photos(resume, config, find):
    """(training photos, held-out photos): those that find(config) finds, or those of the earlier run `resume`."""
    if resume is None:
        return processes.run_on_main(partial(find, config))
    train, held_out = processes.run_on_main(partial(read_photo_split, resume / PHOTOS_FILE, config.data.path))
    check_batch_sizes(len(train), config.data, config.train)
    return train, held_out


def save_photo_split(path, photos, folder):
    """Writes (training photos, held-out photos) as names below `folder` (None: of the sample photos)."""
    train, held_out = ([relative_name(photo, folder) for photo in side] for side in photos)
    write_json(path, {"train": train, "held out": held_out})


def read_photo_split(path, folder):
    """(training photos, held-out photos) of `save_photo_split`, now below `folder`. Those that are gone get a line each.

    Raises UserError if the file is broken, or one side has no photo left.
    """
    if folder is None:
        places = {photo.name: photo for photo in sample_photos()}
    elif not folder.expanduser().is_dir():
        raise UserError(f"data.path = {folder}: no such folder; give the one where the photos of this run lie now")
    names = read_json(path)
    try:
        train, held_out = (
            [places.get(name, Path(name)) if folder is None else folder.expanduser() / name for name in names[side]]
            for side in ("train", "held out")
        )
    except (LookupError, TypeError):
        raise UserError(f"{path}: not the photos of a run; without it the run cannot be continued") from None
    gone = {photo for photo in [*train, *held_out] if not photo.is_file()}
    for photo in sorted(gone):
        log.warning("%s: is gone since the run began", photo)
    if gone >= set(train) or gone >= set(held_out):
        raise UserError(f"data.path = {folder}: too few photos of this run are here; give their folder")
    # A training photo that is gone keeps its place, so that the others keep theirs: `common.data.loader` replaces it.
    return train, [photo for photo in held_out if photo not in gone]


def relative_name(photo, folder):
    return photo.name if folder is None else photo.relative_to(folder.expanduser()).as_posix()
