"""Colourisation as a task: the page to read first. It names what fills the spine of `common.runs.train`."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorize.config import Config
from common.commands.arguments import DISTANCES, add_options, add_perceptual_arguments, number_at_least
from common.task import Measuring, Option, Points, Task, Training, Use

if TYPE_CHECKING:
    import numpy as np

OPTIONS = [
    Option(
        "size", int, None, 1, None,
        "short side, in pixels, of the copy on which colours are found [as trained]. Smaller sees more of the photo at "
        "once: calmer colours; larger finds the colours of smaller things, but knows less about their context",
    ),
    Option(
        "saturation", float, 1.0, 0.0, None,
        "what the colours are multiplied by. Unsure between colours, a network gives a pale one: try 1.5",
    ),
    Option(
        "vividness", float, None, 0.0, 1.0,
        "of a model trained with loss.color_classes: from pale colours that are seldom far off, 0, to vivid ones, 1 "
        "[as trained]",
        fits_onnx=False,
    ),
    Option(
        "hints", Path, None, None, None,
        "JSON file of true colours of some places, in pixels of the photo: "
        '[{"x": 120, "y": 80, "color": "#e07b39"}]. In a video they move along with what is seen there, '
        'from the first frame or "frame": N on',
        fits_onnx=False,
    ),
    Option(
        "like", Path, None, None, None,
        "another photo, whose palette to take, of a model trained with loss.color_classes",
        fits_onnx=False,
    ),
]  # fmt: skip


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """What `evaluate` can be told here besides."""
    add_options(parser, [option for option in OPTIONS if option.name not in ("hints", "like")])
    parser.add_argument(
        "--dial",
        type=number_at_least(2, int),
        help="measure so many turns of --vividness: vividness.csv, vividness.png",
    )
    add_perceptual_arguments(parser)


def follow_hints(color: Callable[..., "np.ndarray"], **options: Any) -> Callable[..., "np.ndarray"]:
    """`colorize.follow.follow`, which needs OpenCV, as videos do."""
    from colorize.follow import follow

    return follow(color, **options)


def use() -> Use:
    """What applies a model."""
    from colorize import files, hints, network, photo, suggest, tints

    return Use(
        load=files.load_model,
        model_class=network.Colorizer,
        enhance=photo.color_photo,
        enhance_together=photo.color_together,
        remark=tints.remark,
        plain=photo.leave_grey,
        points=Points(
            "hints", lambda model: isinstance(model, network.Colorizer), hints.to_hints, suggest.suggest_colors
        ),
        in_video=follow_hints,
        mixing={"split": photo.colors_of, "join": photo.with_colors},
        to_onnx=files.to_onnx,
    )


def training() -> Training:
    """What trains a model."""
    from colorize import data, files, photo, training

    return Training(
        get_photos=data.get_photos,
        get_dls=data.get_dls,
        build=training.build,
        read_weights=training.read_weights,
        get_metrics=training.get_metrics,
        get_columns=training.get_columns,
        save=files.save_model,
        to_photo_model=photo.PhotoColorizer,
    )


def measuring() -> Measuring:
    """What says how good models are."""
    from colorize import measure

    return Measuring(
        measure=measure.measure,
        evaluate=measure.evaluate,
        measure_video=measure.measure_video,
    )


TASK = Task(
    name="colorize",
    title="Colourisation",
    config=Config,
    demo="colorize_demo.yaml",
    use=use,
    training=training,
    measuring=measuring,
    options=OPTIONS,
    baseline="grey",
    columns=("grey", "target"),
    higher_is_better={
        **dict.fromkeys(("PSNR", "PSNR-ab", "SSIM"), True),
        **dict.fromkeys(("ab error", "CIEDE2000", "off by", "Fréchet VGG16", *DISTANCES), False),
    },
    keep_grey=False,
    steady=0.9,
    seen=20,
    add_evaluate_arguments=add_evaluate_arguments,
    evaluate_table=lambda args: "vividness.csv" if args.dial else None,
)
