"""Which file endings are photos, and which of them results are written in."""

from importlib.util import find_spec

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
TIFF_SUFFIXES = (".tif", ".tiff")

# Results keep these; photos of any other kind (GIF, JPEG 2000, ...) become PNG.
WRITABLE_SUFFIXES = (*JPEG_SUFFIXES, ".png", *TIFF_SUFFIXES, ".webp", ".bmp")

# What Pillow opens, without the kinds that hold no photo (PDF, fonts, icons, text formats).
READABLE_SUFFIXES = (
    *WRITABLE_SUFFIXES, ".dib", ".gif", ".ppm", ".pgm", ".pnm", ".tga", ".jp2", ".j2k", ".avif", ".mpo", ".apng",
)  # fmt: skip

PNG_LEVEL = 1  # of zlib's: 0.27 s for 3 megapixels, 5.9 MB; Pillow's default, 6, takes 0.71 s for 5.1 MB

# The most pixels that a side may have; other formats have no limit that a photo reaches.
MAX_SIDES = {**dict.fromkeys(JPEG_SUFFIXES, 65_500), ".webp": 16_383}

# Photos that nothing reads here.
UNREADABLE_SUFFIXES = (".jxl",)

# Videos, which `predict` and `evaluate` take as well, if the packages that read them are installed.
# Results keep the first ones; videos of any other kind become .mp4 or .mkv (common.photos.video_endings).
WRITABLE_VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm")
VIDEO_SUFFIXES = (
    *WRITABLE_VIDEO_SUFFIXES, ".3gp", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".vob", ".wmv", ".flv", ".ogv",
)  # fmt: skip
CAN_READ_VIDEOS = find_spec("av") is not None and find_spec("cv2") is not None
INSTALL_VIDEOS = 'pip install "perceptual-enhance[video]"'

# What phones take photos in, if the package that reads it is installed.
HEIF_SUFFIXES = (".heic", ".heif", ".hif")
CAN_READ_HEIF = find_spec("pillow_heif") is not None
INSTALL_HEIF = "pip install pillow-heif"
if CAN_READ_HEIF:
    READABLE_SUFFIXES += HEIF_SUFFIXES
