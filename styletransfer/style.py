"""The picture whose style is learned."""

import logging
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from common.data.folders import sample_photos
from common.data.photos import PhotoError, open_photo, shrunk_size
from common.data.pixels import to_tensor
from common.runtime.errors import UserError
from styletransfer.config import StyleConfig

log = logging.getLogger(__name__)

STYLE_FILE = "style.png"  # its copy in the run folder
SAMPLE_STYLE = "ihc.png"  # stained tissue under a microscope: brown hatching, pale blue dabs
MIN_SIDE = 32


def open_style(config: StyleConfig, run: Path | None = None) -> Image.Image:
    """The style picture (RGB) of a config, shrunk to its size.

    run: folder of a run to continue; its own copy is used. Raises UserError if the picture cannot be used.
    """
    if run is not None and (run / STYLE_FILE).exists():
        return open_photo(run / STYLE_FILE)
    path = config.image
    if path is None:
        path = next(photo for photo in sample_photos() if photo.name == SAMPLE_STYLE)
    try:
        picture = open_photo(path.expanduser())
    except PhotoError as error:
        raise UserError(f"style.image = {error}") from None
    short_side = min(picture.size)
    if short_side < MIN_SIDE:
        raise UserError(
            f"style.image = {path}: {picture.width} x {picture.height} px; each side must have at least {MIN_SIDE}"
        )
    if short_side < config.size:
        log.warning(
            "style.image = %s: its short side has %d px, less than style.size = %d", path, short_side, config.size
        )
    height, width = shrunk_size(picture.height, picture.width, config.size)
    return picture.resize((width, height), reducing_gap=3)


def style_to_tensor(style: Image.Image) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    return to_tensor(np.asarray(style))
