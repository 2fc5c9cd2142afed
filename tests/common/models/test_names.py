from pathlib import Path

from common.models.names import name_models


def test_models_have_different_names():
    paths = [Path("runs/a/model.safetensors"), Path("b.safetensors"), Path("x/c.safetensors"), Path("y/c.safetensors")]
    assert list(name_models(paths)) == ["a", "b", "x/c.safetensors", "y/c.safetensors"]
    runs = [Path(f"/home/me/{x}/run/model.safetensors") for x in "xy"]
    assert list(name_models(runs)) == ["x/run/model.safetensors", "y/run/model.safetensors"]


def test_a_model_in_the_current_folder_is_called_after_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert name_models([Path("model.safetensors")]) == {tmp_path.name: Path("model.safetensors")}
    Path("run").mkdir()
    Path("run/model.safetensors").touch()
    Path("best.safetensors").symlink_to("run/model.safetensors")
    assert list(name_models([Path("best.safetensors"), Path("run/../run/model.safetensors")])) == ["best", "run"]
