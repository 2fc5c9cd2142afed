"""Model files of others. None is at hand here, so each is written with spandrel's own classes, as others do."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.FBCNN import FBCNN
from spandrel.architectures.GFPGAN import GFPGAN
from spandrel.architectures.MixDehazeNet import MixDehazeNet
from spandrel.architectures.RealCUGAN import UpCunet3x
from spandrel.architectures.SCUNet import SCUNet

from common.inference.ready import ready
from common.inference.tiles import enhance
from common.runtime.errors import ResultNotFinite, UserError
from superres.files import load_any_model
from tests.commands import run_here


def compact(scale: int) -> Compact:
    torch.manual_seed(0)
    return Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=scale)


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_others_gives_the_pictures_that_spandrel_gives(suffix, tmp_path):
    path, state = tmp_path / f"4x_theirs{suffix}", compact(4).state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save({"params_ema": state}, path)  # as BasicSR does
    theirs, picture = ModelLoader().load_from_file(path), photo(37, 29)
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None])
    model = ready(load_any_model(path), torch.device("cpu"))
    result = enhance(model, picture, model.scale, grid=model.grid)
    assert result.shape == (4 * 37, 4 * 29, 3)
    assert np.abs(result - (255 * expected[0].permute(1, 2, 0).numpy())).max() <= 0.51


@pytest.mark.parametrize("suffix", [".PTH", ".SAFETENSORS"])
def test_an_ending_in_capitals_is_the_same(suffix, tmp_path):
    path, state = tmp_path / f"THEIRS{suffix}", compact(2).state_dict()
    save_file(state, path) if suffix == ".SAFETENSORS" else torch.save(state, path)
    opened = load_any_model(path).unet.net.state_dict()
    assert all(torch.equal(opened[name], value) for name, value in state.items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(value, tmp_path):
    state = compact(2).state_dict()
    state["body.2.weight"][0, 0, 0, 0] = value
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(UserError, match="some of its weights are infinite or not numbers"):
        load_any_model(tmp_path / "broken.pth")


def test_infinite_values_are_not_clamped_to_white(tmp_path):
    state = compact(2).state_dict()
    state["body.4.weight"].fill_(3e38)
    state["body.2.bias"].fill_(9.0)
    torch.save(state, tmp_path / "large.pth")
    with pytest.raises(ResultNotFinite):
        enhance(load_any_model(tmp_path / "large.pth"), photo(20, 20), 2)


@pytest.mark.parametrize(
    ("network", "scale"),
    [(UpCunet3x(), 3), (DnCNN(in_nc=1, out_nc=1), 1), (MixDehazeNet(), 1), (SCUNet(config=[1] * 7), 1)],
    ids=["three times", "grey", "returns -1 to 1", "looks at the whole"],
)
def test_other_kinds_of_models(network, scale, tmp_path):
    torch.save(network.state_dict(), tmp_path / "theirs.pth")
    model = ready(load_any_model(tmp_path / "theirs.pth"), torch.device("cpu"))
    assert enhance(model, photo(41, 53), model.scale, grid=model.grid).shape == (41 * scale, 53 * scale, 3)


def test_tiles_of_a_model_of_others_fit(tmp_path):
    torch.save(compact(2).state_dict(), tmp_path / "theirs.pth")
    model, picture = ready(load_any_model(tmp_path / "theirs.pth"), torch.device("cpu")), photo(150, 210)
    whole, tiled = (enhance(model, picture, 2, tile, grid=model.grid).astype(int) for tile in (1024, 192))
    assert np.abs(whole - tiled).max() <= 1


class Code:
    def __reduce__(self):
        return print, ("this must not run",)


def save_cut(path):
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda path: torch.save({"model": Code()}, path), "a pickle that would run code, which is refused"),
        (lambda path: path.write_bytes(pickle.dumps(Code())), "a pickle that would run code, which is refused"),
        (lambda path: path.write_bytes(b"\x00" * 100), "cannot be read as weights alone"),
        (lambda path: torch.save(torch.zeros(3), path), "holds a Tensor, not the weights of a model"),
        (lambda path: torch.save({"fc.weight": torch.zeros(3)}, path), "nor one that spandrel recognises"),
        (
            lambda path: torch.save({"body.0.weight": torch.zeros(3), "body.1.weight": torch.zeros(3)}, path),
            "spandrel takes it for a model it knows, but cannot open it",
        ),
        (lambda path: torch.save({"quant_conv.weight": torch.zeros(3)}, path), "weights look like a VAE of an image"),
        (lambda path: torch.save({"text_model.encoder.w": torch.zeros(3)}, path), "weights look like a text encoder"),
        (lambda path: torch.save({"lora_unet_a.lora_down.w": torch.zeros(3)}, path), "weights look like a LoRA"),
        (lambda path: torch.save(Compact(num_in_ch=16, num_out_ch=16, num_conv=1).state_dict(), path), "a photo has 3"),
        (lambda path: save_cut(path), "cannot be read as weights alone"),
        (lambda path: None, "no such model file"),
    ],
    ids=[
        "code",
        "a bare pickle",
        "noise",
        "a tensor",
        "unknown",
        "misleading",
        "VAE",
        "text encoder",
        "LoRA",
        "16 channels",
        "cut",
        "missing",
    ],
)
def test_what_is_no_model_is_refused(content, message, tmp_path, capsys):
    content(tmp_path / "theirs.pth")
    with pytest.raises(UserError) as error:
        load_any_model(tmp_path / "theirs.pth")
    assert message in str(error.value)
    assert "this must not run" not in capsys.readouterr().out


@pytest.mark.slow
def test_a_model_for_faces_is_refused(tmp_path):
    torch.save(GFPGAN().state_dict(), tmp_path / "faces.pth")
    with pytest.raises(UserError, match="a model for FaceSR; this program is for whole photos"):
        load_any_model(tmp_path / "faces.pth")


@pytest.mark.slow
def test_predict_evaluate_and_blend_take_files_of_others(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(photo(64, 48)).save(photos / "a.png")
    torch.save(compact(2).state_dict(), tmp_path / "one.pth")
    torch.save({name: 2 * value for name, value in compact(2).state_dict().items()}, tmp_path / "two.pth")
    command = ("superres.predict", tmp_path / "one.pth", photos)
    assert run_here(*command, "-o", tmp_path / "out", "--blend", tmp_path / "two.pth", "--strength", "0.5") == 0
    assert Image.open(tmp_path / "out/a.png").size == (96, 128)
    assert run_here("superres.evaluate", tmp_path / "one.pth", "--data", photos, "--vgg", "random") == 0
    assert (tmp_path / "one_evaluate_photos/results.csv").exists()
    torch.save(DnCNN(in_nc=3, out_nc=3).state_dict(), tmp_path / "clean.pth")
    capsys.readouterr()
    assert run_here("superres.evaluate", tmp_path / "clean.pth", "--data", photos) == 2
    assert "does not say what it cleans: give the inputs with --low, or measure it" in capsys.readouterr().err
    command = ("superres.predict", tmp_path / "clean.pth", photos, "-o", tmp_path / "x")
    assert run_here(*command, "--precision", "fp16") == 2
    assert "--precision fp16: this network is not known to work in it" in capsys.readouterr().err


@pytest.mark.slow
def test_export_writes_a_file_for_others(tmp_path, capsys):
    from common.config.yaml_file import load_config
    from superres.config import Config
    from superres.files import save_model
    from superres.network import get_model

    stage = "train.stages=[{crop: 64, bs: 2, epochs: 1, lr: 1e-3}]"
    for name, words in (
        ("theirs", "model={network: spandrel, architecture: Compact, options: {num_feat: 8, num_conv: 2}}"),
        ("ours", "model={encoder: resnet18, pretrained: false}"),
    ):
        config = load_config(Config, None, [words, "loss.l1=1", stage])
        save_model(tmp_path / f"{name}.safetensors", get_model(config.model, 2), config)
    out = tmp_path / "2x_mine.safetensors"
    assert not run_here("superres.export", tmp_path / "theirs.safetensors", "--spandrel", out)
    assert ModelLoader().load_from_file(out).scale == 2
    assert run_here("superres.export", tmp_path / "theirs.safetensors", "--spandrel", out) == 2
    assert "exists; add --overwrite" in capsys.readouterr().err
    assert run_here("superres.export", tmp_path / "ours.safetensors", "--spandrel", tmp_path / "x.safetensors") == 2
    assert "--spandrel is for models with network: spandrel" in capsys.readouterr().err
    assert run_here("superres.export", tmp_path / "ours.safetensors") == 2
    assert "give one of -o FILE.onnx, --share OUT.safetensors and --spandrel OUT.safetensors" in capsys.readouterr().err
    assert not run_here("superres.export", tmp_path / "theirs.safetensors", "-o", tmp_path / "model.onnx")
    assert run_here("superres.predict", out, tmp_path / "gone.png", "-o", tmp_path / "y.png") == 2


def test_a_network_that_returns_more_than_the_picture(tmp_path):
    torch.manual_seed(0)
    network = FBCNN(in_nc=3, out_nc=3)
    torch.save(network.state_dict(), tmp_path / "theirs.pth")
    model = load_any_model(tmp_path / "theirs.pth")
    assert enhance(model, photo(24, 32), 1, grid=model.grid).shape == (24, 32, 3)
