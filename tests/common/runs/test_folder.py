from pathlib import Path

import pytest

from common.commands.configs import CONFIGS
from common.config.sections import OutputConfig
from common.config.yaml_file import load_config
from common.runs.folder import make_folder_for, with_absolute_paths
from common.runtime.errors import UserError
from styletransfer.config import Config


def test_two_runs_of_one_second_have_two_folders(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda *_: "now")
    names = [make_folder_for(OutputConfig(path=tmp_path), "demo").name for _ in range(3)]
    assert names == ["demo_now", "demo_now_2", "demo_now_3"]
    make_folder_for(OutputConfig(path=tmp_path, name="mine"), "demo")
    with pytest.raises(UserError, match="mine: exists, and a run never overwrites another"):
        make_folder_for(OutputConfig(path=tmp_path, name="mine"), "demo")


def test_paths_in_a_list_become_absolute_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["style.image=[a.png, ~/b.png]", "model.johnson.width=4", "data.path=photos"]
    config = with_absolute_paths(load_config(Config, CONFIGS / "styletransfer_demo.yaml", words))
    assert config.style.image == [tmp_path / "a.png", Path.home() / "b.png"]
    assert config.data.path == tmp_path / "photos"
