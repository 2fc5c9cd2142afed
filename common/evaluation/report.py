"""Measuring a model photo by photo: a table of averages, a CSV with one line per photo, and pictures side by side."""

import logging
import os
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from common.evaluation.grid import save_grid
from common.inference.work import explain_failure
from common.pages.page import REPORT_FILE, format_figure, write_page, write_within_limit
from common.pages.pictures import to_data_uri
from common.photos.open import PhotoError
from common.photos.pixels import to_image
from common.runtime import processes
from common.runtime.errors import ResultNotFinite, UserError
from common.runtime.files import atomic_write
from common.runtime.memory import release_freed_memory
from common.runtime.seeds import temporary_seed

log = logging.getLogger(__name__)

MAX_PICTURES = 6  # photos in the comparison
PAGE_SIDE = 384  # pixels a side of the pictures of a page, at most
PHOTOS_ON_PAGE = (24, 15, 9, 6, 3)  # the first that keeps it small enough
PICTURES_KEPT = 180  # photos whose pictures are kept meanwhile: which is in the middle shows at the end only

NOT_MEASURED = (PhotoError, ResultNotFinite, MemoryError)  # of one photo; the others go on

Pictures = Mapping[str, Tensor]  # {name: (3, H, W) in [0, 1]}
MeasurePhoto = Callable[[Path], tuple[dict[str, float], dict[str, Tensor]]]


@dataclass(frozen=True)
class Results:
    """What was measured on photos, and pictures of them for a page."""

    table: pd.DataFrame  # a row a photo: 'photo', then "name metric" columns
    pictures: dict[int, dict[str, str]]  # of some rows, which a page may show: {row: {name: `data:` address}}
    example: Pictures  # of the first photo, as measured
    metric: str  # by which photos are sorted
    higher_is_better: bool
    of_all: Mapping[str, float] = field(default_factory=dict)  # {"name metric": value} of all photos together

    @property
    def averages(self) -> dict[str, float]:
        """{"name metric": average over the photos}, of lattices the median, as some photos have one; and `of_all`."""
        return {**average_photos(self.table), **self.of_all}

    @property
    def notes(self) -> list[str]:
        """What figures are no averages."""
        metrics = dict.fromkeys(key.split(" ", 1)[1] for key in self.of_all)
        return [f"{metric} is one figure for all photos together." for metric in metrics]


def average_photos(table: pd.DataFrame) -> dict[str, float]:
    """`Results.averages` of a table with a row a photo."""
    numbers = table.select_dtypes("number")
    grids = [column for column in numbers if is_lattice(column)]
    return numbers.mean().to_dict() | numbers[grids].median().to_dict()


def is_lattice(column: str) -> bool:
    return column.rpartition(" ")[2].startswith("grid-")


def evaluate_photos(
    paths: Sequence[Path],
    measure: MeasurePhoto,
    folder: Path | None,
    zoom: int = 1,
    metric: str = "PSNR-Y",
    higher_is_better: bool = True,
    get_detail: Callable[[Pictures], Pictures] = lambda pictures: pictures,
    measure_all: Callable[[], Mapping[str, float]] = dict,
) -> Results:
    """Measures all photos, logs a table and writes `results.csv` and `comparison.png` into `folder` (unless None).

    measure(path) -> ({"name metric": value}, {name: picture (3, H, W) in [0, 1]}), such as "bicubic PSNR-Y". A photo
    for which it raises PhotoError or MemoryError is skipped, and logged. What it draws at random follows from the
    photo's name. The comparison shows get_detail(pictures) of the first MAX_PICTURES photos, enlarged `zoom` times.
    metric: by which a page sorts photos. measure_all(), called after all photos, measures them together:
    `Results.of_all`. Within `processes.sharing_photos` each process measures its share, and the main one has all.
    Raises UserError if no photo could be measured.
    """
    rows: dict[int, dict[str, str | float]] = {}  # by the photo's number, and so are the others
    details: dict[int, Pictures] = {}
    pictures: dict[int, dict[str, str]] = {}
    example: Pictures = {}
    for number, (name, path) in processes.my_share(list(enumerate(zip(name_photos(paths), paths, strict=True)))):
        release_freed_memory()
        try:
            with temporary_seed("evaluate", path.name):
                figures, shown = measure(path)
        except NOT_MEASURED as error:
            log.warning("skipped %s", explain_failure(path, error))
            continue
        pictures[number] = {label: to_data_uri(to_image(picture), PAGE_SIDE) for label, picture in shown.items()}
        rows[number] = {"photo": name, **figures}
        if len(pictures) > 2 * PICTURES_KEPT:
            pictures = thin_out(pictures, rows, metric, higher_is_better)
        example = example or shown
        if len(details) < MAX_PICTURES:
            details[number] = get_detail(shown)
    rows, details = processes.merge_shares(rows), processes.merge_shares(details)
    pictures = processes.merge_shares(pictures)
    if not rows and processes.is_main():
        raise UserError(f"none of {len(paths)} photos could be measured")
    places = {number: place for place, number in enumerate(rows)}  # in the table
    pictures = {places[number]: shown for number, shown in pictures.items()}
    results = Results(pd.DataFrame(list(rows.values())), pictures, example, metric, higher_is_better, measure_all())
    if processes.sharing.get() and not processes.is_main():
        return results
    log.info("%s", format_table(results.averages, f"average of {len(rows)}"))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "results.csv") as temporary:
            results.table.to_csv(temporary, index=False, errors="surrogateescape")  # names of old disks are not UTF-8
        first = list(details.values())[:MAX_PICTURES]
        save_grid(folder / "comparison.png", {name: [p[name] for p in first] for name in first[0]}, zoom)
        log.info("one line per photo: %s\nside by side:       %s", folder / "results.csv", folder / "comparison.png")
    return results


