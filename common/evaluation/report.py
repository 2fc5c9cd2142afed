"""Measuring a model photo by photo: a table of averages, a CSV with a line a photo, and pictures side by side."""

import logging

import pandas as pd

from common.data.photos import PhotoError
from common.evaluation.grid import save_grid
from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from common.runtime.memory import release_freed_memory

log = logging.getLogger(__name__)

MAX_PICTURES = 6  # photos in the comparison


def evaluate_photos(paths, measure, folder, zoom=1):
    """Measures all photos, prints a table and, into `folder` (unless None), writes `results.csv` and `comparison.png`.

    measure(path) -> ({"kind metric": value}, {kind: picture (3, H, W) in [0, 1]}), such as "bicubic PSNR-Y". A photo
    for which it raises PhotoError gets a line. zoom: of the pictures, which show the first MAX_PICTURES photos.
    Returns the averages, {"kind metric": value}. Raises UserError if no photo could be measured.
    """
    rows, pictures = [], []
    for path in paths:
        release_freed_memory()
        try:
            figures, shown = measure(path)
        except PhotoError as error:
            log.warning("skipped %s", error)
            continue
        except MemoryError as error:
            log.warning("skipped %s: %s", path, error)
            continue
        rows.append({"photo": path.name, **figures})
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
            results.to_csv(temporary, index=False)
        save_grid(folder / "comparison.png", {kind: [p[kind] for p in pictures] for kind in pictures[0]}, zoom)
        log.info("a photo a line: %s\nside by side:   %s", folder / "results.csv", folder / "comparison.png")
    return average


def format_table(average, title):
    """{"kind metric": value} as text: a line a kind, a column a metric, four digits that count."""
    kinds = list(dict.fromkeys(key.split(" ", 1)[0] for key in average))
    metrics = list(dict.fromkeys(key.split(" ", 1)[1] for key in average))
    cells = [[f"{average[key]:#.4g}" if (key := f"{k} {m}") in average else "" for m in metrics] for k in kinds]
    return pd.DataFrame(cells, index=pd.Index(kinds, name=title), columns=metrics).reset_index().to_string(index=False)
