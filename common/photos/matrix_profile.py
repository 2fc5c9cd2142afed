"""Colour profiles (ICC.1:2010) of three colours and a curve, or of grey and a curve: written, and applied to 16 bits.

littlecms, as Pillow has it, converts 8 bits only.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

D50 = np.array([0.9642, 1, 0.8249])  # the white of profiles
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
SRGB_PRIMARIES = ((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))  # x and y of white, red, green, blue
# Parametric curves from a number to light, both in [0, 1]: (g, a, b, c, d) is (a X + b)^g from d on, and c X below.
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
BT709_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)  # and BT.601's, BT.2020's

COLORANTS = (b"rXYZ", b"gXYZ", b"bXYZ")

Chromaticities = Sequence[tuple[float, float]]


def make_profile(curve: tuple[float, ...], primaries: Chromaticities | None = None, name: str = "RGB") -> bytes:
    """A profile. curve: a power alone, or five numbers as above. primaries: of RGB; None is grey's."""
    para = struct.pack(">4sIHH", b"para", 0, 0 if len(curve) == 1 else 3, 0) + fixed(curve)
    text = name.encode("utf-16-be")
    mluc = struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": mluc, b"cprt": mluc, b"wtpt": xyz(D50)}
    if primaries is None:
        tags |= {b"kTRC": para}
    else:
        adaptation = adapt_to_d50(primaries[0])
        tags |= {b"chad": struct.pack(">4sI", b"sf32", 0) + fixed(adaptation.ravel())}
        tags |= {key: xyz(column) for key, column in zip(COLORANTS, to_d50(primaries).T, strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), para)
    index, data = struct.pack(">I", len(tags)), b""
    for key, content in tags.items():
        index += struct.pack(">4sII", key, 132 + 12 * len(tags) + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    space = b"GRAY" if primaries is None else b"RGB "
    size = struct.pack(">I", 128 + len(index) + len(data))
    header = size + struct.pack(">4xI4s4s4s6H4s", 0x04200000, b"mntr", space, b"XYZ ", 2000, 1, 1, 0, 0, 0, b"acsp")
    header += bytes(24) + struct.pack(">I", 1) + fixed(D50)  # relative colorimetric
    return header.ljust(128, b"\0") + index + data


def fixed(values: Sequence[float] | np.ndarray) -> bytes:
    """ICC's s15Fixed16."""
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def xyz(values: np.ndarray) -> bytes:
    return struct.pack(">4sI", b"XYZ ", 0) + fixed(values)


def whole(x: float, y: float) -> np.ndarray:
    """XYZ of a colour of brightness 1. Raises ZeroDivisionError for y = 0."""
    return np.array([x / y, 1, (1 - x - y) / y])


def adapt_to_d50(white: tuple[float, float]) -> np.ndarray:
    """(3, 3): XYZ under this white -> under D50 (Bradford)."""
    gains = (BRADFORD @ D50) / (BRADFORD @ whole(*white))
    return np.linalg.inv(BRADFORD) @ np.diag(gains) @ BRADFORD


def to_d50(primaries: Chromaticities) -> np.ndarray:
    """(3, 3): linear RGB -> XYZ under D50. Raises LinAlgError or ZeroDivisionError for colours that span none."""
    white, *colors = primaries
    columns = np.stack([whole(*color) for color in colors], axis=1)
    return adapt_to_d50(white) @ (columns * np.linalg.solve(columns, whole(*white)))


def convert_16_bits(pixels: np.ndarray, profile: bytes) -> np.ndarray | None:
    """(H, W, 1 or 3) uint16 -> (H, W, 3) uint16 in sRGB, relative colorimetric. None if the profile is no such one."""
    read = read_profile(profile)
    if read is None or len(read[0]) != pixels.shape[2]:
        return None
    tables, matrix = read
    result = np.empty((*pixels.shape[:2], 3), np.uint16)
    for y in range(0, len(pixels), 256):  # numbers with a point take memory
        rows = pixels[y : y + 256]
        light = np.stack([table[rows[..., i]] for i, table in enumerate(tables)], axis=-1)
        light = light.repeat(3, axis=-1) if matrix is None else light @ matrix.T
        light = light.clip(0, 1)
        encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        result[y : y + 256] = (encoded * 65535).round()
    return result


@lru_cache(maxsize=16)
def read_profile(profile: bytes) -> tuple[list[np.ndarray], np.ndarray | None] | None:
    """Light for each of 65,536 values, a table a channel, and the matrix (3, 3) to sRGB's light; None for grey."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 100))]
        tags = {name: profile[start : start + size] for name, start, size in entries}
        if any(name.startswith((b"A2B", b"D2B")) for name in tags) or profile[20:24] != b"XYZ ":
            return None
        if profile[16:20] == b"GRAY":
            return [read_curve(tags[b"kTRC"])], None
        colors = [np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536 for name in COLORANTS]
        matrix = np.linalg.inv(to_d50(SRGB_PRIMARIES)) @ np.stack(colors, axis=1)
        return [read_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")], matrix.astype(np.float32)
    except (struct.error, KeyError, ValueError):
        return None


def read_curve(data: bytes) -> np.ndarray:
    """(65536,) float32 of a 'curv' or 'para'. Raises ValueError, KeyError or struct.error."""
    x = np.linspace(0, 1, 65536)
    if data[:4] == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        values = np.array(struct.unpack_from(f">{count}H", data, 12), dtype=float)
        if count < 2:
            return (x ** (values[0] / 256 if count else 1)).astype(np.float32)
        return np.interp(x, np.linspace(0, 1, count), values / 65535).astype(np.float32)
    if data[:4] != b"para":
        raise ValueError("an unknown curve")
    (kind,) = struct.unpack_from(">H", data, 8)
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[kind]
    g, a, b, c, d, e, f = (*(np.array(struct.unpack_from(f">{count}i", data, 12)) / 65536), *[0.0] * (7 - count))
    if kind == 0:
        return (x**g).astype(np.float32)
    if kind < 3:
        c, d, e, f = 0.0, -b / a, c, c
    return np.where(x >= d, (a * x + b).clip(0) ** g + e, c * x + f).clip(0, 1).astype(np.float32)
