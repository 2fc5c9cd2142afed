"""Trains variants of one config under the same conditions and compares them: losses, norms.

python -m colorize.compare configs/compare/colorize_losses.yaml data.path=~/photos     keys are for every variant
python -m colorize.compare --resume runs/STUDY                                         goes on with a stopped study
"""

from functools import partial

from colorize.config import Config
from colorize.data import get_photos
from colorize.evaluate import evaluate
from colorize.model import load_model
from colorize.photo import color_photo
from colorize.train import build, train
from common.runtime.command import run_command
from common.studies.compare import compare_command

BEST = {"PSNR": max, "PSNR-ab": max, "SSIM": max, "ab error": min, "off by": min}
BEST |= {"VGG": min, "VGG-random": min, "LPIPS": min}
SHOWN = 192  # short side of the photos in the picture, in pixels


def evaluate_variants(photos, config, paths, folder, perceptual, device):
    """`colorize.evaluate.evaluate` of the model files {variant: path}, each at the size that it was trained at."""
    models = {}
    for name, path in paths.items():
        model, size = load_model(path)
        models[name] = partial(color_photo, model.to(device), size=size)
    return evaluate(photos, models, folder, perceptual=perceptual, shown=SHOWN)


if __name__ == "__main__":
    command = partial(compare_command, "colorize.compare", __doc__, Config, get_photos, build, train)
    run_command(partial(command, evaluate_variants, BEST, taken=("grey", "target")))
