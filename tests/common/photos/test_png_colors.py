"""A PNG's chunks about its colours are read like a profile (W3C PNG, 4.3)."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from common.photos.flat import open_photo
from common.photos.matrix_profile import BT709_CURVE, convert_16_bits, make_profile, to_d50
from common.photos.open import PhotoError
from common.photos.png_colors import PRIMARIES
from common.photos.profiles import SRGB_PROFILE
from common.photos.whole import read_photo, to_srgb_photo
from common.photos.write import write_photo
from tests.common.photos.test_sixteen_bits import DEEP, write_plain_png
from tests.profiles import COLORS, GRADIENT, P3, P3_TO_SRGB, SRGB_TO_XYZ_D50, encode_srgb

SRGB_CHROMATICITIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_CHROMATICITIES = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def gamma(value):
    return b"gAMA", struct.pack(">I", value)


def chromaticities(*values):
    return b"cHRM", struct.pack(">8I", *values)


def cicp(*values):
    return b"cICP", bytes(values)


def save(path, pixels, *chunks, **options):
    info = PngInfo()
    for chunk in chunks:
        info.add(*chunk)
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        write_plain_png(path, pixels)
        data = path.read_bytes()
        Image.new("RGB", (1, 1)).save(path, pnginfo=info)
        small = path.read_bytes()
        path.write_bytes(data[:33] + small[33 : small.index(b"IDAT") - 4] + data[33:])
    else:
        Image.fromarray(pixels).save(path, pnginfo=info, **options)
    return path


def decode_srgb(values):
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def test_the_matrix_is_lindblooms():
    assert np.allclose(to_d50(PRIMARIES[1]), SRGB_TO_XYZ_D50, atol=4e-4)  # whose whites have more digits


def test_a_linear_png_of_8_bits_is_seen_as_srgb(tmp_path):
    path = save(tmp_path / "a.png", COLORS, gamma(100_000))
    expected = encode_srgb(COLORS / 255) * 255
    assert abs(expected - COLORS).max() > 50
    assert abs(np.asarray(open_photo(path)) - expected).max() <= 1
    photo = read_photo(path)
    assert np.array_equal(photo.rgb, COLORS)  # enlarged as it is ...
    assert abs(to_srgb_photo(photo).rgb - expected).max() <= 1  # ... and colourized as it is seen
    write_photo(tmp_path / "b.png", photo.rgb, like=photo)
    assert abs(np.asarray(open_photo(tmp_path / "b.png")) - expected).max() <= 1
    with Image.open(tmp_path / "b.png") as result:
        assert "gamma" not in result.info  # what the profile says now


@pytest.mark.parametrize("is_grey", [False, True])
def test_a_linear_png_of_16_bits_keeps_its_shadows(tmp_path, is_grey):
    """Reduced to 8 bits first, the darkest tone but black would be 13 of 255."""
    tones = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    pixels = tones if is_grey else np.stack([tones] * 3, axis=2)
    path = save(tmp_path / "a.png", pixels, gamma(100_000))
    expected = encode_srgb(tones / 65535)
    assert abs(np.asarray(open_photo(path))[..., 0] / 255 - expected).max() <= 0.51 / 255
    photo = to_srgb_photo(read_photo(path))
    assert photo.rgb.dtype == np.uint16
    assert abs(photo.rgb[..., 1] / 65535 - expected).max() < 2e-4


@pytest.mark.parametrize("curve", [(1.0,), (2.2,), (1.8,), BT709_CURVE])
def test_littlecms_and_16_bits_agree(curve):
    profile = make_profile(curve, PRIMARIES[9])
    colors = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    ours = convert_16_bits(colors.astype(np.uint16) * 257, profile)
    own, srgb = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    theirs = ImageCms.profileToProfile(Image.fromarray(colors), own, srgb, intent, "RGB")
    assert abs(ours / 257 - np.asarray(theirs)).max() <= 1.6


def test_profiles_of_cameras_are_applied_to_16_bits():
    """With a table as a curve, and with a power."""
    expected = encode_srgb((DEEP / 65535) ** 2.2 @ P3_TO_SRGB.T)
    assert abs(convert_16_bits(DEEP, P3) / 65535 - expected).max() < 0.003  # 2.2 is 563 / 256 in it
    srgb = convert_16_bits(DEEP, SRGB_PROFILE)  # littlecms writes a parametric curve
    assert abs(srgb.astype(int) - DEEP).max() < 200
    assert convert_16_bits(DEEP, b"broken") is None
    assert convert_16_bits(DEEP, make_profile((1.0,))) is None  # grey's


@pytest.mark.parametrize(
    "chunks",
    [
        (gamma(45455),),
        (gamma(45455), chromaticities(*SRGB_CHROMATICITIES)),
        (chromaticities(*SRGB_CHROMATICITIES),),
        ((b"sRGB", b"\0"), gamma(100_000), chromaticities(*P3_CHROMATICITIES)),  # sRGB before gamma
        (cicp(1, 13, 0, 1), gamma(100_000)),  # cICP before gamma
        (cicp(1, 13, 0, 1), gamma(45455)),
    ],
)
def test_what_means_srgb_changes_nothing(tmp_path, chunks):
    path = save(tmp_path / "a.png", COLORS, *chunks)
    assert np.array_equal(np.asarray(open_photo(path)), COLORS)
    photo = read_photo(path)
    assert photo.icc_profile is None
    write_photo(tmp_path / "b.png", photo.rgb, like=photo)
    assert np.array_equal(np.asarray(open_photo(tmp_path / "b.png")), COLORS)


@pytest.mark.parametrize("chunks", [(cicp(12, 13, 0, 1),), (chromaticities(*P3_CHROMATICITIES),)])
def test_display_p3(tmp_path, chunks):
    path = save(tmp_path / "a.png", COLORS, *chunks)
    expected = 255 * encode_srgb(decode_srgb(COLORS / 255) @ P3_TO_SRGB.T)
    assert abs(expected - COLORS).max() > 20
    assert abs(np.asarray(open_photo(path)) - expected).max() < 2
    photo = read_photo(path)
    write_photo(tmp_path / "b.jpg", photo.rgb.repeat(8, axis=0).repeat(8, axis=1), like=photo, quality=100)
    seen = np.asarray(open_photo(tmp_path / "b.jpg"))[4::8, 4::8]
    assert abs(seen - expected).mean() < 2  # the JPEG has the profile


def test_cicp_comes_before_a_profile_and_a_profile_before_gamma(tmp_path):
    path = save(tmp_path / "a.png", COLORS, cicp(1, 13, 0, 1), icc_profile=P3)
    assert read_photo(path).icc_profile is None
    path = save(tmp_path / "b.png", COLORS, gamma(100_000), icc_profile=P3)
    assert read_photo(path).icc_profile == P3


def test_the_tones_of_bt709(tmp_path):
    path = save(tmp_path / "a.png", COLORS, cicp(1, 1, 0, 1))
    numbers = COLORS / 255  # all above 0.081, where its power begins
    expected = 255 * encode_srgb(((numbers + 0.099) / 1.099) ** (1 / 0.45))
    assert abs(np.asarray(open_photo(path)) - expected).max() < 2


def test_a_linear_grey_png(tmp_path):
    path = save(tmp_path / "a.png", GRADIENT, gamma(100_000), chromaticities(*P3_CHROMATICITIES))
    assert abs(np.asarray(open_photo(path))[..., 0] - encode_srgb(GRADIENT / 255) * 255).max() <= 1
    photo = read_photo(path)
    assert photo.is_grey
    write_photo(tmp_path / "b.png", photo.rgb, like=photo)
    with Image.open(tmp_path / "b.png") as result:
        assert result.mode == "L"
        assert result.info["icc_profile"][16:20] == b"GRAY"


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(tmp_path, transfer, name):
    path = save(tmp_path / "a.png", COLORS, cicp(9, transfer, 0, 1))
    for read in (open_photo, read_photo):
        with pytest.raises(PhotoError, match=rf"a.png: HDR \({name}\).*save it as SDR"):
            read(path)


@pytest.mark.parametrize(
    "chunk", [gamma(0), (b"gAMA", b"\0"), chromaticities(0, 0, 0, 0, 0, 0, 0, 0), chromaticities(*[30_000] * 8)]
)
def test_broken_chunks_are_ignored_with_a_line(tmp_path, caplog, chunk):
    path = tmp_path / "a.png"
    try:
        save(path, COLORS, chunk)
        opened = np.asarray(open_photo(path))
    except PhotoError as error:
        assert "broken" in str(error)  # Pillow itself reads no chunk that is cut off
    else:
        assert np.array_equal(opened, COLORS)
        assert "what it says of its colours is ignored" in caplog.text


def nclx(path, kind, primaries, transfer):
    """A HEIC or AVIF whose file says what its colours are by code points."""
    image = Image.fromarray(COLORS.repeat(16, axis=0).repeat(16, axis=1))
    if kind == "heic":
        pillow_heif = pytest.importorskip("pillow_heif")
        said = {"color_primaries": primaries, "transfer_characteristics": transfer, "matrix_coefficients": 6}
        pillow_heif.from_pillow(image).save(path, quality=100, nclx_profile=said | {"full_range_flag": 1})
    else:
        image.save(path, quality=100)
        data = path.read_bytes()
        place = data.index(b"colrnclx") + 8
        path.write_bytes(data[:place] + struct.pack(">2H", primaries, transfer) + data[place + 4 :])


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_photos_of_phones_say_the_same_by_code_points(tmp_path, kind, caplog):
    path = tmp_path / f"a.{kind}"
    for transfer, name in (16, "PQ"), (18, "HLG"):
        nclx(path, kind, 9, transfer)
        with pytest.raises(PhotoError, match=rf"HDR \({name}\)"):
            read_photo(path)
    nclx(path, kind, 12, 13)
    expected = 255 * encode_srgb(decode_srgb(COLORS / 255) @ P3_TO_SRGB.T)
    assert abs(np.asarray(open_photo(path))[8::16, 8::16] - expected).mean() < 3
    for transfer in (13, 1, 6):
        nclx(path, kind, 1, transfer)
        assert abs(np.asarray(open_photo(path))[8::16, 8::16].astype(int) - COLORS).mean() < 3
    assert not caplog.messages
