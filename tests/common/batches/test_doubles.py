import shutil

import numpy as np
from PIL import Image

from common.batches.block import find_and_split_photos
from common.batches.doubles import Looks, find_doubles, middle_of, same_files
from common.batches.folders import find_photos, sample_photos
from common.config.sections import PhotosConfig, StageConfig, TrainConfig
from common.photos.flat import open_photo


def doubles_of(folder):
    looks, paths = Looks(open_photo), find_photos(folder)
    for path in paths:
        looks(path)
    return [[path.name for path in group] for group in find_doubles(paths, looks.seen)]


def test_the_same_picture_is_found_at_another_size_and_after_jpeg(tmp_path):
    for path in sample_photos():
        shutil.copy(path, tmp_path)
    assert doubles_of(tmp_path) == []  # not even the two motorcycles, seen from two places
    for name in ("coffee", "chelsea"):
        photo = Image.open(tmp_path / f"{name}.png")
        photo.resize((photo.width * 37 // 100, photo.height * 37 // 100)).save(tmp_path / f"{name}_small.png")
        photo.save(tmp_path / f"{name}_30.jpg", quality=30)
    assert doubles_of(tmp_path) == [
        ["chelsea.png", "chelsea_30.jpg", "chelsea_small.png"],
        ["coffee.png", "coffee_30.jpg", "coffee_small.png"],
    ]


def test_plain_pictures_are_the_same_only_as_files(tmp_path):
    for i, color in enumerate(("black", "white", "red")):
        Image.new("RGB", (64, 64), color).save(tmp_path / f"{i}.png")
    shutil.copy(tmp_path / "1.png", tmp_path / "copy.png")
    assert doubles_of(tmp_path) == [["1.png", "copy.png"]]


def test_only_files_of_one_size_are_read_and_only_those_alike_as_a_whole(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).bytes(100_000)
    end = noise[:-1] + bytes([noise[-1] ^ 1])
    middle = bytearray(noise)
    middle[50_001] ^= 1
    contents = {"a": noise, "b": end, "c": bytes(middle), "d": noise[:-1], "e": noise}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = sorted(tmp_path.iterdir())
    assert same_files(paths) == [[tmp_path / "a", tmp_path / "e"]]
    assert middle_of(tmp_path / "a") == middle_of(tmp_path / "b") != middle_of(tmp_path / "c")
    (tmp_path / "e").unlink()  # meanwhile
    assert same_files(paths) == []


def test_a_photo_that_stands_six_times_in_the_folder_is_on_one_side(photos, caplog):
    for i in range(6):
        shutil.copy(photos / "0.png", photos / f"copy_{i}.png")
    photo = Image.open(photos / "1.png")
    photo.resize((160, 144)).save(photos / "large_1.png")
    train = TrainConfig(stages=[StageConfig(crop=32, bs=1, epochs=1, lr=1e-3)])
    copies = {"0.png", *(f"copy_{i}.png" for i in range(6))}
    for part, seed in ((part, seed) for part in (0.2, 0.5) for seed in range(5)):
        split = find_and_split_photos(
            PhotosConfig(path=photos, valid=part), train.model_copy(update={"seed": seed}), open_photo
        )
        held_out = {path.name for path in split.held_out}
        assert not copies & held_out or copies <= held_out
        assert len({"1.png", "large_1.png"} & held_out) != 1
    assert any("0.png = copy_0.png = copy_1.png" in message for message in caplog.messages)
