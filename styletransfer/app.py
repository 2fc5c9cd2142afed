"""A web page that runs trained models: drop photos, see before and after, download the results.

python -m styletransfer.app MODEL.safetensors...
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.commands.app import get_app_parser
from common.runtime.command import run_command

if TYPE_CHECKING:
    import numpy as np


def main() -> int:
    parser = get_app_parser("styletransfer.app", __doc__)
    parser.add_argument("--style", metavar="NAME", help="which of a model's several styles, or a mix of them")
    args = parser.parse_args()
    from common.commands.predict import load_ready
    from common.web.serve import AppTask, serve
    from styletransfer.model import Stylizer, in_style, load_model
    from styletransfer.photo import paint_photo

    def make_options() -> dict[str, Any]:
        import gradio as gr

        return {
            "strength": gr.Slider(0, 1, value=1, step=0.05, label="Strength", info="0 is the photo, 1 the painting"),
            "keep_colors": gr.Checkbox(label="The photo's own colours"),
        }

    def get_enhance(
        model: Stylizer, strength: float = 1.0, keep_colors: bool = False
    ) -> "Callable[[np.ndarray], np.ndarray]":
        return partial(paint_photo, model, strength=strength, keep_colors=keep_colors, tile=args.tile)

    def load_style(path: Path) -> Stylizer:
        model = load_model(path)
        return in_style(model, args.style if model.styles else None)

    load = partial(load_ready, load_style, args.device, args.precision)
    task = AppTask("Style transfer", load, make_options, get_enhance, keep_grey=False)
    return serve(task, args)


if __name__ == "__main__":
    run_command(main)
