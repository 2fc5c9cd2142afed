"""A trained model as a function: a photo in, the result out as a PIL image, which notebooks show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from common.photos.whole import picture_to_photo, read_photo, to_picture, to_srgb_photo


class PhotoModel:
    """model("photo.jpg") is the photo enhanced, whole, tile by tile as `predict` does it.

    network: in eval mode. enhance(photo, **options): (H, W, 3) uint8 or uint16 -> (H', W', 3). keep_grey: whether the
    result of a grey photo is grey. check: of the options, raises UserError for those that there are not.
    """

    def __init__(
        self,
        network: nn.Module,
        enhance: Callable[..., np.ndarray],
        keep_grey: bool = True,
        check: Callable[[dict[str, Any]], None] = lambda options: None,
    ) -> None:
        self.network, self.enhance, self.keep_grey, self.check = network, enhance, keep_grey, check

    def __call__(self, photo: str | Path | Image.Image | np.ndarray, **options: Any) -> Image.Image:
        """The result, 8 bits a channel, with the transparency and the colour profile of a file.

        photo: a file, a PIL image, or an array (H, W), (H, W, 3) or (H, W, 4) of 8 or 16 bits. options: those of
        `python -m TASK.predict`, such as tile=512. Raises PhotoError if a file is no photo,
        UserError if there is no such option, or it cannot have that value.
        """
        self.check(options)
        source = (
            picture_to_photo(photo)
            if isinstance(photo, Image.Image | np.ndarray)
            else read_photo(Path(photo).expanduser())
        )
        if not self.keep_grey:
            source = to_srgb_photo(source)
        return to_picture(self.enhance(source.rgb, **options), like=source)
