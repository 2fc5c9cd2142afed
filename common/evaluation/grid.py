"""Labelled pictures side by side: one column per label, one row per photo."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from common.photos.pixels import to_image
from common.runtime.files import atomic_write

GAP, LABEL_HEIGHT, BACKGROUND = 4, 22, (255, 255, 255)
LABELS = "columns"  # the text in a PNG that names them


def draw_grid(columns: Mapping[str, Iterable[Tensor]], zoom: int = 1) -> Image.Image:
    """Draws columns, {label: pictures (3, H, W) in [0, 1]}, all of the same length.

    Each row is `zoom` times as high as its largest picture; all are enlarged to that size pixel by pixel.
    """
    rows = list(zip(*([to_image(picture) for picture in pictures] for pictures in columns.values()), strict=True))
    largest = [max((image.size for image in row), key=lambda size: size[0] * size[1]) for row in rows]
    sizes = [(zoom * width, zoom * height) for width, height in largest]
    cell_width = max(width for width, _ in sizes)
    grid = Image.new(
        "RGB",
        (len(columns) * (cell_width + GAP) - GAP, LABEL_HEIGHT + sum(height + GAP for _, height in sizes) - GAP),
        BACKGROUND,
    )
    draw, font = ImageDraw.Draw(grid), ImageFont.load_default(size=14)
    for i, label in enumerate(columns):
        draw.text((i * (cell_width + GAP) + 2, 2), label, fill=(0, 0, 0), font=font)
    top = LABEL_HEIGHT
    for row, size in zip(rows, sizes, strict=True):
        for i, image in enumerate(row):
            grid.paste(image.resize(size, Image.Resampling.NEAREST), (i * (cell_width + GAP), top))
        top += size[1] + GAP
    return grid


def save_grid(path: Path, columns: Mapping[str, Iterable[Tensor]], zoom: int = 1) -> None:
    """Writes `draw_grid(columns, zoom)` as a PNG, whole or not at all."""
    labels = PngInfo()
    labels.add_text(LABELS, json.dumps(list(columns)))
    with atomic_write(path) as temporary:
        draw_grid(columns, zoom).save(temporary, pnginfo=labels)


def read_columns(path: Path) -> dict[str, Image.Image]:
    """{label: column, without the label} of a PNG of `save_grid`; empty if it is none."""
    with Image.open(path) as grid:
        labels = json.loads(getattr(grid, "text", {}).get(LABELS, "[]"))
        width = (grid.width + GAP) // max(1, len(labels))
        return {
            label: grid.crop((i * width, LABEL_HEIGHT, (i + 1) * width - GAP, grid.height)).convert("RGB")
            for i, label in enumerate(labels)
        }
