"""What the numbers of a PNG mean without a profile: its chunks cICP, sRGB, gAMA and cHRM (W3C PNG, 4.3 and 11.3.2).

HEIC and AVIF say the same by the code points of a PNG's cICP.
"""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from common.photos.matrix_profile import BT709_CURVE, SRGB_CURVE, SRGB_PRIMARIES, Chromaticities, make_profile

COLOR_BOX, HEADER = b"colrnclx", 2**16  # of an AVIF; bytes of the file among which it is
NAMES = (b"cICP", b"sRGB", b"gAMA", b"cHRM")
D65 = (0.3127, 0.3290)
# Code points of ITU-T H.273.
PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB_PRIMARIES,
    5: (D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),  # BT.601, 625 lines
    6: (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),  # BT.601, 525 lines
    9: (D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # DCI-P3
    12: (D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
SRGB_TRANSFER = 13
CURVES = {4: (2.2,), 5: (2.8,), 8: (1.0,), SRGB_TRANSFER: SRGB_CURVE} | dict.fromkeys((1, 6, 14, 15), BT709_CURVE)


def find_profile(chunks: Mapping[bytes, bytes], profile: bytes | None, is_grey: bool) -> bytes | None:
    """The photo's profile: its own, or one that says the same as the chunks. None if the numbers are sRGB's.

    chunks: those of NAMES that it has. profile: its iCCP. Raises ValueError, LinAlgError, ZeroDivisionError or
    struct.error if they are broken.
    """
    if b"cICP" in chunks:
        primaries, transfer, matrix, is_full_range = struct.unpack(">4B", chunks[b"cICP"])
        if transfer in CURVES and primaries in PRIMARIES and (matrix, is_full_range) == (0, 1):
            return make(CURVES[transfer], PRIMARIES[primaries], is_grey)
    if profile is not None or b"sRGB" in chunks:
        return profile
    curve, primaries = SRGB_CURVE, SRGB_PRIMARIES
    if b"cHRM" in chunks:
        values = np.array(struct.unpack(">8I", chunks[b"cHRM"])) / 100_000
        if abs(values - np.ravel(SRGB_PRIMARIES)).max() > 0.002:
            primaries = tuple((float(x), float(y)) for x, y in values.reshape(4, 2))
    if b"gAMA" in chunks:
        gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 100_000
        if not 0.05 <= gamma <= 20:
            raise ValueError(f"a gamma of {gamma:g}")
        # Programs that mean sRGB write 1 / 2.2, the power that its curve is near to.
        is_srgb = abs(gamma - 1 / 2.2) < 0.005 and (is_grey or primaries == SRGB_PRIMARIES)
        curve = SRGB_CURVE if is_srgb else (1 / gamma,)
    return make(curve, primaries, is_grey)


def read_nclx(path: Path, image: Image.Image) -> dict[bytes, bytes]:
    """{b'cICP': ...} as a PNG would have it, of a HEIC or an AVIF whose pixels are RGB by now; {} without.

    A curve of cameras for television counts as sRGB's: encoders write it into photos that are shown as they are.
    """
    said = image.info.get("nclx_profile")  # pillow-heif's, of the main picture
    if said is not None:
        primaries, transfer = int(said["color_primaries"]), int(said["transfer_characteristics"])
    else:
        with path.open("rb") as file:
            found = file.read(HEADER).partition(COLOR_BOX)[2]
        if len(found) < 4:
            return {}
        primaries, transfer = struct.unpack_from(">2H", found)
    transfer = SRGB_TRANSFER if CURVES.get(transfer) == BT709_CURVE else transfer
    return {b"cICP": struct.pack(">4B", primaries & 255, transfer & 255, 0, 1)}


def name_hdr(chunks: Mapping[bytes, bytes]) -> str | None:
    """'PQ' or 'HLG' if a photo is HDR, whose white is above a screen's."""
    return {16: "PQ", 18: "HLG"}.get(chunks[b"cICP"][1]) if len(chunks.get(b"cICP", b"")) == 4 else None


def make(curve: tuple[float, ...], primaries: Chromaticities, is_grey: bool) -> bytes | None:
    if curve == SRGB_CURVE and (is_grey or primaries == SRGB_PRIMARIES):
        return None
    return make_profile(curve, None if is_grey else primaries, name="as the photo's file said")
