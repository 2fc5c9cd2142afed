"""A web page that runs trained models: drop photos, see before and after, download the results.

python -m colorize.app MODEL.safetensors...
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from common.commands.app import get_app_parser
from common.runtime.command import run_command

if TYPE_CHECKING:
    import numpy as np


def main() -> int:
    args = get_app_parser("colorize.app", __doc__).parse_args()
    from colorize.model import Colorizer, load_model
    from colorize.photo import color_photo
    from common.commands.predict import load_ready
    from common.web.serve import AppTask, serve

    def make_options() -> dict[str, Any]:
        import gradio as gr

        return {
            "saturation": gr.Slider(0, 3, value=1, step=0.1, label="Saturation"),
            "size": gr.Slider(
                0,
                1024,
                value=0,
                step=32,
                label="Size",
                info="short side of the copy on which colours are found; 0: as trained",
            ),
        }

    def get_enhance(model: Colorizer, saturation: float = 1.0, size: int = 0) -> "Callable[[np.ndarray], np.ndarray]":
        return partial(color_photo, model, size=size or None, saturation=saturation, tile=args.tile)

    load = partial(load_ready, load_model, args.device, args.precision)
    task = AppTask("Colourisation", load, make_options, get_enhance, keep_grey=False)
    return serve(task, args)


if __name__ == "__main__":
    run_command(main)
