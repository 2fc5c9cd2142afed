"""What becomes of what a photo says when its pixels change. Whatever is not named here comes back byte for byte.

Renewed, in `common/photos/renewal.py`: orientation (the result is upright), sizes, places and densities in pixels, the
colour space if the colours are converted, the media type. Dropped in silence: how the old file stores its pixels, and
thumbnails of them. Dropped with a line: the rest of what would no longer be true.
"""

# TIFF 6.0, its supplements, and TIFF/EP. The result has its own.
STORAGE = {
    *range(254, 260), 262, *range(263, 267),  # kind of picture, size, bits, compression, photometry, dithering
    273, 274, *range(277, 282), 284,  # strips, orientation, samples, planes
    *range(288, 294), 297, 301, 317, *range(320, 329),  # grey response, fax, page, transfer, predictor, palette, tiles
    330, *range(332, 335), 336, *range(338, 348), 351,  # further pictures, inks, sample format, JPEG tables
    *range(400, 406), 433, 434, *range(512, 522), *range(529, 533), 559,  # fax profiles, JPEG, YCbCr, strip rows
    *range(32995, 32999), 33421, 33422,  # SGI's data type and depth, a sensor's colour filters
}  # fmt: skip

# They are read apart from the tags, and written where each format has them.
XMP, IPTC, PHOTOSHOP, ICC = 700, 33723, 34377, 34675
ELSEWHERE = {XMP, IPTC, PHOTOSHOP, ICC}

# Dropped with a line, by what it calls them.
LAYERS = dict.fromkeys((37724, 50255), "Photoshop's layers")
DNG_TAGS = (*range(50706, 50742), *range(50778, 50782), *range(50827, 50835), *range(50879, 51180))
DNG = dict.fromkeys(DNG_TAGS, "DNG's tags")
STACK = dict.fromkeys((50838, 50839), "ImageJ's tags")
DROPPED = LAYERS | DNG | STACK
# True only for pixels of the photo's own size, upright: kept where these are.
MAP = dict.fromkeys((33550, 33922, 34264, 33920, 34735, 34736, 34737, 42112), "the place on the map (GeoTIFF)")

# EXIF 2.32
ORIENTATION, RESOLUTION_X, RESOLUTION_Y, RESOLUTION_UNIT = 274, 282, 283, 296
WHITE_POINT, PRIMARIES = 318, 319  # of the colours: gone when these are converted
COLOR_SPACE, PIXELS_WIDE, PIXELS_HIGH = 40961, 40962, 40963
COMPRESSED_BITS = 37122  # of the old file: dropped in silence
SUBJECT_AREA, SUBJECT_LOCATION = 37396, 41492
FOCAL_PLANE_X, FOCAL_PLANE_Y = 41486, 41487

# Photoshop's resources, in a JPEG and in a TIFF, that are about the photo. The others are about Photoshop's window,
# guides, layers and thumbnail, or copies of EXIF and XMP: dropped in silence.
IPTC_RESOURCE = 1028
KEPT_RESOURCES = {1005, 1034, 1035, 1061}  # resolution, copyright flag, address, IPTC's checksum
PATHS = range(2000, 3000)  # in parts of the picture's sides: kept, unless it is turned

# XMP. Sizes and places in pixels that EXIF has as well, how the file is stored, and pictures of the small picture.
XMP_SIZES = {
    "tiff:ImageWidth": 0, "tiff:ImageLength": 1, "exif:PixelXDimension": 0, "exif:PixelYDimension": 1,
    "stDim:w": 0, "stDim:h": 1,  # to which regions apply
}  # fmt: skip
XMP_DROPPED = (
    "xmp:Thumbnails", "tiff:BitsPerSample", "tiff:Compression", "tiff:PhotometricInterpretation",
    "tiff:SamplesPerPixel", "tiff:PlanarConfiguration", "tiff:YCbCrSubSampling", "tiff:YCbCrPositioning",
    "exif:CompressedBitsPerPixel", "exif:SubjectArea", "exif:SubjectLocation", "exif:FocalPlaneXResolution",
    "exif:FocalPlaneYResolution",
)  # fmt: skip
# Dropped with a line: what lies behind a phone's picture in its file, and no longer does.
XMP_BEHIND = (
    *(f"hdrgm:{name}" for name in (
        "Version", "BaseRenditionIsHDR", "GainMapMin", "GainMapMax", "Gamma", "OffsetSDR", "OffsetHDR",
        "HDRCapacityMin", "HDRCapacityMax",
    )),
    *(f"GCamera:{kind}{what}" for kind in ("MotionPhoto", "MicroVideo") for what in (
        "", "Version", "Offset", "PresentationTimestampUs",
    )),
    "Container:Directory",
)  # fmt: skip
XMP_REGIONS = "mwg-rs:Regions"  # of faces, in parts of the picture's sides as it lay in the file
XMP_OF_COLORS = ("exif:ColorSpace", "photoshop:ICCProfile", "tiff:WhitePoint", "tiff:PrimaryChromaticities")
PANORAMA = {  # Google's, in pixels: multiplied
    "GPano:FullPanoWidthPixels": 0, "GPano:CroppedAreaImageWidthPixels": 0, "GPano:CroppedAreaLeftPixels": 0,
    "GPano:FullPanoHeightPixels": 1, "GPano:CroppedAreaImageHeightPixels": 1, "GPano:CroppedAreaTopPixels": 1,
}  # fmt: skip
