"""A folder of everything wrong that users have given to programs like this one."""

import json
import os
import pickle
import shutil
import struct
import zlib

import numpy as np
import safetensors.torch
import torch
from PIL import Image

from common.config.yaml_file import load_config, save_config
from common.models.model_file import METADATA_KEY, write_model_file
from common.photos.deep_files import write_png, write_tiff
from common.photos.tags import Tags
from superres.config import Config
from superres.files import save_model
from superres.network import get_model


class Harmful:
    """Unpickled, it makes a folder: what a pickle can do to those who open it."""

    def __reduce__(self):
        return os.mkdir, ("harm_done",)


def make_folder(folder):
    """Fills `folder` with photos, configs, model files and runs, most of them broken in one way."""
    (folder / "run").mkdir()  # the name of a run that exists
    (folder / "file").write_text("x")
    make_photos(folder / "photos", folder / "bad", folder / "none")
    config = make_configs(folder)
    make_model_files(folder, config)
    make_runs(folder, config)


def make_photos(good, bad, none):
    for path in (good, bad, none):
        path.mkdir()
    (none / "notes.txt").write_text("x")
    noise = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(noise.integers(0, 256, (40, 48, 3), np.uint8)).save(good / f"{i}.png")
    Image.new("RGB", (1, 1)).save(bad / "dot.png")
    Image.new("RGB", (1, 5000)).save(bad / "line.png")
    Image.new("F", (40, 40)).save(bad / "float.tif")
    (bad / "truncated.png").write_bytes((good / "0.png").read_bytes()[:1000])
    (bad / "empty.jpg").write_bytes(b"")
    (bad / "text.jpg").write_text("hello")
    (good / "1.png").rename(good / "1.jpg")  # mislabelled, but a picture
    size = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", size), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")
    (bad / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))


def make_odd_photos(folder):
    """Fills `folder` with 48 x 40 photos, each of another kind, all of which can be used."""
    folder.mkdir()
    deep = np.random.default_rng(0).integers(0, 65536, (40, 48, 3)).astype(np.uint16)
    write_png(folder / "rgb16.png", deep, {})
    write_tiff(folder / "rgb16.tif", deep, Tags())
    write_png(folder / "rgba16.png", np.dstack([deep, deep[..., :1]]), {})
    for name in ("grey16.png", "grey16.tif"):
        Image.fromarray(deep[..., 0]).save(folder / name)
    photo = Image.fromarray((deep >> 8).astype(np.uint8))
    for mode, name in (
        ("CMYK", "cmyk.jpg"),
        ("CMYK", "cmyk.tif"),
        ("LAB", "lab.tif"),
        ("L", "grey.jpg"),
        ("LA", "transparent_grey.png"),
        ("RGBA", "transparent.webp"),
        ("1", "black_and_white.png"),
        ("P", "palette.gif"),
    ):
        photo.convert(mode).save(folder / name)
    photo.convert("P").save(folder / "one_color_transparent.png", transparency=3)
    for name in ("frames.gif", "pages.tif"):
        photo.save(folder / name, save_all=True, append_images=[photo.rotate(180)])
    for suffix in (".bmp", ".jp2", ".ppm", ".tga"):
        photo.save(folder / f"photo{suffix}")


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def make_configs(folder):
    (folder / "small.yaml").write_text(
        f"data: {{path: {folder}/photos}}\nmodel: {{encoder: resnet18, pretrained: false}}\nloss: {{l1: 1}}\n"
        "train: {device: cpu, stages: [{crop: 32, bs: 2, epochs: 1, lr: 1e-3}]}\n"
        f"output: {{path: {folder}, name: run}}\n"
    )
    for name, variants in {
        "study": "{a: {}, b: {model.norm: batch}}",
        "lonely": "{a: {}}",
        "names": "{a/b: {}, c: {model.norm: batch}}",
        "taken": "{target: {}, b: {model.norm: batch}}",
        "fast": "{a: {}, b: {train.precision: fp16}}",
        "wrong": "{a: {}, b: {loss.l2: 1}}",
        "unfair": "{a: {}, b: {data.crops_per_photo: 9}}",
        "vgg": "{a: {}, b: {loss: {vgg: D/none.pth, features: {weight: 1, layers: {relu1_2: 1}}}}}",
    }.items():
        variants = variants.replace("D", str(folder))
        (folder / f"{name}.yaml").write_text(f"base: small.yaml\nvariants: {variants}\n")
    (folder / "baseless.yaml").write_text("base: none.yaml\nvariants: {a: {}, b: {model.norm: batch}}\n")
    (folder / "colour_study").mkdir()
    (folder / "colour_study/study.yaml").write_text(
        "{task: colorize, name: x, command: [], vgg: null, lpips: null, variants: {}}\n"
    )
    (folder / "broken.yaml").write_text("train: {stages: [\n")
    (folder / "twice.yaml").write_text("loss: {l1: 1, l1: 2}\n")
    (folder / "list.yaml").write_text("- 1\n")
    (folder / "latin.yaml").write_bytes(b"# caf\xe9\n")
    (folder / "empty.yaml").write_text("")
    return load_config(Config, folder / "small.yaml")


def make_model_files(folder, config):
    save_model(folder / "model.safetensors", get_model(config.model, 2), config)
    (folder / "cut.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-1000])
    (folder / "empty.safetensors").write_bytes(b"")
    write_model_file(folder / "other.safetensors", torch.nn.Linear(1, 1), "colorize", {})
    weights = {"a": torch.zeros(1)}
    safetensors.torch.save_file(weights, folder / "foreign.safetensors")
    model = {"encoder": "resnet18", "pretrained": False}
    for name, version, section in (("newer", 99, {}), ("unfit", 2, model), ("strange", 2, {"encoder": "resnet1"})):
        about = {"format_version": version, "task": "superres", "config": {"model": section, "data": {}}}
        safetensors.torch.save_file(weights, folder / f"{name}.safetensors", {METADATA_KEY: json.dumps(about)})
    (folder / "export.pkl").write_bytes(pickle.dumps(Harmful()))
    (folder / "renamed.safetensors").write_bytes(pickle.dumps(Harmful()))
    torch.save({"x": Harmful()}, folder / "evil.pth")


def make_runs(folder, config):
    (folder / "started").mkdir()
    for name, task in (("earlier", "superres"), ("colours", "colorize")):
        (folder / name / "checkpoints").mkdir(parents=True)
        save_config(config, folder / name / "config.yaml")
        (folder / name / "environment.json").write_text(json.dumps([{"task": task}]))
        photos = {"train": ["0.png", "1.jpg"], "held out": ["2.png"]}
        (folder / name / "photos.json").write_text(json.dumps(photos))
    for name in ("torn", "evil", "strange", "photoless"):
        shutil.copytree(folder / "earlier", folder / name)
    (folder / "torn/checkpoints/resume.pt").write_bytes(b"torn")
    torch.save({"format_version": 1, "x": Harmful()}, folder / "evil/checkpoints/resume.pt")
    torch.save({"format_version": 1, "weights": torch.zeros(1)}, folder / "strange/checkpoints/resume.pt")
    (folder / "photoless/photos.json").write_text("[]")
