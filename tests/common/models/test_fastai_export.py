import pickletools
import zipfile

import numpy as np
import pytest
from PIL import Image
from torch import nn

from common.models.fastai_export import ToPhoto, export_learner


def test_an_exported_learner_names_no_class_of_this_system(tmp_path):
    export_learner(tmp_path / "export.pkl", nn.Conv2d(3, 3, 1))
    with zipfile.ZipFile(tmp_path / "export.pkl") as file:
        (name,) = (name for name in file.namelist() if name.endswith("data.pkl"))
        classes = {argument for code, argument, _ in pickletools.genops(file.read(name)) if code.name == "GLOBAL"}
    assert "pathlib PurePosixPath" in classes
    assert not classes & {"pathlib PosixPath", "pathlib WindowsPath", "pathlib._local PosixPath"}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (np.full((5, 4), 100, np.uint8), [100, 100, 100]),
        (np.full((5, 4, 3), (10, 20, 30), np.uint8), [10, 20, 30]),
        (np.full((5, 4, 4), (10, 20, 30, 0), np.uint8), [255, 255, 255]),  # transparent, on white
        (np.full((5, 4), 100 * 257, np.uint16), [100, 100, 100]),
        (np.full((5, 4, 3), 100 * 257, np.uint16), [100, 100, 100]),
        (Image.fromarray(np.full((5, 4), 100 * 257, np.uint16)), [100, 100, 100]),
        (Image.new("LA", (4, 5), (100, 255)), [100, 100, 100]),
    ],
)
def test_pictures_and_arrays_of_every_kind_are_taken(item, expected):
    photo = ToPhoto()(item)
    assert photo.size == (4, 5)
    assert np.asarray(photo)[2, 2].tolist() == expected
