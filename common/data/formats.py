"""Which file endings are photos, and which of them results are written in."""

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")

# Results keep these; photos of any other kind (GIF, JPEG 2000, ...) become PNG.
WRITABLE_SUFFIXES = (*JPEG_SUFFIXES, ".png", ".tif", ".tiff", ".webp", ".bmp")

# What Pillow opens, without the kinds that hold no photo (PDF, fonts, icons, text formats).
READABLE_SUFFIXES = (*WRITABLE_SUFFIXES, ".dib", ".gif", ".ppm", ".pgm", ".pnm", ".tga", ".jp2", ".avif")
