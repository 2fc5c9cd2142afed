"""How much a result made in tiles differs from one made in one piece, and whether seams are visible.

python -m benchmarks.tiling MODEL.safetensors PHOTO [--tile 512] [-o DIFFERENCE.png]
"""

import argparse

import numpy as np
from PIL import Image

from common.commands.arguments import number_at_least, user_path
from common.inference.tile_layout import OVERLAP, least_side, smallest_tile, tile_starts
from common.inference.tiles import enhance
from common.photos.pixels import to_8_bits
from common.photos.whole import read_photo
from common.runtime.command import run_command
from common.runtime.devices import get_device
from superres.files import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=user_path)
    parser.add_argument("photo", type=user_path)
    parser.add_argument(
        "--tile", type=number_at_least(192, int), default=512, help="side in pixels of the result [512]"
    )
    parser.add_argument("-o", "--output", type=user_path, help="the difference, 16 times amplified around grey")
    args = parser.parse_args()
    model = load_model(args.model).to(get_device())
    scale = model.scale
    photo = to_8_bits(read_photo(args.photo).rgb)
    whole, tiled = (enhance(model, photo, scale, tile, grid=model.grid).astype(int) for tile in (10**9, args.tile))
    difference = tiled - whole
    print(f"{photo.shape[1]} x {photo.shape[0]} photo, {scale}x, tiles of {args.tile} px against whole, in 1/255:")
    print(f"difference: maximum {abs(difference).max()}, mean {abs(difference).mean():.4f}")
    for name, axis in (("rows", 0), ("columns", 1)):
        least = max(args.tile // scale, least_side(OVERLAP, model.grid))
        tile = smallest_tile(photo.shape[axis], least, OVERLAP, model.grid)
        starts = tile_starts(photo.shape[axis], tile, OVERLAP, model.grid)
        edges = [scale * start for start in starts[1:]] + [scale * (start + tile) for start in starts[:-1]]
        # A seam would be a step of the difference between the pixels on the two sides of a tile's edge.
        steps = abs(np.diff(difference, axis=axis)).mean(axis=(1 - axis, 2))
        at_edges = steps[[edge - 1 for edge in edges]]
        print(f"{name}: mean step at {len(edges)} tile edges {at_edges.mean():.4f}, anywhere {steps.mean():.4f}")
    if args.output:
        Image.fromarray((128 + 16 * difference).clip(0, 255).astype(np.uint8)).save(args.output)


if __name__ == "__main__":
    run_command(main)
