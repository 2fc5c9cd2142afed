"""What models are called where several are shown."""

import os
from collections.abc import Sequence
from pathlib import Path


def name_models(paths: Sequence[Path]) -> dict[str, Path]:
    """{name: file}: a run's folder, or the file's name; where two are alike, the end of the path."""
    paths, given = [Path(os.path.abspath(path)) for path in paths], paths  # noqa: PTH100 (links keep their names)
    names = [path.parent.name if path.name == "model.safetensors" else path.stem for path in paths]
    for length in range(2, max(len(path.parts) for path in paths) + 1):
        again = {name for name in names if names.count(name) > 1}
        names = [
            "/".join(path.parts[-length:]) if name in again else name for name, path in zip(names, paths, strict=True)
        ]
    return dict(zip(names, given, strict=True))
