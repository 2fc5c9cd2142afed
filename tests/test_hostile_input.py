"""Everything wrong that users have given to programs like this one: each has its message, and ends with status 2.

`hostile.txt` has the commands and all that they say. D is the folder of the fixture; ... stands for the words of
others: pydantic, PyYAML, safetensors, torch, argparse and the system. After a change of wording,
`pytest -n 0 --rewrite tests/test_hostile_input.py` writes the file anew.
"""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from common.batches.folders import find_photos
from common.runtime.errors import UserError
from tests.commands import raise_here, run_here
from tests.hostile import make_folder
from tests.hostile_videos import NO_VIDEOS, make_videos
from tests.videos import frames_of

WORDING = Path(__file__).with_name("hostile.txt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    make_folder(folder)
    make_videos(folder / "videos")
    return folder


def read_wording():
    """(the words of a command, what it says) of each block."""
    blocks = WORDING.read_text(encoding="utf-8").strip().removeprefix("$ ").split("\n\n$ ")
    return [tuple(block.split("\n", 1)) for block in blocks]


def rewrite(words, message):
    blocks = [(known, message if known == words else said) for known, said in read_wording()]
    text = "\n\n".join(f"$ {known}\n{said}" for known, said in blocks)
    WORDING.write_text(text + "\n", encoding="utf-8")


@pytest.mark.parametrize(("words", "message"), read_wording())
def test_hostile_input(folder, tmp_path, monkeypatch, capsys, request, words, message):
    monkeypatch.chdir(tmp_path)
    before = sorted(folder.rglob("*"))
    assert run_here(*shlex.split(words.replace("D", str(folder)))) == 2
    said = capsys.readouterr().err.strip().replace(str(folder), "D")
    pattern = ".+".join(map(re.escape, message.split("...")))
    if request.config.getoption("--rewrite") and not re.fullmatch(pattern, said, re.DOTALL):
        rewrite(words, said)
    else:
        assert re.fullmatch(pattern, said, re.DOTALL), said
    assert not (tmp_path / "harm_done").exists()
    assert [path for path in sorted(folder.rglob("*")) if path not in before and path.name != ".lock"] == []


def test_a_folder_of_hostile_photos_gives_a_line_for_each_and_results_for_the_rest(folder, tmp_path, caplog):
    assert run_here("superres.predict", folder / "model.safetensors", folder / "bad", "-o", tmp_path / "out") == 1
    said = [message.replace(f"{folder}/bad/", "") for message in caplog.messages if message.startswith("failed")]
    bomb, *others, truncated = said
    assert bomb.startswith("failed bomb.png: more than 500 megapixels")
    assert others == [
        "failed empty.jpg: the file is empty",
        "failed float.tif: floating-point pictures have no defined white; save it with 8 or 16 bits",
        "failed text.jpg: not a picture that Pillow can read",
    ]
    assert truncated.startswith("failed truncated.png: broken (")
    assert caplog.messages[-1] == "5 of 7 photos failed"
    sizes = {path.name: Image.open(path).size for path in find_photos(tmp_path / "out")}
    assert sizes == {"dot.png": (2, 2), "line.png": (2, 10000)}


def test_a_folder_of_hostile_videos_gives_a_line_for_each_and_results_for_the_rest(folder, tmp_path, caplog):
    assert run_here("superres.predict", folder / "model.safetensors", folder / "videos", "-o", tmp_path / "out") == 1
    said = [message.replace(f"{folder}/videos/", "") for message in caplog.messages]
    failed = [message.removeprefix("failed ") for message in said if message.startswith("failed")]
    assert failed == [f"{name}: {message}" for name, message in sorted(NO_VIDEOS.items())]
    assert f"{len(NO_VIDEOS)} of {len(NO_VIDEOS) + 3} videos failed" in said
    assert any(message.startswith("cut.mkv: ends after") for message in said)
    videos = {path.name: frames_of(path) for path in sorted((tmp_path / "out").glob("*.m*"))}
    assert {name: (frames[0].width, frames[0].height) for name, frames in videos.items()} == {
        "cut.mkv": (128, 96),
        "odd.mp4": (130, 94),
        "one.mp4": (128, 96),
    }
    assert len(videos["odd.mp4"]) == 3
    assert len(videos["one.mp4"]) == 1
    assert 10 < len(videos["cut.mkv"]) < 30


def test_a_pickle_is_opened_on_request_only(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    predict = ["superres.predict", folder / "export.pkl", folder / "photos", "-o", tmp_path / "out"]
    assert run_here(*predict) == 2
    assert not (tmp_path / "harm_done").exists()
    capsys.readouterr()
    assert run_here(*predict, "--trust-pickle") == 2
    assert (tmp_path / "harm_done").exists()  # this is what was asked for
    assert "export.pkl: cannot be read as an exported learner" in capsys.readouterr().err


def test_debug_shows_the_traceback(folder):
    with pytest.raises(UserError, match="no such model file"):
        raise_here("superres.predict", folder / "nothing", folder / "photos", "-o", folder / "out", "--debug")
