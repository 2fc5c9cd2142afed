"""Pictures turned upright, as EXIF's orientation says."""

from PIL import Image
from PIL.Image import Transpose

ORIENTATIONS = {  # how to turn a picture upright
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as EXIF's orientation says, 1 to 8; other numbers count as upright."""
    method = ORIENTATIONS.get(orientation)
    return image if method is None else copy_info(image.transpose(method), image)


def copy_info(image: Image.Image, like: Image.Image) -> Image.Image:
    image.info.update(like.info)
    return image
