"""Makes a video of which the truth is known, to measure flicker: pan, zoom, a disc that moves across, a cut, noise.

python -m benchmarks.video OUT.mp4
python -m colorize.evaluate MODEL.safetensors --data OUT.mp4
"""

import argparse
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from common.batches.folders import sample_photos
from common.commands.arguments import number_at_least, user_path
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from common.videos.video import check_packages

SCENES = ("chelsea.png", "rocket.jpg"), ("coffee.png", "astronaut.png")  # (what is seen, what moves across) of each
RATE = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=user_path, help="OUT.mp4 or .mkv")
    parser.add_argument(
        "--frames", type=number_at_least(2, int), default=60, help="how many frames, half of them in each scene [60]"
    )
    parser.add_argument(
        "--size", type=number_at_least(32, int), nargs=2, default=(320, 240), help="width and height [320 240]"
    )
    parser.add_argument("--noise", type=number_at_least(0.0, float), default=2.0, help="sigma, of 255 [2]")
    args = parser.parse_args()
    if args.output.suffix not in (".mp4", ".mkv"):
        raise UserError(f"{args.output}: must end in .mp4 or .mkv")
    check_packages()
    import av
    from av.video.stream import VideoStream

    rng = np.random.default_rng(0)
    with atomic_write(args.output) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "4"})
        assert isinstance(stream, VideoStream)
        (stream.width, stream.height), stream.pix_fmt = args.size, "yuv444p"
        count = 0
        for seen, moving in SCENES:
            for picture in scene(open_sample(seen), open_sample(moving), args.frames // len(SCENES), tuple(args.size)):
                noisy = np.asarray(picture) + rng.normal(0, args.noise, (*picture.size[::-1], 3))
                frame = av.VideoFrame.from_ndarray(noisy.round().clip(0, 255).astype(np.uint8), "rgb24")
                frame.pts, frame.time_base = count, Fraction(1, RATE)
                container.mux(stream.encode(frame))
                count += 1
        container.mux(stream.encode())
    print(f"{args.output}: {count} frames, {args.size[0]} x {args.size[1]}, noise {args.noise:g}")


def open_sample(name: str) -> Image.Image:
    (path,) = (path for path in sample_photos() if path.name == name)
    with Image.open(path) as photo:
        return photo.convert("RGB")


def scene(seen: Image.Image, moving: Image.Image, n: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    """n pictures of `size`: a window that pans and zooms over a photo, and a disc of another one that crosses it."""
    width, height = size
    share = 0.7 * min(seen.width / width, seen.height / height)
    disc = moving.resize((height // 3, height // 3), Image.Resampling.BICUBIC)
    mask = Image.new("L", disc.size)
    ImageDraw.Draw(mask).ellipse((2, 2, disc.width - 3, disc.height - 3), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(1))
    for part in np.linspace(0, 1, n).tolist():
        zoom = share * (1 - 0.2 * part)
        left = part * (seen.width - zoom * width)
        top = part * (seen.height - zoom * height)
        picture = seen.resize(size, Image.Resampling.BICUBIC, (left, top, left + zoom * width, top + zoom * height))
        picture.paste(disc, (round(part * width) - disc.width // 2, height // 3), mask)
        yield picture


if __name__ == "__main__":
    run_command(main)
