"""Style transfer as a task: the page to read first. It names what fills the spine of `common.runs.train`."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.commands.arguments import number_at_least, user_path
from common.runtime.errors import UserError
from common.task import Measuring, Option, Task, Training, Use
from styletransfer.config import Config

OPTIONS = [
    Option(
        "strength", float, 1.0, 0.0, 1.5,
        "0 the photo, 1 the painting, or between or beyond: a model that was trained with style.strength paints so, "
        "others have their pixels mixed",
    ),
    Option("keep_colors", bool, False, None, None, "the photo's own colours, the painting's lightness"),
    Option(
        "stroke", float, 1.0, 1.0, 4.0,
        "how many times larger strokes are. They have a size in pixels, so that on a large photo they are fine: 2 or 3",
    ),
    Option(
        "detail", float, 0.0, 0.0, 1.0,
        "with --stroke: how much of the photo's fine detail, which larger strokes lose, is laid back",
    ),
    Option(
        "style", str, None, None, None,
        "of a model of several styles: one by its name, or a mix, as in starry_night:0.6,wave:0.4",
        at_opening=True, fits_onnx=False,
    ),
]  # fmt: skip


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """What `evaluate` can be told here besides."""
    style = "the style picture [style.png beside the model]; for a video the name of a style"
    parser.add_argument("--style", type=user_path, help=style)
    parser.add_argument("--vgg", help="VGG16 weights, as loss.vgg, if the model was trained with a file of them")
    parser.add_argument(
        "--optimize",
        nargs="+",
        type=number_at_least(1, int),
        default=[],
        metavar="N",
        help="compare with N iterations of L-BFGS",
    )
    parser.add_argument("--start", choices=["noise", "photo"], default="noise", help="where --optimize starts [noise]")
    size = number_at_least(32, int)
    parser.add_argument("--size", type=size, default=256, help="of the squares, pixels a side [256]")


def check_options(options: Mapping[str, Any]) -> None:
    """Raises UserError if they contradict each other."""
    if options.get("detail") and options.get("stroke") == 1:
        raise UserError("--detail: lays back what larger strokes lose; give a --stroke of more than 1, too")


def check_study(configs: Sequence[Config]) -> None:
    """Raises UserError unless each has one style."""
    if any(config.style.strength or config.style.add for config in configs):
        raise UserError("style.strength, style.add: not in a study, which compares networks of one style")
    if any(config.style.is_conditional for config in configs):
        raise UserError("style.image: a study has one style; give one picture")


def use() -> Use:
    """What applies a model."""
    from styletransfer import files, network, photo

    return Use(
        load=files.load_model,
        model_class=network.Stylizer,
        enhance=photo.paint_photo,
        enhance_together=photo.paint_together,
        choose=network.in_style,
        to_onnx=files.to_onnx,
    )


def training() -> Training:
    """What trains a model."""
    from styletransfer import data, files, network, training

    return Training(
        get_photos=data.get_photos,
        get_dls=data.get_dls,
        settle=training.with_styles_named,
        build=training.build,
        begin=training.begin,
        keep_files=training.keep_styles,
        get_metrics=training.get_metrics,
        get_columns=training.get_columns,
        save=files.save_model,
        to_photo_model=network.one_style,
    )


def measuring() -> Measuring:
    """What says how good models are."""
    from styletransfer import evaluation

    return Measuring(
        measure=evaluation.measure,
        evaluate=evaluation.evaluate,
        measure_video=evaluation.measure_video,
    )


TASK = Task(
    name="styletransfer",
    title="Style transfer",
    config=Config,
    demo="styletransfer_demo.yaml",
    use=use,
    training=training,
    measuring=measuring,
    options=OPTIONS,
    check_options=check_options,
    columns=("photo", "style"),
    heatmap=("photo", "style"),
    same_sections=("data", "output", "style"),
    check_study=check_study,
    higher_is_better={"loss": False, "features": False, "gram": False, "kept": True},
    keep_grey=False,
    steady=0.8,
    box=Path(__file__).parent / "models",
    first_choice=("paintings",),
    add_evaluate_arguments=add_evaluate_arguments,
)
