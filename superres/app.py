"""A web page that runs trained models: drop photos, see before and after, download the results.

python -m superres.app MODEL.safetensors...
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from common.commands.app import get_app_parser
from common.runtime.command import run_command

if TYPE_CHECKING:
    import numpy as np


def main() -> int:
    args = get_app_parser("superres.app", __doc__).parse_args()
    from common.commands.predict import load_ready
    from common.inference.tiles import enhance
    from common.web.serve import AppTask, serve
    from superres.model import SuperResolver, load_any_model

    def make_options() -> dict[str, Any]:
        import gradio as gr

        return {"strength": gr.Slider(0, 2, value=1, step=0.1, label="Strength", info="0 is bicubic, 1 the model")}

    def get_enhance(model: SuperResolver, strength: float = 1.0) -> "Callable[[np.ndarray], np.ndarray]":
        model.strength = strength
        return partial(enhance, model, scale=model.scale, tile=args.tile, grid=model.grid)

    load = partial(load_ready, load_any_model, args.device, args.precision)
    task = AppTask("Super-resolution", load, make_options, get_enhance, keep_grey=True)
    return serve(task, args)


if __name__ == "__main__":
    run_command(main)
