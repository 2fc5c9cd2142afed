"""Colour profiles, and the colours of photos that have them."""

import struct

import numpy as np

# Colours that are within sRGB: muted ones.
COLORS = np.random.default_rng(0).integers(90, 170, (6, 5, 3)).astype(np.uint8)
GRADIENT = np.tile(np.linspace(0, 255, 40).round().astype(np.uint8), (30, 1))


def encode_srgb(linear):
    """IEC 61966-2-1, of values in [0, 1]."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def profile(space, gamma, **colorants):
    """A colour profile (ICC.1:2001, version 2) whose tones follow a power. colorants: XYZ relative to D50."""

    def fixed(*values):
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249)}
    tags |= {f"{name}XYZ": b"XYZ " + bytes(4) + fixed(*values) for name, values in colorants.items()}
    tags |= {f"{name}TRC": curve for name in colorants or ("k",)}
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name.encode(), 132 + 12 * len(tags) + len(data), len(content))
        data += content
    size = struct.pack(">I", 128 + len(table) + len(data))
    header = size + bytes(4) + struct.pack(">I4s4s4s", 0x02100000, b"mntr", space, b"XYZ ") + bytes(12) + b"acsp"
    header += bytes(28) + fixed(0.9642, 1, 0.8249)
    return header.ljust(128, b"\0") + table + data


# Display P3's colorants (adapted to D50), with a simpler curve.
P3 = profile(b"RGB ", 2.2, r=(0.5151, 0.2412, -0.0011), g=(0.2920, 0.6922, 0.0419), b=(0.1571, 0.0666, 0.7841))


# Linear Display P3 -> linear sRGB, of CSS Color 4.
P3_TO_SRGB = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0196, -0.0786, 1.0979]])


# Linear sRGB -> XYZ under D50 (Bradford), the light of ICC profiles; B. Lindbloom.
SRGB_TO_XYZ_D50 = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7142]])


def grey_profile(gamma):
    return profile(b"GRAY", gamma)
