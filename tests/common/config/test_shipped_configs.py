"""The configs that come with the program, and its defaults."""

import json
from pathlib import Path

import pytest

from common.config.yaml_file import load_config
from common.runs.changes import flatten_keys
from common.studies.study import read_study
from tests.common.config.test_yaml_file import STYLE_TERM, TASKS

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_are_valid_and_say_what_to_expect(path):
    task = path.name.split("_")[0].removesuffix(".yaml")
    load_config(TASKS[task].config, path)
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert header[0] == f"# yaml-language-server: $schema={task}.schema.json"
    assert "TODO" not in path.read_text()
    for word in (f"# command:  python -m {task}.train", "# hardware: ", "# result:   "):
        assert any(line.startswith(word) for line in header), f"the header of {path.name} lacks {word}"


@pytest.mark.parametrize("path", sorted((CONFIGS / "compare").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_studies_are_valid_and_say_what_to_expect(path):
    task = {"colorize": "colorize", "style": "styletransfer"}.get(path.name.split("_")[0], "superres")
    study, _ = read_study(path, TASKS[task], [])
    text = path.read_text()
    assert "TODO" not in text
    for word in (f"command:  python -m {task}.compare configs/compare/{path.name}", "result:"):
        assert f"# {word}" in text, f"the header of {path.name} lacks {word}"
    assert len(study.variants) >= 2


@pytest.mark.parametrize("task", TASKS)
def test_the_committed_schema_is_the_current_one(task):
    assert json.loads((CONFIGS / f"{task}.schema.json").read_text()) == TASKS[task].config.model_json_schema()


@pytest.mark.parametrize(
    ("task", "needed"),
    [("superres", []), ("colorize", []), ("styletransfer", [STYLE_TERM, "model.johnson={}"]),
     ("styletransfer", [STYLE_TERM, "model.unet={}"])],
)  # fmt: skip
def test_a_key_set_to_its_default_changes_nothing(file, task, needed):
    expected = load_config(TASKS[task].config, file, needed)
    keys = flatten_keys(expected.model_dump(mode="json"))
    for key, value in keys.items():
        if value is not None:
            word = value if isinstance(value, str) else json.dumps(value)
            assert load_config(TASKS[task].config, file, [*needed, f"{key}={word}"]) == expected, key
    assert len(keys) > 30


def test_a_default_is_the_same_whatever_else_is_set(file):
    config = load_config(TASKS["colorize"].config, file, ["model.blur=false"])
    assert (config.model.encoder, config.model.norm) == ("resnet18", "weight")
