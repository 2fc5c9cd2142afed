"""What a visitor gets: results with the photos' names, two pictures for the slider, one download."""

import json
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

from common.photos.flat import open_photo
from common.photos.formats import WRITABLE_SUFFIXES

LONGEST = 16_384  # pixels of a side of what the slider shows: more than a screen has, less than a browser takes


def name_results(photos: list[Path], folder: Path) -> list[Path]:
    """A path for the result of each: the photo's name, with a number where it is taken, in whatever case."""
    results: list[Path] = []
    taken: set[str] = set()
    for photo in photos:
        result = first = folder / photo.name
        if result.suffix.lower() not in WRITABLE_SUFFIXES:  # a video's, too: nothing here opens an upload
            result = first = result.with_suffix(".png")
        number = 2
        while result.name.lower() in taken:
            result = first.with_stem(f"{first.stem}-{number}")
            number += 1
        taken.add(result.name.lower())
        results.append(result)
    return results


def before_and_after(photo: Path, result: Path, folder: Path) -> tuple[str, str]:
    """Two JPEGs of one size, for the slider: the photo, enlarged if the result is larger, and the result."""
    after = open_photo(result)
    after.thumbnail((LONGEST, LONGEST))
    before = open_photo(photo).resize(after.size, Image.Resampling.BICUBIC)
    paths = folder / "shown" / "before.jpg", folder / "shown" / "after.jpg"
    paths[0].parent.mkdir()
    for picture, path in zip((before, after), paths, strict=True):
        picture.save(path, quality=92)
    return str(paths[0]), str(paths[1])


def bundle(results: list[Path], folder: Path, beside: tuple[str, list[dict[str, Any]]] | None) -> str | list[str]:
    """The result itself; a zip of several. beside: a name, and what is in a JSON file of it beside a single result."""
    if len(results) == 1 and beside is not None:
        path = folder / "shown" / f"{beside[0]}.json"
        path.write_text(json.dumps(beside[1], indent=1) + "\n", encoding="utf-8")
        return [str(results[0]), str(path)]
    if len(results) == 1:
        return str(results[0])
    path = folder / "shown" / "results.zip"
    with zipfile.ZipFile(path, "w") as file:  # not compressed: pictures are
        for result in results:
            file.write(result, result.name)
    return str(path)