def thin_out(
    pictures: Mapping[int, dict[str, str]], rows: Mapping[int, dict[str, Any]], metric: str, higher_is_better: bool
) -> dict[int, dict[str, str]]:
    """PICTURES_KEPT of the pictures: those that may be on the page by what is measured yet."""
    numbers = list(rows)
    ranks, end = rank_photos(pd.DataFrame(list(rows.values())), metric, higher_is_better), PHOTOS_ON_PAGE[0] // 3
    candidates = {place for place, number in enumerate(numbers) if number in pictures}
    shown_yet = spread_over_ends_and_middle(ranks, end, PICTURES_KEPT - 2 * end, candidates)
    return {numbers[place]: pictures[numbers[place]] for place in shown_yet}


def write_evaluation_page(folder: Path, results: Results, title: str, subtitle: str) -> None:
    """Writes `report.html` into the folder: the averages, and photos from worst to best, to be compared by hand."""
    path = folder / REPORT_FILE

    def write(n: int) -> int:
        return write_page(
            path,
            "evaluation.html",
            title=title,
            subtitle=" · ".join([subtitle, *results.notes]),
            table=averages_table(results.averages),
            **photos_of_page(results, n),
        )

    write_within_limit(write, PHOTOS_ON_PAGE)
    log.info("report:             %s", path)


def photos_of_page(results: Results, n: int, left: str | None = None, right: str | None = None) -> dict[str, Any]:
    """What the template `photos_section` shows: at most n photos, from worst to best.

    left, right: the pictures that are compared first; without them the baseline or input, and the prediction or target.
    """
    table, metric = results.table, results.metric
    judged = judged_columns(table, metric)
    ranks = rank_photos(table, metric, results.higher_is_better)
    labels = list(next(iter(results.pictures.values())))
    measured = [label for label in labels if f"{label} {metric}" in table.columns]
    right = right or ("prediction" if "prediction" in labels else labels[-1])
    left = left or next((label for label in [*measured, *labels] if label != right), right)
    photos = [
        {
            "name": table.loc[i, "photo"],
            "figures": figure_lines(table.loc[i].drop("photo").dropna().to_dict()),
            "pictures": results.pictures[i],
            "left": left,
            "right": right,
        }
        for i in spread_over_ends_and_middle(ranks, n // 3, n // 3, results.pictures)
    ]
    direction = "lowest" if results.higher_is_better else "highest"
    of = f" of {judged[0].split(' ', 1)[0]}" if len(judged) == 1 else ""
    return {
        "photos": photos,
        "n_photos": len(table),
        "order": f"Sorted from worst to best: {direction} {metric}{of} first.",
    }


def judged_columns(table: pd.DataFrame, metric: str) -> list[str]:
    """The columns of a metric by which photos are sorted: the prediction's, or those of all."""
    columns = [column for column in table.columns[1:] if column.split(" ", 1)[1] == metric]
    return [column for column in columns if column.startswith("prediction ")] or columns


def rank_photos(table: pd.DataFrame, metric: str, higher_is_better: bool) -> list[int]:
    """The rows from worst to best."""
    means = table[judged_columns(table, metric)].mean(axis=1)
    return means.sort_values(ascending=higher_is_better, kind="stable").index.tolist()


def spread_over_ends_and_middle(ranks: list[int], part: int, middle: int, usable: Container[int]) -> list[int]:
    """All, or so many: a part each from the beginning and the end, and `middle` that are usable from the middle."""
    if len(ranks) <= 2 * part + middle:
        return ranks
    center = (len(ranks) - part) // 2 + (part - 1) / 2
    between = [i for i in range(part, len(ranks) - part) if ranks[i] in usable]
    nearest = sorted(sorted(between, key=lambda i: abs(i - center))[:middle])
    return [*ranks[:part], *(ranks[i] for i in nearest), *ranks[-part:]]


def figure_lines(figures: Mapping[str, float]) -> list[str]:
    """{"name metric": value} as a line a name: 'bicubic: PSNR-Y 31.20, SSIM-Y 0.8900'."""
    lines: dict[str, list[str]] = {}
    for key, value in figures.items():
        name, metric = key.split(" ", 1)
        lines.setdefault(name, []).append(f"{metric} {format_figure(value)}")
    return [f"{name}: {', '.join(parts)}" for name, parts in lines.items()]


def averages_table(averages: Mapping[str, float]) -> dict[str, Any]:
    """{"name metric": value} as the template `sortable` takes it: a row a name, a column a metric."""
    names = list(dict.fromkeys(key.split(" ", 1)[0] for key in averages))
    metrics = list(dict.fromkeys(key.split(" ", 1)[1] for key in averages))

    def cell(name: str, metric: str) -> dict[str, Any]:
        value = averages.get(f"{name} {metric}")
        return {"text": "" if value is None else format_figure(value), "value": value, "best": False}

    rows = [
        [{"text": name, "value": None, "best": False}, *(cell(name, metric) for metric in metrics)] for name in names
    ]
    return {"columns": ["", *metrics], "rows": rows}


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
