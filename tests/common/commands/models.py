"""An untrained model file, small and fast."""

from superres.config import Config
from superres.files import save_model
from superres.network import get_model


def write_model(path, **model):
    """Writes a 2x model; model: of the section `model`, an SRCNN if nothing is said."""
    config = Config.model_validate({
        "data": {"path": path.parent}, "model": model or {"network": "srcnn"}, "loss": {"l1": 1},
        "train": {"stages": [{"crop": 32, "bs": 1, "epochs": 1, "lr": 1e-3}]},
    })  # fmt: skip
    save_model(path, get_model(config.model, scale=2), config)
    return path
