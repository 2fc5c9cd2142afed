"""Photos as RGB in sRGB on white: what trainings, losses and metrics see."""

from pathlib import Path

from PIL import Image

from common.photos.open import PhotoError, decode_photo
from common.photos.profiles import to_srgb


def open_photo(path: Path) -> Image.Image:
    """An upright `PIL.Image` in RGB, with sRGB's colours, of any photo; transparency is put on white.

    Raises PhotoError if the file is missing, not a picture, truncated or of an unknown kind.
    """
    return flatten_to_rgb(path, decode_photo(path))


def flatten_to_rgb(path: Path, image: Image.Image) -> Image.Image:
    rgb = to_srgb(path, image)
    if image.has_transparency_data:
        return put_on_white(rgb, image.convert("RGBA").getchannel("A"))
    return rgb


def put_on_white(image: Image.Image, alpha: Image.Image) -> Image.Image:
    white = Image.new(image.mode, image.size, "white")
    white.paste(image, mask=alpha)
    return white


def open_photo_for_crops(path: Path, min_side: int, least_side: int | None = None) -> Image.Image:
    """`open_photo`, and PhotoError for a photo with a side below `min_side` pixels. least_side: of `decode_photo`."""
    image = flatten_to_rgb(path, decode_photo(path, least_side))
    check_room(path, *image.size, min_side)
    return image


def check_room(path: Path, width: int, height: int, min_side: int) -> None:
    """Raises PhotoError for a photo that a crop of `min_side` pixels a side does not fit into."""
    if min(width, height) < min_side:
        raise PhotoError(f"{path}: {width} x {height} px, smaller than the {min_side} px crop")


def shrunk_size(height: int, width: int, size: int) -> tuple[int, int]:
    """(height, width) of the copy whose short side has `size` pixels; never larger than the photo."""
    part = min(1, size / min(height, width))
    return max(1, round(part * height)), max(1, round(part * width))


def open_shrunk_photo(path: Path, crop: int, min_scale: float) -> Image.Image:
    """`open_photo_for_crops` for crops of at least the part `min_scale` of its area, and no larger than these need."""
    size = round(crop / min_scale**0.5)
    photo = open_photo_for_crops(path, min_side=crop, least_side=8 * size)
    height, width = shrunk_size(photo.height, photo.width, size)
    return photo.resize((width, height), reducing_gap=2)
