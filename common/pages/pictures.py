"""Pictures inside a page."""

import base64
from io import BytesIO

from PIL import Image


def to_data_uri(image: Image.Image, max_side: int | None = None, quality: int = 80) -> str:
    """A WebP as a `data:` address; shrunk to at most `max_side` pixels a side."""
    if max_side is not None and max(image.size) > max_side:
        image = image.copy()
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
