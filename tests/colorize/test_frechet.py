import numpy as np
import pytest
import scipy.linalg
import torch
from PIL import Image
from torch import Tensor
from torchvision.models.vgg import cfgs, make_layers

from colorize.frechet import SetDistance, frechet_distance, get_set_distance, mean_and_covariance
from colorize.lab import to_grey
from colorize.measure import measure_all
from common.evaluation.report import write_evaluation_page
from common.runtime import processes

CPU = torch.device("cpu")
NAME = "Fréchet VGG16"


def diagonal(*values: float) -> Tensor:
    return torch.diag(torch.tensor(values, dtype=torch.float64))


def test_distance_of_independent_gaussians_is_that_of_their_means_and_deviations():
    mean, other = torch.tensor([[1.0, 2.0, 3.0], [1.0, 4.0, 0.0]], dtype=torch.float64)
    # 2^2 + 3^2 of the means; (3 - 1)^2 + (2 - 2)^2 + (0 - 5)^2 of the deviations
    found = frechet_distance(mean, diagonal(9, 4, 0), other, diagonal(1, 4, 25))
    assert found == pytest.approx(13 + 29)
    assert frechet_distance(mean, diagonal(9, 4, 0), mean, diagonal(9, 4, 0)) == pytest.approx(0, abs=1e-9)


def test_distance_is_that_of_scipys_matrix_root_in_either_order():
    a, b = torch.randn(2, 6, 6, dtype=torch.float64)
    a, b, mean, other = a @ a.T, b @ b.T, *torch.randn(2, 6, dtype=torch.float64)
    root = scipy.linalg.sqrtm(a.numpy() @ b.numpy()).real
    expected = (mean - other).square().sum() + a.trace() + b.trace() - 2 * np.trace(root)
    assert frechet_distance(mean, a, other, b) == pytest.approx(expected.item())
    assert frechet_distance(other, b, mean, a) == pytest.approx(expected.item())


def test_moments_are_those_of_all_places_and_each_photo_counts_the_same(monkeypatch):
    monkeypatch.setattr("colorize.frechet.PIECE", 96)
    distance = SetDistance("random", CPU)
    photos = [torch.rand(1, 3, 64, 80), torch.rand(1, 3, 96, 224)]  # the second in pieces of 96, 96 and 32 (64) pixels
    total = sum(distance.moments(photo) for photo in photos)
    places = []
    for photo in photos:
        cut = [photo] if photo.shape[3] < 96 else [photo[..., :96], photo[..., 96:192], pad(photo[..., 192:])]
        maps = [distance.vgg(piece)["relu4_3"][0].flatten(1).double() for piece in cut]
        places.append(torch.cat(maps, dim=1))
    mean, covariance = mean_and_covariance(total)
    expected = sum(of_photo.mean(dim=1) for of_photo in places) / 2
    torch.testing.assert_close(mean, expected)
    squares = sum(torch.cov(of_photo, correction=0) + of_photo.mean(1).outer(of_photo.mean(1)) for of_photo in places)
    torch.testing.assert_close(covariance, squares / 2 - expected.outer(expected), rtol=1e-6, atol=1e-9)


def pad(picture: Tensor) -> Tensor:
    return torch.nn.functional.pad(picture, (0, 64 - picture.shape[3], 0, 0), mode="replicate")


def test_paler_photos_are_further_away_and_it_is_one_figure_for_all(photos, tmp_path):
    def fade(amount):
        return lambda pixels: np.asarray(Image.blend(Image.fromarray(pixels).convert("L").convert("RGB"),
                                                     Image.fromarray(pixels), amount))  # fmt: skip

    models = {"pale": fade(0.3), "nearly": fade(0.8), "same": fade(1.0)}
    paths = sorted(photos.iterdir())[:3]
    results = measure_all(paths, models, tmp_path / "out", SetDistance("random", CPU))
    figures = [results.averages[f"{name} {NAME}"] for name in ("grey", "pale", "nearly", "same")]
    assert figures == sorted(figures, reverse=True)
    assert figures[-1] == pytest.approx(0, abs=1e-6 * figures[0])
    assert not any(NAME in column for column in results.table.columns)
    assert NAME not in (tmp_path / "out/results.csv").read_text()
    write_evaluation_page(tmp_path / "out", results, "x", "3 photos")
    page = (tmp_path / "out/report.html").read_text()
    assert f'<th scope="col"><button type="button">{NAME}' in page
    assert f"3 photos · {NAME} is one figure for all photos together." in page


def test_a_vgg16_that_has_learned_nothing_is_left_out_by_name(tmp_path, caplog):
    with caplog.at_level("INFO"):
        assert get_set_distance("random", CPU) is get_set_distance(None, CPU) is None
        left_out = f"{NAME} is left out: it needs a VGG16 that has learned (--vgg downloads or reads one)."
        assert caplog.messages == [left_out, left_out]
        layers = make_layers(cfgs["D"]).state_dict()
        torch.save({f"features.{name}": value for name, value in layers.items()}, tmp_path / "vgg.pth")
        assert get_set_distance(str(tmp_path / "vgg.pth"), CPU).figures() == {}
    assert caplog.messages[-1] == f"{NAME} is over the relu4_3 of a VGG16 with vgg.pth, of all photos together."


def test_what_several_processes_took_is_put_together(monkeypatch):
    one, two, both = (SetDistance("random", CPU) for _ in range(3))
    for distance in (one, two):
        target = torch.rand(1, 3, 64, 64)
        for each in (distance, both):
            each.add({"grey": to_grey(target), "target": target})
    monkeypatch.setattr(processes, "merge_shares", lambda mine: {**mine, 1: two.sums})
    figures = one.figures()
    monkeypatch.undo()
    assert figures == pytest.approx(both.figures())
    assert figures[f"grey {NAME}"] > 0
    assert both.figures() == pytest.approx(both.figures())  # nothing was used up
