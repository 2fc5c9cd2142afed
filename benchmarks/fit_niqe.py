"""Fits NIQE's statistics on sharp photos: the mean and covariance of the features of their sharp patches.

python -m benchmarks.fit_niqe --data FOLDER -o common/evaluation/niqe.safetensors

The file in common/evaluation was made on 30 November 2026 from 89 sharp photos of 0.9 to 3 megapixels: landscapes,
plants, animals and cities, of free licences, at most 2,040 pixels a side. 1,255 of
their patches are sharp.
"""

import argparse
from pathlib import Path

import numpy as np
import safetensors.numpy

from common.batches.folders import find_photos
from common.commands.arguments import user_path
from common.evaluation.niqe import SHARP, Natural, patch_features, to_luma
from common.photos.flat import open_photo
from common.photos.pixels import to_tensor
from common.runtime.command import run_command
from common.runtime.files import atomic_write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=user_path, required=True, help="folder of sharp photos, searched recursively")
    parser.add_argument("-o", "--output", type=user_path, required=True, help="FILE.safetensors")
    args = parser.parse_args()
    natural = fit(find_photos(args.data))
    arrays = {"mean": natural.mean, "covariance": natural.covariance}
    with atomic_write(args.output) as temporary:
        safetensors.numpy.save_file(arrays, temporary)


def fit(photos: list[Path]) -> Natural:
    """The statistics of the sharp patches of photos, by the sharpest of each photo; prints how many there are."""
    sharp = []
    for path in photos:
        features, sharpness = patch_features(to_luma(to_tensor(open_photo(path))))
        sharp.append(features[sharpness > SHARP * sharpness.max(initial=0)])
    patches = np.concatenate(sharp)
    print(f"{len(photos)} photos, {len(patches)} sharp patches")
    return Natural(patches.mean(axis=0), np.cov(patches, rowvar=False))


if __name__ == "__main__":
    run_command(main)
