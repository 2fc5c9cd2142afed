"""Which photos are held out."""

from pathlib import Path
from unicodedata import normalize

import pytest

from common.batches.block import count_steps, steps_of_epochs
from common.batches.folders import PhotoSplit, draw_number, find_photos, split_photos
from common.config.yaml_file import load_config
from common.runtime.errors import UserError
from superres.config import Config


def test_a_split_by_part_is_the_same_for_the_same_seed(photos):
    paths = find_photos(photos)
    train, valid = split_photos(paths, 0.3, seed=1, folder=photos)
    assert sorted(train + valid) == paths
    assert split_photos(paths, 0.3, seed=1, folder=photos) == (train, valid)
    assert any(split_photos(paths, 0.3, seed=seed, folder=photos) != (train, valid) for seed in range(2, 6))


def test_of_many_held_out_photos_some_from_everywhere_are_measured():
    held_out = [Path(f"{i:03}.jpg") for i in range(250)]
    assert PhotoSplit([], held_out).to_measure(100) == [held_out[i * 250 // 100] for i in range(100)]
    assert PhotoSplit([], held_out).to_measure(3) == [held_out[0], held_out[83], held_out[166]]
    assert PhotoSplit([], held_out[:7]).to_measure(7) == held_out[:7]


def names(n, folder=Path("x")):
    return [folder / f"album/{i:04}.jpg" for i in range(n)]


def test_photos_that_come_or_go_move_no_other_to_the_other_side():
    before = set(split_photos(names(1000), 0.1, seed=0, folder=Path("x")).held_out)
    assert 70 < len(before) < 130  # a hundred, give or take three standard deviations
    more = [Path("x/0.jpg"), Path("x/new/0.jpg"), *names(1500)]
    assert set(split_photos(more, 0.1, seed=0, folder=Path("x")).held_out) & set(names(1000)) == before
    fewer = names(1000)[::3]
    assert set(split_photos(fewer, 0.1, seed=0, folder=Path("x")).held_out) == before & set(fewer)


def test_a_split_does_not_depend_on_where_the_folder_is():
    here, there = Path("/here"), Path("/there/photos")
    held_out = split_photos(names(99, here), 0.2, seed=0, folder=here).held_out
    moved = split_photos(names(99, there), 0.2, seed=0, folder=there).held_out
    assert [path.relative_to(here) for path in held_out] == [path.relative_to(there) for path in moved]


@pytest.mark.parametrize("part", [1e-9, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("n", [2, 3, 11])
def test_a_split_by_part_leaves_a_photo_on_each_side(part, n):
    for seed in range(20):
        train, held_out = split_photos(names(n), part, seed, Path("x"))
        assert train
        assert held_out
        if n > 2:
            assert (len(held_out) == 1, len(train) == 1) == (part == 1e-9, part == 1 - 1e-9) or part == 0.5


def test_photos_that_are_the_same_go_to_one_side_with_a_line(caplog):
    folder, paths = Path("x"), names(40)
    _, held_out = split_photos(paths, 0.3, seed=0, folder=folder)
    assert len(held_out) > 2
    pair = [next(path for path in paths if path not in held_out), held_out[0]]
    train, fewer = split_photos(paths, 0.3, seed=0, folder=folder, doubles=[pair])
    assert fewer == held_out[1:]
    assert set(pair) <= set(train)
    one, other = sorted(path.relative_to(folder).as_posix() for path in pair)
    assert caplog.messages == [
        f"WARNING: photos that are the same would be held out and trained on: {one} = {other}: all of them are "
        "trained on"
    ]
    _, named = split_photos(paths, [pair[0].name], seed=0, folder=folder, doubles=[pair])
    assert named == sorted(pair)
    assert caplog.messages[1].endswith("all of them are held out")
    lowest, *_, highest = sorted(paths, key=lambda path: draw_number(0, path.relative_to(folder).as_posix()))
    few = [lowest, highest, *sorted(set(paths) - {lowest, highest})[:1]]
    doubles = [[path for path in few if path != highest]]
    _, held_out_too = split_photos(few, 1e-9, seed=0, folder=folder, doubles=doubles)  # as one side must have some
    assert set(held_out_too) == set(doubles[0])
    assert caplog.messages[2].endswith("all of them are held out")
    caplog.clear()
    split_photos(paths, 0.3, seed=0, folder=folder, doubles=[held_out])  # together already
    assert caplog.messages == []


def test_a_folder_of_one_photo_in_many_copies_is_split_all_the_same_and_says_so(caplog):
    train, held_out = split_photos(names(6), 0.3, seed=0, folder=Path("x"), doubles=[names(6)])
    assert len(train) + len(held_out) == 6
    assert caplog.messages == [
        "WARNING: photos that are the same would be held out and trained on: album/0000.jpg = album/0001.jpg = "
        "album/0002.jpg = ...: they are, since all photos look alike"
    ]


def test_a_split_by_names_and_patterns(photos):
    (photos / "test").mkdir()
    (photos / "0.png").rename(photos / "test" / "0.png")
    (photos / "1.png").rename(photos / "a [1].png")
    _, valid = split_photos(find_photos(photos), ["test/*", "3.png", "a [1].png"], seed=0, folder=photos)
    assert [path.name for path in valid] == ["3.png", "a [1].png", "0.png"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_match_in_either_form_of_unicode(tmp_path, form):
    """Macs write é as two characters, keyboards as one."""
    paths = [tmp_path / normalize(form, "café") / f"{i}é.png" for i in range(3)]
    for pattern in ("café/0é.png", "c*é/0?.png", "0é.png"):
        for written in (normalize("NFC", pattern), normalize("NFD", pattern)):
            assert split_photos(paths, [written], 0, tmp_path).held_out == paths[:1]


def test_names_are_drawn_alike_in_both_forms_of_unicode():
    forms = [[Path("x", normalize(form, f"é{i}.jpg")) for i in range(200)] for form in ("NFC", "NFD")]
    one, other = (split_photos(paths, 0.3, 0, Path("x")).held_out for paths in forms)
    assert [path.name for path in one] == [normalize("NFC", path.name) for path in other]


@pytest.mark.parametrize(("valid", "message"), [
    (["7.png"], "'7.png' matches no photo"),
    (["*"], "0 are left to train on and 6 are held out"),
])  # fmt: skip
def test_impossible_splits_are_errors(photos, valid, message):
    with pytest.raises(UserError, match=message):
        split_photos(find_photos(photos), valid, seed=0, folder=photos)


def test_steps_of_epochs_are_those_of_their_stages():
    stages = "train.stages=[{crop: 64, bs: 16, epochs: 2, lr: 1e-3}, {crop: 64, bs: 4, epochs: 1, lr: 1e-3}]"
    config = load_config(Config, None, [stages, "loss.l1=1", "data.crops_per_photo=1"])
    assert steps_of_epochs(320, config) == [20, 20, 80]
    assert count_steps(320, config) == 120
