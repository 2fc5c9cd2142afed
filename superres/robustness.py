"""How a model does on photos as people have them: one table over kinds and amounts of damage."""

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from common.commands.arguments import DISTANCES
from common.config.damages import PRESETS, BlurConfig, DamagePass, JpegConfig, NoiseConfig
from common.evaluation.perceptual import MeasurePerceptual
from common.evaluation.report import NOT_MEASURED
from common.inference.work import explain_failure
from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from common.runtime.memory import release_freed_memory
from superres.data import Degrade
from superres.measure import baseline_name, measure_photo
from superres.network import SuperResolver

log = logging.getLogger(__name__)

TABLE_FILE = "damages.csv"

ROWS: dict[str, list[DamagePass]] = {
    "clean": [],
    **{f"JPEG {q}": [DamagePass(jpeg=JpegConfig(quality=[q, q]))] for q in (95, 85, 75, 50, 40)},
    **{f"noise {sigma:g}": [DamagePass(noise=NoiseConfig(sigma=[sigma, sigma]))] for sigma in (3.0, 8.0, 15.0)},
    **{f"blur {sigma:g}": [DamagePass(blur=BlurConfig(sigma=[sigma, sigma]))] for sigma in (0.8, 1.6)},
    "photo": PRESETS["photo"],
}


def measure_damages(
    paths: list[Path],
    scale: int,
    model: SuperResolver,
    folder: Path | None,
    tile: int,
    perceptual: MeasurePerceptual | None = None,
) -> pd.DataFrame:
    """PSNR-Y and SSIM-Y of the baseline and of `model` for each of ROWS, averaged over the photos; logs the table.

    Columns: damage, baseline, model and gain in dB, the SSIMs, and what `perceptual` measures. Noise and chances are
    the same every time. Writes `damages.csv` into `folder`, unless None. A photo that cannot be measured is skipped,
    with a line. Raises UserError if none is left.
    """
    baseline, usable = baseline_name(scale), list(paths)
    rows: list[Mapping[str, str | float]] = []
    progress = tqdm(total=len(ROWS) * len(paths), unit="photo", leave=False, disable=None)
    for damage, passes in ROWS.items():
        if scale == 1 and not passes:
            continue  # nothing is to be done
        figures: list[dict[str, float]] = []
        for path in list(usable):
            release_freed_memory()
            try:
                figures.append(measure_photo(path, Degrade(scale, passes), {"model": model}, perceptual, tile)[0])
            except NOT_MEASURED as error:
                log.warning("skipped %s", explain_failure(path, error))
                usable.remove(path)
            progress.update()
        if not figures:
            raise UserError(f"none of {len(paths)} photos could be measured")
        average: dict[str, float] = pd.DataFrame(figures).mean().to_dict()
        before, after = average[f"{baseline} PSNR-Y"], average["model PSNR-Y"]
        others = {
            f"{name} {metric}": average[f"{name} {metric}"]
            for metric in ("SSIM-Y", *DISTANCES)
            for name in (baseline, "model")
            if f"{name} {metric}" in average
        }
        rows.append({"damage": damage, baseline: before, "model": after, "gain": after - before, **others})
    progress.close()
    table = pd.DataFrame(rows)
    shown = table.assign(
        **{name: table[name].map("{:.2f}".format) for name in (baseline, "model")},
        gain=table["gain"].map("{:+.2f}".format),
        **{name: table[name].map("{:.4f}".format) for name in table.columns[4:]},
    )
    log.info("PSNR-Y in dB, %d photos:\n%s", len(usable), shown.to_string(index=False))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / TABLE_FILE) as temporary:
            table.to_csv(temporary, index=False)
        log.info("table: %s", folder / TABLE_FILE)
    return table
