"""Enlarges photos with a trained model.

python -m superres.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
"""

import argparse
from functools import partial
from pathlib import Path

from common.batch import enhance_photos, plan_outputs
from common.command import run_command
from common.inference import add_device_arguments, enhance, get_device
from superres.model import load_model


def main():
    parser = argparse.ArgumentParser(
        prog="python -m superres.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="model.safetensors of a training run")
    parser.add_argument("photos", nargs="+", type=Path, help="photos, and folders that are searched recursively")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results; names are kept")
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    add_device_arguments(parser)
    args = parser.parse_args()
    model, data = load_model(args.model)
    model = model.to(get_device(args.device))
    plan = plan_outputs(args.photos, args.output, args.overwrite)
    enlarge = partial(enhance, model, scale=data.scale, tile=args.tile)
    return 1 if enhance_photos(plan, enlarge) else 0


if __name__ == "__main__":
    run_command(main)
