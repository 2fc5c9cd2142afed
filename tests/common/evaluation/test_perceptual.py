import pytest
import torch
import torch.nn.functional as F
from torchvision.models import alexnet, squeezenet1_1, vgg16

from common.evaluation.perceptual import VGG_LAYERS, VGGDistance, get_perceptual_metrics, measure_perceptual
from common.runtime.errors import UserError

CPU = torch.device("cpu")
RELUS = {"relu1_2": 4, "relu2_2": 9, "relu3_3": 16, "relu4_3": 23, "relu5_3": 30}  # layers of torchvision's VGG16


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "vgg.pth"
    torch.manual_seed(1)
    state = {name: value for name, value in vgg16().state_dict().items() if name.startswith("features")}
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def backbone_files(tmp_path_factory):
    """{net: file of random weights in torchvision's layout}."""
    torch.manual_seed(1)
    folder, files = tmp_path_factory.mktemp("weights"), {}
    for net, make in (("alex", alexnet), ("squeeze", squeezenet1_1)):
        files[net] = folder / f"{net}.pth"
        torch.save(make().state_dict(), files[net])
    return files


@pytest.fixture
def download(tmp_path, monkeypatch):
    """download(file, name): torchvision finds the file as its own download."""

    def put(file, name):
        (tmp_path / "hub/checkpoints").mkdir(parents=True, exist_ok=True)
        (tmp_path / "hub/checkpoints" / name).write_bytes(file.read_bytes())

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return put


@pytest.mark.slow
def test_vgg_distance_is_that_of_its_formula(vgg_file, noise):
    pred, target = noise[:1], noise[1:]
    vgg = vgg16()
    vgg.load_state_dict(torch.load(vgg_file), strict=False)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = 0
    for end in RELUS.values():
        a, b = (vgg.features[:end]((picture - mean[:, None, None]) / std[:, None, None]) for picture in (pred, target))
        a, b = (x / x.norm(dim=1, keepdim=True).clamp_min(1e-12) for x in (a, b))
        expected += ((a - b) ** 2).sum(dim=1).mean()
    distance, same = VGGDistance(vgg_file)([pred, target], target)
    torch.testing.assert_close(distance, expected.detach(), rtol=1e-4, atol=1e-6)
    assert same == 0
    assert list(RELUS) == list(VGG_LAYERS)


DOWNLOADS = {"alex": "alexnet-owt-7be5be79.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "name", "title"), [("alex", "LPIPS", "AlexNet"), ("squeeze", "LPIPS-squeeze", "SqueezeNet")]
)
def test_lpips_is_that_of_torchmetrics(net, name, title, backbone_files, download, noise):
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity

    pred, target = F.interpolate(noise, scale_factor=2).split(1)
    perceptual, notes = get_perceptual_metrics("random", str(backbone_files[net]), CPU)
    ours = perceptual({"a": pred, "b": target}, target)
    download(backbone_files[net], DOWNLOADS[net])
    theirs = learned_perceptual_image_patch_similarity(pred, target, net_type=net, normalize=True)
    assert ours[f"a {name}"] == pytest.approx(theirs.item(), rel=1e-5)
    assert ours[f"a {name}"] > 0 == ours[f"b {name}"]
    assert f"{name} is {title}'s with {net}.pth." in notes
    for lpips in (net, None):  # None: what was downloaded before is used
        perceptual, notes = get_perceptual_metrics("random", lpips, CPU)
        assert perceptual({"a": pred, "b": target}, target) == ours
        assert f"{name} is {title}'s." in notes


def test_what_cannot_be_had_is_left_out_by_name(caplog):
    with caplog.at_level("INFO"):
        perceptual, notes = get_perceptual_metrics(None, None, CPU)
    assert perceptual({"a": torch.rand(1, 3, 64, 64)}, torch.rand(1, 3, 64, 64)) == {}
    assert [note.split(":")[0] for note in notes] == ["The VGG distance and DISTS are left out", "LPIPS is left out"]
    assert all(note in caplog.text for note in notes)


def test_without_torchmetrics_lpips_is_left_out_or_refused(monkeypatch, backbone_files):
    for module in ("evaluation.perceptual", "models.lpips"):
        monkeypatch.setattr(f"common.{module}.find_spec", lambda name: None)
    _, notes = get_perceptual_metrics("random", None, CPU)
    assert notes[2].startswith("LPIPS is left out: the package torchmetrics is not on this machine")
    with pytest.raises(UserError, match="pip install torchmetrics"):
        get_perceptual_metrics("random", str(backbone_files["squeeze"]), CPU)


def test_a_broken_download_is_named(tmp_path, download):
    (tmp_path / "half").write_bytes(b"half")
    download(tmp_path / "half", DOWNLOADS["alex"])
    with pytest.raises(UserError, match=r"is broken; delete alexnet-owt-7be5be79.pth in .*checkpoints"):
        get_perceptual_metrics("random", None, CPU)


def test_weights_of_another_network_are_refused(vgg_file, backbone_files, tmp_path):
    with pytest.raises(UserError, match=r"--lpips .*not an AlexNet or SqueezeNet"):
        get_perceptual_metrics("random", str(vgg_file), CPU)
    with pytest.raises(UserError, match=r"--vgg .*not a VGG16"):
        get_perceptual_metrics(str(backbone_files["alex"]), None, CPU)
    with pytest.raises(UserError, match=r"--lpips .*no such file. Give 'alex', 'squeeze', or"):
        get_perceptual_metrics("random", str(tmp_path / "none.pth"), CPU)


def test_large_pictures_are_measured_in_pieces_weighted_by_their_area(monkeypatch):
    monkeypatch.setattr("common.evaluation.perceptual.PIECE", 100)
    pred, target = torch.rand(2, 1, 3, 130, 220).unbind()

    def squared(pictures, target):
        return [(picture - target).square().mean() for picture in pictures]

    figures = measure_perceptual(
        {"error": squared}, CPU, {"a": pred[..., :100, :], "b": target[..., :100, :]}, target[..., :100, :]
    )
    # The last piece, 20 pixels wide, is padded to 64 with its last column.
    last = (pred - target)[..., :100, 200:].square()
    last = (last.sum() + 44 * last[..., -1].sum()) / (64 * 300)
    whole = ((pred - target)[..., :100, :200].square().mean() * 200 + last * 20) / 220
    assert figures["a error"] == pytest.approx(whole.item(), rel=1e-5)
    assert figures["b error"] == 0


def test_the_smallest_pictures_are_measured():
    perceptual, _ = get_perceptual_metrics("random", None, CPU)
    a, b = torch.rand(2, 1, 3, 11, 13)
    assert perceptual({"a": a, "b": b}, b)["a VGG-random"] > 0
