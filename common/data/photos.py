"""What the rest of the program uses of photo files."""

from common.data.flat import open_photo, open_photo_for_crops, open_shrunk_photo, shrunk_size
from common.data.open import PhotoError, allow_huge_photos, decode_photo
from common.data.photo_cache import PhotoCache
from common.data.whole import Photo, picture_to_photo, read_photo, to_picture, to_srgb_photo
from common.data.write import write_photo

__all__ = [
    "Photo",
    "PhotoCache",
    "PhotoError",
    "allow_huge_photos",
    "decode_photo",
    "open_photo",
    "open_photo_for_crops",
    "open_shrunk_photo",
    "picture_to_photo",
    "read_photo",
    "shrunk_size",
    "to_picture",
    "to_srgb_photo",
    "write_photo",
]
