"""Photos with colour profiles: what their numbers mean, and what their results carry."""

import itertools
import struct

import numpy as np
import pytest
import skimage.color
from PIL import Image, ImageCms

from common.photos.flat import open_photo
from common.photos.profiles import SRGB_PROFILE
from common.photos.whole import read_photo, to_srgb_photo
from tests.common.photos.test_photos import save
from tests.profiles import COLORS, GRADIENT, P3, P3_TO_SRGB, SRGB_TO_XYZ_D50, encode_srgb, grey_profile


def test_a_grey_photo_as_rgb_has_the_tones_of_its_profile(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(GRADIENT), icc_profile=grey_profile(1.0))
    photo = read_photo(path)
    assert (photo.is_grey, photo.icc_profile) == (True, grey_profile(1.0))
    assert np.array_equal(photo.rgb[..., 0], GRADIENT)
    rgb = to_srgb_photo(photo)
    assert (rgb.is_grey, rgb.icc_profile) == (False, SRGB_PROFILE)
    linear = GRADIENT / 255
    assert np.allclose(rgb.rgb / 255, encode_srgb(linear)[..., None], atol=4 / 255)  # without, up to 60 / 255
    assert np.array_equal(np.asarray(open_photo(path)), rgb.rgb)


def test_a_broken_profile_is_left_out_with_one_line(tmp_path, caplog):
    path = save(tmp_path / "a.png", Image.fromarray(GRADIENT), icc_profile=b"not a profile")
    photo = read_photo(path)
    assert photo.icc_profile is None
    assert np.array_equal(photo.rgb[..., 0], GRADIENT)
    open_photo(path)
    (message,) = caplog.messages
    assert message.startswith(f"{path}: its colour profile is ignored, and its values are taken as sRGB")


def test_a_grey_photo_keeps_no_rgb_profile(tmp_path):
    photo = read_photo(save(tmp_path / "a.jpg", Image.fromarray(GRADIENT), icc_profile=P3, quality=100))
    assert (photo.is_grey, photo.icc_profile) == (True, None)
    expected = encode_srgb((GRADIENT / 255) ** 2.2) * 255
    assert abs(photo.rgb[..., 0] - expected).max() < 2


def test_a_wide_gamut_photo_is_trained_on_in_srgb_and_enlarged_in_its_own_colours(tmp_path):
    image = Image.fromarray(COLORS)
    path = save(tmp_path / "a.png", image, icc_profile=P3)
    photo = read_photo(path)
    assert photo.icc_profile == P3
    assert np.array_equal(photo.rgb, COLORS)
    srgb = to_srgb_photo(photo)
    assert srgb.icc_profile == SRGB_PROFILE
    expected = 255 * encode_srgb((COLORS / 255) ** 2.2 @ P3_TO_SRGB.T)
    assert abs(srgb.rgb - expected).max() < 2
    assert abs(expected - COLORS).max() > 20
    assert np.array_equal(np.asarray(open_photo(path)), srgb.rgb)


def test_srgb_in_another_version_changes_nothing(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(COLORS), icc_profile=SRGB_PROFILE)
    assert np.array_equal(np.asarray(open_photo(path)), COLORS)


def make_cmyk_profile() -> bytes:
    """Four inks that filter light one after the other, on white paper; cyan alone is sRGB's (0, 152, 223).

    A profile of ICC version 2 with one table of 2 x 2 x 2 x 2 colours in Lab (ICC.1:2001-04, lut16Type).
    """
    inks = np.array([(0, 152, 223), (230, 0, 126), (255, 237, 0), (0, 0, 0)]) / 255
    linear = np.where(inks > 0.04045, ((inks + 0.055) / 1.055) ** 2.4, inks / 12.92)
    corners = np.array(list(itertools.product((False, True), repeat=4)))[..., None]
    xyz = np.where(corners, linear, 1).prod(axis=1) @ SRGB_TO_XYZ_D50.T
    lab = skimage.color.xyz2lab(xyz, illuminant="D50")
    entries = (lab + np.array([0, 128, 128])) * (652.8, 256, 256)
    table = b"mft2" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    table += struct.pack(">2H8H", 2, 2, *[0, 65535] * 4) + struct.pack(">48H", *entries.clip(0, 65535).astype(int).flat)
    table += struct.pack(">6H", *[0, 65535] * 3)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"A2B0": table,
    }
    index, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        index += name + struct.pack(">2I", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data
    size = 128 + len(index) + len(body)
    header = (
        struct.pack(">I4sI", size, bytes(4), 0x02100000) + b"prtrCMYKLab " + struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    )
    header += b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + index + body


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_goes_through_its_profile(name, tmp_path):
    """Pillow's own meaning of pure cyan is (0, 255, 255), which no ink has."""
    path = tmp_path / name
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(path, icc_profile=make_cmyk_profile())
    photo = read_photo(path)
    assert abs(photo.rgb[0, 0].astype(int) - (0, 152, 223)).max() <= 1
    assert photo.icc_profile is None  # the result is sRGB


def test_lab_has_its_own_meaning_and_a_profile_for_other_numbers_gets_a_line(tmp_path, caplog):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    path = save(tmp_path / "lab.tif", Image.new("LAB", (2, 2), (128, 128 + 60, 128)), icc_profile=lab)
    photo = read_photo(path)
    assert photo.icc_profile is None
    oracle = skimage.color.lab2rgb([[[128 / 2.55, 60, 0]]])[0, 0] * 255
    assert abs(photo.rgb[0, 0] - oracle).max() < 4
    path = save(tmp_path / "cmyk.tif", Image.new("CMYK", (2, 2), (0, 255, 255, 0)), icc_profile=P3)
    assert read_photo(path).rgb[0, 0].tolist() == [255, 0, 0]  # Pillow's own meaning: that profile is not for CMYK
    assert "it is for RGB pictures, this one is CMYK" in caplog.text
