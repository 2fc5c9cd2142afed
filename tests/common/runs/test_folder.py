import pytest

from common.config.sections import OutputConfig
from common.runs.folder import make_folder_for
from common.runtime.errors import UserError


def test_two_runs_of_one_second_have_two_folders(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda *_: "now")
    names = [make_folder_for(OutputConfig(path=tmp_path), "demo").name for _ in range(3)]
    assert names == ["demo_now", "demo_now_2", "demo_now_3"]
    make_folder_for(OutputConfig(path=tmp_path, name="mine"), "demo")
    with pytest.raises(UserError, match="mine: exists, and a run never overwrites another"):
        make_folder_for(OutputConfig(path=tmp_path, name="mine"), "demo")
