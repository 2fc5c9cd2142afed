from PIL import Image
from skimage import data

from common.evaluation.niqe import niqe
from common.photos.pixels import to_tensor
from superres.data import Degrade
from superres.measure import measure_photo


def nothing(results, target):
    return {}


def test_niqe_is_measured_of_results_and_of_the_photo_with_the_perceptual_metrics(tmp_path):
    photo = Image.fromarray(data.chelsea()).crop((0, 0, 301, 200))
    photo.save(tmp_path / "cat.png")
    figures, pictures = measure_photo(tmp_path / "cat.png", Degrade(2), {}, nothing)
    assert figures["target NIQE"] == niqe(to_tensor(photo.crop((0, 0, 300, 200))))  # as it is compared with results
    assert figures["bicubic NIQE"] > figures["target NIQE"]
    assert set(pictures) == {"input", "bicubic", "target"}
    assert not any("NIQE" in key for key in measure_photo(tmp_path / "cat.png", Degrade(2), {})[0])


def test_a_photo_that_is_too_small_for_niqe_has_none(tmp_path):
    Image.fromarray(data.chelsea()[:150, :150]).save(tmp_path / "small.png")
    assert not any("NIQE" in key for key in measure_photo(tmp_path / "small.png", Degrade(2), {}, nothing)[0])
