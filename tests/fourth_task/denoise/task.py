"""Denoising, a fourth task as small as the library allows: the page to read first."""

from pathlib import Path

from denoise.config import Config

from common.task import Measuring, Task, Training, Use


def use():
    from denoise import network

    from common.inference.tiles import enhance, enhance_together

    return Use(network.load, network.Denoiser, enhance, enhance_together)


def training():
    from denoise import network, photos

    from common.batches.crops import find_photos_for_crops

    return Training(find_photos_for_crops, photos.get_dls, network.build, photos.get_metrics, network.save)


def measuring():
    from denoise import photos

    return Measuring(photos.measure, photos.evaluate)


TASK = Task(
    name="denoise",
    title="Denoising",
    config=Config,
    demo=Path(__file__).with_name("denoise.yaml"),
    use=use,
    training=training,
    measuring=measuring,
    columns=("noisy", "target"),
    higher_is_better={"PSNR-Y": True},
)
