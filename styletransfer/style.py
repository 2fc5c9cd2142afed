"""The picture whose style is learned."""

import logging

from common.data.folders import sample_photos
from common.data.photos import PhotoError, open_photo, shrunk_size
from common.runtime.errors import UserError

log = logging.getLogger(__name__)

NAME = "style.png"  # of its copy in the run folder
SAMPLE = "ihc.png"  # stained tissue under a microscope: brown hatching, pale blue dabs
SMALLEST = 32


def open_style(config, run=None):
    """The style picture (PIL, RGB) of a `styletransfer.config.StyleConfig`, shrunk to its size.

    run: folder of a run that goes on; its own copy is taken. Raises UserError if the picture cannot be used.
    """
    if run is not None and (run / NAME).exists():
        return open_photo(run / NAME)
    path = config.image
    if path is None:
        path = next(photo for photo in sample_photos() if photo.name == SAMPLE)
    try:
        picture = open_photo(path.expanduser())
    except PhotoError as error:
        raise UserError(f"style.image = {error}") from None
    short = min(picture.size)
    if short < SMALLEST:
        raise UserError(f"style.image = {path}: {picture.width} x {picture.height} px; needs {SMALLEST} a side")
    if short < config.size:
        log.warning("style.image = %s: its short side has %d px, less than style.size = %d", path, short, config.size)
    height, width = shrunk_size(picture.height, picture.width, config.size)
    return picture.resize((width, height), reducing_gap=3)
