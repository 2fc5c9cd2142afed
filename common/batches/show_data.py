"""A sheet of training pairs, as the network will get them, with what was drawn for each."""

import textwrap
from itertools import islice

from fastai.data.core import DataLoaders
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from common.photos.pixels import to_image

GAP, LINE, WIDTH = 8, 15, 34  # pixels between pairs and a line; letters in a line


def draw_data(dls: DataLoaders, n: int, pairs_in_a_row: int = 4) -> Image.Image:
    """The first n training pairs of an epoch, input and target side by side, both as large as the target."""
    inputs, targets, notes = collect_pairs(dls, n)
    side = max(max(target.size) for target in targets)
    zoom = max(1, 160 // side)
    side *= zoom
    lines = [textwrap.wrap(note, WIDTH * 2 * side // 320) for note in notes]
    height = side + LINE * max(1, *map(len, lines)) + GAP
    columns = min(pairs_in_a_row, len(targets))
    rows = -(-len(targets) // columns)
    sheet = Image.new("RGB", (columns * (2 * side + 2 + GAP) + GAP, rows * height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for i, (low, target, note) in enumerate(zip(inputs, targets, lines, strict=True)):
        left, top = GAP + i % columns * (2 * side + 2 + GAP), GAP + i // columns * height
        size = (zoom * target.width, zoom * target.height)
        for j, picture in enumerate((low, target)):
            sheet.paste(picture.resize(size, Image.Resampling.NEAREST), (left + j * (side + 2), top))
        draw.multiline_text((left, top + side + 1), "\n".join(note), fill="black", font=font, spacing=2)
    return sheet


def collect_pairs(dls: DataLoaders, n: int) -> tuple[list[Image.Image], list[Image.Image], list[str]]:
    """(inputs, targets, what was drawn for each: empty where nothing is) of the first n training crops.

    The loaders must have no workers, in which an item's transforms would note what they draw.
    """
    inputs: list[Image.Image] = []
    targets: list[Image.Image] = []
    notes: list[str] = []
    transforms = [
        transform for transform in (*dls.train.after_item.fs, *dls.train.after_batch.fs) if hasattr(transform, "drawn")
    ]
    for batch in islice(dls.train, -(-n // dls.train.bs)):
        x, y = batch[0], batch[len(batch) // 2]  # there may be more inputs than the photos, and as many targets
        inputs += [to_image(picture.as_subclass(Tensor).float()) for picture in x]
        targets += [to_image(picture.as_subclass(Tensor).float()) for picture in y]
        drawn = [transform.drawn[-len(x) :] for transform in transforms if len(transform.drawn) >= len(x)]
        notes += ["; ".join(parts) for parts in zip(*drawn, strict=True)] if drawn else [""] * len(x)
    return inputs[:n], targets[:n], notes[:n]
