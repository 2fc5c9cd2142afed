"""How often sharp photos are told from enlarged and blurred ones (`superres.blurred`).

python -m benchmarks.blurred --data FOLDER      sharp photos, in colour
"""

import argparse
import io
from collections import defaultdict

import numpy as np
from PIL import Image, ImageFilter

from common.batches.folders import find_photos
from common.commands.arguments import user_path
from common.photos.flat import open_photo
from common.runtime.command import run_command
from superres.blurred import EARLY, end_of_spectrum

SHARP = ("as it is", "JPEG 95", "JPEG 85", "JPEG 75", "grain 4")
ENLARGED = ("bilinear", "bicubic", "lanczos")  # names of Pillow's filters, after a reduction to half the size


def with_jpeg(photo: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return Image.open(file)


def with_grain(photo: Image.Image, sigma: float) -> Image.Image:
    grain = np.random.default_rng(0).normal(scale=sigma, size=(photo.height, photo.width, 3))
    return Image.fromarray((np.asarray(photo) + grain).round().clip(0, 255).astype(np.uint8))


def variants(photo: Image.Image) -> dict[str, Image.Image]:
    """{what was done to it: the photo}; those of SHARP are sharp."""
    half = photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS)
    blurred = {name: half.resize(photo.size, Image.Resampling[name.upper()]) for name in ENLARGED}
    blurred["blur 2"] = photo.filter(ImageFilter.GaussianBlur(2))
    return {
        "as it is": photo,
        **{f"JPEG {quality}": with_jpeg(photo, quality) for quality in (95, 85, 75)},
        "grain 4": with_grain(photo, 4),
        **blurred,
        **{f"{name}, JPEG 90": with_jpeg(picture, 90) for name, picture in blurred.items()},
        "grain 8, bicubic": with_grain(half, 8).resize(photo.size, Image.Resampling.BICUBIC),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=user_path, required=True, help="folder of photos, searched recursively")
    ends: dict[str, list[float | None]] = defaultdict(list)
    for path in find_photos(parser.parse_args().data):
        for name, picture in variants(open_photo(path)).items():
            ends[name].append(end_of_spectrum(np.asarray(picture)))
    for name, found in ends.items():
        told = [end for end in found if end is not None]
        right = sum((end >= EARLY) == (name in SHARP) for end in told)
        middle = f", in the middle at {np.median(told):.2f}" if told else ""
        print(f"{name:18} right: {right:4} of {len(told)}, not told: {len(found) - len(told)}{middle}")


if __name__ == "__main__":
    run_command(main)
