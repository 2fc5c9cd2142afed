"""python -m denoise.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT"""

from functools import partial

from common.commands.predict import get_predict_parser, open_model, predict_command
from common.runtime.command import run_command


def main():
    args = get_predict_parser("denoise.predict", __doc__).parse_args()
    from denoise.task import Denoiser, load_model

    from common.inference.tiles import enhance
    from common.models.fastai_export import import_exported_model

    model = open_model(args, load_model, partial(import_exported_model, model_class=Denoiser))
    return predict_command(args, partial(enhance, model, tile=args.tile))


if __name__ == "__main__":
    run_command(main)
