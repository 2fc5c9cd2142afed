"""YAML as people write it."""

import re
from typing import Any

import yaml


class YamlLoader(yaml.SafeLoader):
    """YAML as people write it: `1e-3` is a number (YAML 1.2), and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key '{key}' is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


class YamlDumper(yaml.SafeDumper):
    """Quotes a string that YamlLoader would read as a number."""


for reads_or_writes in (YamlLoader, YamlDumper):
    reads_or_writes.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )
