"""Every command that takes a picture, a folder of photos or a model, with every kind of them."""

import re
import shlex

import numpy as np
import pytest
from PIL import Image

from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config
from common.photos.whole import read_photo
from styletransfer.config import Config as StyleConfig
from styletransfer.files import save_model as save_stylizer
from styletransfer.network import get_model as get_stylizer
from superres.config import Config
from superres.files import save_model
from superres.network import get_model
from tests.commands import run_here
from tests.hostile import make_configs, make_model_files, make_odd_photos, make_photos
from tests.hostile_videos import write_sound

ONE_LAYER = "'loss={vgg: random, features: {weight: 1, layers: {relu1_1: 1}}, gram: {weight: 1, layers: {relu1_1: 1}}}'"
STAGE = "'train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1e-3}]'"
STYLE_RUN = f"data.path=D/photos data.valid=0.4 {ONE_LAYER} {STAGE} model.johnson.width=4"
SMALL_RUN = "D/small.yaml 'model={network: srcnn}'"

BAD_PICTURES = {  # a file: what is said of it, as a pattern
    "bad/dot.png": "1 x 1 px; each side must have at least",
    "bad/line.png": "px; each side must have at least",
    "bad/float.tif": "floating-point pictures have no defined white; save it with 8 or 16 bits",
    "bad/truncated.png": r"broken \(",
    "bad/empty.jpg": "the file is empty",
    "bad/text.jpg": "not a picture that Pillow can read",
    "bad/bomb.png": "more than 500 megapixels",
    "sound.mp4": "not a picture that Pillow can read",
    "painter.safetensors": "not a picture that Pillow can read",
    "nothing.png": "(no such file|not found)",
    "folder.png": "(a|this) folder",
}
WITH_A_PICTURE = {
    "optimize": f"styletransfer.optimize FILE D/photos/0.png -o new.png {ONE_LAYER}",
    "optimize's style": f"styletransfer.optimize D/photos/0.png FILE -o new.png {ONE_LAYER}",
    "heatmaps": "common.heatmaps FILE -o new.png --vgg random",
    "heatmaps' second": "common.heatmaps FILE FILE -o new.png --vgg random",
    "evaluate --style": "styletransfer.evaluate D/painter.safetensors --data D/photos --style FILE --size 32 -o new",
    "style.image of lr_find": f"styletransfer.lr_find {STYLE_RUN} style.image=FILE -o new.png",
    "style.image of train": f"styletransfer.train {STYLE_RUN} style.image=FILE output.path=new",
    "one style of several": f"styletransfer.train {STYLE_RUN} 'style.image=[FILE,D/photos/0.png]' output.path=new",
    "style.add": f"styletransfer.train {STYLE_RUN} style.add=true style.image=[FILE] output.path=new "
    "train.start_from=D/several.safetensors",
}

BAD_MODELS = {
    "nothing.safetensors": "no such",
    "cut.safetensors": "not a complete .safetensors file|cannot be read as a file of weights",
    "empty.safetensors": "not a complete .safetensors file|cannot be read as a file of weights",
    "renamed.safetensors": "not a complete .safetensors file|cannot be read as a file of weights",
    "foreign.safetensors": "neither a model|no config in it|not an? |does not fit",
    "export.pkl": "a pickle|cannot be read as",
    "evil.pth": "a pickle|cannot be read as",
    "photos/0.png": "not a complete .safetensors file|cannot be read as",
    "sound.mp4": "not a complete .safetensors file|cannot be read as",
    "small.yaml": "not a complete .safetensors file|cannot be read as",
    "photos": "no such",
}
WITH_A_MODEL = {
    "evaluate": "superres.evaluate FILE --data D/photos -o new",
    "evaluate --blend": "superres.evaluate D/tiny.safetensors --blend FILE --data D/photos -o new",
    "evaluate --vgg": "superres.evaluate --baseline bicubic --scale 2 --data D/photos --vgg FILE -o new",
    "evaluate --lpips": "superres.evaluate --baseline bicubic --scale 2 --data D/photos --lpips FILE -o new",
    "export": "superres.export FILE -o new.onnx",
    "app": "superres.app FILE",
    "train.start_from": f"superres.train {SMALL_RUN} train.start_from=FILE output.path=new",
    "train.start_from of lr_find": f"superres.lr_find {SMALL_RUN} train.start_from=FILE -o new.png",
    "model.pretrained": "superres.train D/small.yaml model.pretrained=FILE output.path=new",
    "a painter": "styletransfer.evaluate FILE --data D/photos -o new",
    "a painter to add to": f"styletransfer.train {STYLE_RUN} style.add=true style.image=[D/photos/0.png] "
    "train.start_from=FILE output.path=new",
    "a colorizer": "colorize.evaluate FILE --data D/photos -o new",
    "predict": "colorize.predict FILE D/photos -o new",
    "gallery": "superres.gallery D/tiny.safetensors FILE --data D/photos -o new.html",
}

WITH_A_FOLDER = {
    "predict": "superres.predict D/tiny.safetensors FOLDER -o new",
    "paint": "styletransfer.predict D/painter.safetensors FOLDER -o new",
    "evaluate": "superres.evaluate D/tiny.safetensors --data FOLDER -o new",
    "evaluate paintings": "styletransfer.evaluate D/painter.safetensors --data FOLDER --style D/photos/0.png --size 32 "
    "-o new",
    "evaluate grey": "colorize.evaluate --baseline grey --data FOLDER -o new",
    "--damages": "superres.evaluate D/tiny.safetensors --damages --data FOLDER -o new",
    "--blend --steps": "superres.evaluate D/tiny.safetensors --blend D/tiny.safetensors --steps 2 --data FOLDER -o new",
    "show_data": "superres.show_data D/small.yaml data.path=FOLDER data.valid=0.1 -o new.png",
    "show colours": f"colorize.show_data loss.vgg=random {STAGE} data.path=FOLDER data.valid=0.1 -o new.png",
    "show paintings": f"styletransfer.show_data {STYLE_RUN} data.path=FOLDER -o new.png",
    "lr_find": f"styletransfer.lr_find {STYLE_RUN} data.path=FOLDER --steps 20 -o new.png",
    "gallery": "superres.gallery D/tiny.safetensors --data FOLDER -o new.html",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    make_photos(folder / "photos", folder / "bad", folder / "none")
    make_odd_photos(folder / "odd")
    (folder / "folder.png").mkdir()
    write_sound(folder / "sound.mp4")
    config = make_configs(folder)
    small = load_config(Config, folder / "small.yaml", ["model={network: srcnn}"])
    save_model(folder / "tiny.safetensors", get_model(small.model, 2), small)
    style = load_config(StyleConfig, CONFIGS / "styletransfer_demo.yaml", ["model.johnson.width=4", "loss.vgg=random"])
    save_stylizer(folder / "painter.safetensors", get_stylizer(style.model), style)
    save_stylizer(folder / "several.safetensors", get_stylizer(style.model, ("night", "wave")), style)
    make_model_files(folder, config)
    return folder


@pytest.fixture
def say(folder, tmp_path, monkeypatch, capsys, caplog):
    """say(words) runs a command in an empty folder: its status and all that it says, the folder called D."""

    def run(words):
        monkeypatch.chdir(tmp_path)
        module, *arguments = shlex.split(words.replace("D/", f"{folder}/"))
        status = run_here(module, *arguments)
        said = "\n".join([*caplog.messages, capsys.readouterr().err])
        assert "should not happen" not in said and "Traceback" not in said
        return status or 0, said.replace(str(folder), "D")

    return run


@pytest.mark.parametrize("command", WITH_A_PICTURE)
@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_picture_that_is_none_is_refused_by_its_name(say, tmp_path, command, name):
    status, said = say(WITH_A_PICTURE[command].replace("FILE", f"D/{name}"))
    assert status == 2
    error = said[said.index("error: ") :]
    assert re.search(f"D/{name}: .*{BAD_PICTURES[name]}", error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", WITH_A_MODEL)
@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_model_that_is_none_is_refused_by_its_name(say, tmp_path, command, name):
    if command == "predict" and (name == "photos" or name.endswith((".png", ".mp4"))):
        pytest.skip("a photo, to be enhanced by a model in the box")
    status, said = say(WITH_A_MODEL[command].replace("FILE", f"D/{name}"))
    assert status == 2
    error = said[said.index("error: ") :]
    assert f"D/{name}" in error and re.search(BAD_MODELS[name], error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=pytest.mark.slow if name == "--damages" else []) for name in WITH_A_FOLDER]
)
def test_every_kind_of_photo_can_be_used(say, folder, tmp_path, command):
    status, said = say(WITH_A_FOLDER[command].replace("FOLDER", "D/odd"))
    said = re.sub("skipped .*: grey, there are no colours to learn", "", said)
    assert status == 0
    assert re.findall(r"(?:skipped|failed) D/.*", said) == []
    assert len(list(tmp_path.iterdir())) == 1
    if "predict" in WITH_A_FOLDER[command]:
        assert len([path for path in (tmp_path / "new").iterdir() if path.suffix]) == len(
            list((folder / "odd").iterdir())
        )


@pytest.mark.parametrize("command", WITH_A_FOLDER)
def test_a_folder_without_one_photo_that_can_be_used_is_refused(say, folder, tmp_path, command):
    status, said = say(WITH_A_FOLDER[command].replace("FOLDER", "D/bad"))
    takes_dots = "predict" in WITH_A_FOLDER[command] or command == "gallery"  # pictures of a pixel, in the same folder
    assert status == (1 if takes_dots else 2)
    for name in ("float.tif", "truncated.png", "empty.jpg", "text.jpg", "bomb.png"):
        assert len(re.findall(rf"(skipped|failed).*D/bad/{name}: ", said)) == 1


@pytest.mark.parametrize("kind", ["rgb16.png", "rgb16.tif", "rgba16.png", "grey16.png", "grey16.tif", "cmyk.tif"])
def test_a_photo_of_16_bits_is_painted_in_16_bits(say, folder, tmp_path, kind):
    words = f"styletransfer.optimize D/odd/{kind} D/photos/0.png -o new.png {ONE_LAYER} --iterations 1 --size 32"
    assert say(words)[0] == 0
    painted, photo = read_photo(tmp_path / "new.png"), read_photo(folder / "odd" / kind)
    assert painted.rgb.shape == (32, 38, 3)
    assert painted.rgb.dtype == (np.uint16 if "16" in kind else np.uint8)
    assert (painted.alpha is None) == (photo.alpha is None)


@pytest.mark.parametrize("kind", ["rgb16.tif", "cmyk.jpg", "palette.gif"])
def test_heat_maps_of_every_kind(say, tmp_path, kind):
    assert say(f"common.heatmaps D/odd/{kind} D/odd/rgb16.png -o new.png --vgg random --layers relu1_1")[0] == 0
    assert Image.open(tmp_path / "new.png").width > 100


def test_the_smallest_photo_has_a_heat_map(say, folder, tmp_path):
    Image.new("RGB", (16, 16)).save(folder / "least.png")
    assert say("common.heatmaps D/least.png -o new.png --vgg random --layers relu5_3 --channels 1")[0] == 0
