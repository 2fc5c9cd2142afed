"""Trains variants of one config under the same conditions and compares them: losses, norms, networks.

python -m superres.compare configs/compare/losses.yaml data.path=~/photos      keys are for every variant
python -m superres.compare --resume runs/STUDY                                 goes on with a stopped study
"""

from functools import partial

from common.runtime.command import run_command
from common.studies.compare import compare_command
from superres.config import Config
from superres.data import get_degrade, get_photos
from superres.evaluate import evaluate
from superres.model import load_model
from superres.train import build, train

BEST = {"PSNR-Y": max, "SSIM-Y": max, "VGG": min, "VGG-random": min, "LPIPS": min}
DETAIL, ZOOM = 80, 3  # side of the squares that the picture shows, in sharp pixels, and how much they are enlarged


def evaluate_variants(photos, config, paths, folder, perceptual, device):
    """`superres.evaluate.evaluate` of the model files {variant: path}."""
    models = {name: load_model(path)[0].to(device) for name, path in paths.items()}
    return evaluate(photos, get_degrade(config.data), models, folder, ZOOM, perceptual=perceptual, side=DETAIL)


if __name__ == "__main__":
    command = partial(compare_command, "superres.compare", __doc__, Config, get_photos, build, train)
    run_command(partial(command, evaluate_variants, BEST, taken=("input", "bicubic", "target")))
