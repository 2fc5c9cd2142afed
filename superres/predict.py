"""Enlarges photos with a trained model.

python -m superres.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
"""

from functools import partial

from common.cli import get_predict_parser
from common.inference.batch import enhance_photos, plan_outputs
from common.inference.tiles import enhance
from common.models.fastai_export import import_exported_model
from common.runtime.command import run_command
from common.runtime.devices import get_device
from superres.model import SuperResolver, load_model


def main():
    args = get_predict_parser("superres.predict", __doc__).parse_args()
    model = import_exported_model(args.model, SuperResolver) if args.trust_pickle else load_model(args.model)[0]
    model = model.to(get_device(args.device))
    plan = plan_outputs(args.photos, args.output, args.overwrite)
    enlarge = partial(enhance, model, scale=model.scale, tile=args.tile)
    return 1 if enhance_photos(plan, enlarge) else 0


if __name__ == "__main__":
    run_command(main)
