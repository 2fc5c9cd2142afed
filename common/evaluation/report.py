"""Measuring a model photo by photo: a table of averages, a CSV with one line per photo, and pictures side by side."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from torch import Tensor

from common.data.photos import PhotoError
from common.evaluation.grid import save_grid
from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from common.runtime.memory import release_freed_memory

log = logging.getLogger(__name__)

MAX_PICTURES = 6  # photos in the comparison

MeasurePhoto = Callable[[Path], tuple[dict[str, float], dict[str, Tensor]]]


def evaluate_photos(
    paths: Sequence[Path], measure: MeasurePhoto, folder: Path | None, zoom: int = 1
) -> dict[str, float]:
    """Measures all photos, logs a table and writes `results.csv` and `comparison.png` into `folder` (unless None).

    measure(path) -> ({"name metric": value}, {name: picture (3, H, W) in [0, 1]}), such as "bicubic PSNR-Y". A photo
    for which it raises PhotoError or MemoryError is skipped, and logged. zoom: of the pictures, which show the first
    MAX_PICTURES photos.
    Returns the averages, {"name metric": value}. Raises UserError if no photo could be measured.
    """
    rows: list[dict[str, str | float]] = []
    pictures: list[dict[str, Tensor]] = []
    for name, path in zip(name_photos(paths), paths, strict=True):
        release_freed_memory()
        try:
            figures, shown = measure(path)
        except PhotoError as error:
            log.warning("skipped %s", error)
            continue
        except MemoryError as error:
            log.warning("skipped %s: %s", path, error)
            continue
        rows.append({"photo": name, **figures})
        if len(pictures) < MAX_PICTURES:
            pictures.append(shown)
    if not rows:
        raise UserError(f"none of {len(paths)} photos could be measured")
    results = pd.DataFrame(rows)
    average = results.mean(numeric_only=True).to_dict()
    log.info("%s", format_table(average, f"average of {len(rows)}"))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "results.csv") as temporary:
            results.to_csv(temporary, index=False, errors="surrogateescape")  # names of old disks are not UTF-8
        save_grid(folder / "comparison.png", {name: [p[name] for p in pictures] for name in pictures[0]}, zoom)
        log.info("one line per photo: %s\nside by side:       %s", folder / "results.csv", folder / "comparison.png")
    return average


def name_photos(paths: Sequence[Path]) -> list[str]:
    """Their file names; with the folders below their common one if two have the same name."""
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    common = os.path.commonpath(paths)
    return [path.relative_to(common).as_posix() for path in paths]


def format_table(average: Mapping[str, float], title: str) -> str:
    """{"name metric": value} as text: one line per name, one column per metric, four significant digits."""
    names = list(dict.fromkeys(key.split(" ", 1)[0] for key in average))
    metrics = list(dict.fromkeys(key.split(" ", 1)[1] for key in average))
    cells = [[f"{average[key]:#.4g}" if (key := f"{n} {m}") in average else "" for m in metrics] for n in names]
    return pd.DataFrame(cells, index=pd.Index(names, name=title), columns=metrics).reset_index().to_string(index=False)
