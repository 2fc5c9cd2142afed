"""Super-resolution as a task: the page to read first. It names what fills the spine of `common.runs.train`."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.commands.arguments import DISTANCES, add_perceptual_arguments, user_path
from common.task import Measuring, Option, Task, Training, Use
from superres.config import Config

OPTIONS = [
    Option(
        "strength", float, 1.0, 0.0, 2.0,
        "how much of what the network adds is added: 0 is bicubic, 1 the model", fits_onnx=False,
    ),
    Option(
        "tta", bool, False, None, None,
        "average over the eight turns and flips: 0.1 to 0.2 dB in eight times the time",
    ),
    Option(
        "colors", str, "model", None, None,
        "photo: means over 16 x 16 pixels are the photo's, for models that shift colours", choices=("model", "photo"),
    ),
    Option("scale", float, None, 0.1, 64.0, "size of the result: so many times the photo's, such as 1.5"),
    Option("width", int, None, 1, 100_000, "or its width in pixels"),
    Option("height", int, None, 1, 100_000, "or its height"),
    Option("longest", int, None, 1, 100_000, "or its longer side"),
    Option("megapixels", float, None, 0.001, 4000.0, "or its size in millions of pixels"),
]  # fmt: skip


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """What `evaluate` can do here besides."""
    add_perceptual_arguments(parser)
    parser.add_argument(
        "--low", type=user_path, help="folder of low sides, under the names of the photos in --data [made from them]"
    )
    parser.add_argument("--scale", type=int, choices=[2, 4, 8], help="for --baseline (a model knows its own)")
    parser.add_argument(
        "--damages", action="store_true", help="how the model does on JPEGs, noise and blur: a table, and damages.csv"
    )


def check_options(options: Mapping[str, Any]) -> None:
    """Raises UserError if they contradict each other."""
    from superres.sizes import check_sizes

    check_sizes(options)


def room(height: int, width: int, scale: int, options: Mapping[str, Any]) -> tuple[int, int, int]:
    """Of a photo's result: its sides, and the pixels of the largest picture on the way."""
    from superres.sizes import passes_needed, size_by

    wanted = size_by(options, height, width)
    largest = scale ** (1 if wanted is None else passes_needed((height, width), wanted, scale))
    sides = wanted or (scale * height, scale * width)
    return *sides, largest**2 * height * width


def use() -> Use:
    """What applies a model."""
    from superres import blurred, files, network, photo

    return Use(
        load=files.load_any_model,
        model_class=network.SuperResolver,
        enhance=photo.enlarge_photo,
        enhance_together=photo.enlarge_together,
        plain=photo.enlarge_plainly,
        remark=blurred.remark,
        to_onnx=files.to_onnx,
        formats={"spandrel": files.export_spandrel},
    )


def training() -> Training:
    """What trains a model."""
    from superres import data, files, start, training

    return Training(
        get_photos=data.get_photos,
        get_dls=data.get_dls,
        settle=training.settle,
        build=training.build,
        get_metrics=training.get_metrics,
        get_columns=training.get_columns,
        save=files.save_model,
        read_weights=start.read_weights,
    )


def measuring() -> Measuring:
    """What says how good models are."""
    from superres import evaluation, measure

    return Measuring(
        measure=measure.measure,
        evaluate=evaluation.evaluate,
        measure_video=evaluation.measure_video,
    )


GRIDS = {f"grid-{period}": False for period in (2, 4, 8)}  # of `common.evaluation.lattice`

TASK = Task(
    name="superres",
    title="Super-resolution",
    config=Config,
    demo="superres_demo.yaml",
    use=use,
    training=training,
    measuring=measuring,
    options=OPTIONS,
    check_options=check_options,
    evaluate_table=lambda args: "damages.csv" if args.damages else None,
    room=room,
    resizing=("scale", "width", "height", "longest", "megapixels"),
    baseline="bicubic",
    other_inputs=("low",),
    columns=("input", "bicubic", "target"),
    higher_is_better={"PSNR-Y": True, "SSIM-Y": True, **GRIDS, **dict.fromkeys(("NIQE", *DISTANCES), False)},
    steady=0.5,  # at which PSNR is highest, 0.1 dB above none
    formats={"spandrel": "the plain weights of a model with network: spandrel, for programs that read such files"},
    box=Path(__file__).parent / "models",
    first_choice=("2x-photo", "2x"),
    add_evaluate_arguments=add_evaluate_arguments,
)
