"""fastai's own export of a trained model, for those who want `load_learner` and `learn.predict`.

The file is a pickle: opening it runs code from it, so open only files from people you trust. The model file
(`common.models.model_file`) holds the same model without that risk.
"""

import warnings
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import cloudpickle
import numpy as np
import torch
from fastai.callback.progress import ProgressCallback
from fastai.data.block import DataBlock, TransformBlock
from fastai.data.transforms import IntToFloatTensor
from fastai.learner import Learner, load_learner
from fastai.torch_core import TensorImage
from fastai.vision.core import PILImage, ToTensor
from fasttransform import Transform
from PIL import Image
from torch import Tensor, nn

from common.models.format_2 import is_old
from common.photos.flat import open_photo
from common.photos.whole import picture_to_photo
from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from common.runtime.finite import check_finite

Model = TypeVar("Model", bound=nn.Module)


class ToPhoto(Transform):
    """A path, PIL image or array of 8 or 16 bits (H, W), (H, W, 3) or (H, W, 4) -> PILImage, opened as photos are."""

    input_types = (str, Path, Image.Image, np.ndarray)  # what `learn.predict` takes

    def encodes(self, item: Any) -> PILImage:  # Any: fastai dispatches on this hint
        if isinstance(item, Image.Image | np.ndarray):
            image = Image.fromarray(picture_to_photo(item).rgb)
        else:
            image = open_photo(item)
        return PILImage(image)  # pyright: ignore[reportCallIssue]  # fastai's metaclass casts the image


class ToFloat(IntToFloatTensor):
    """fastai's, but converts back to 8 bits by rounding. fastai truncates: half of all pixels are one too dark.

    Raises ResultNotFinite for a result with NaN, which would be black.
    """

    def decodes(self, o: TensorImage) -> Tensor:
        return (check_finite(o).clamp(0, 1) * 255).round().long()


def import_exported_model(path: Path, model_class: type[Model]) -> Model:
    """The `model_class` in a file of `export_learner`, in eval mode on the CPU. This runs whatever code the file holds.

    Raises UserError if the file cannot be read, is of an older version, or has none in it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fastai's warning that it is a pickle: the user has just allowed one
            exported = load_learner(path).model
    except Exception as error:  # a pickle can fail with anything
        raise UserError(f"{path}: cannot be read as an exported learner ({type(error).__name__}: {error})") from None
    model = next((module for module in exported.modules() if isinstance(module, model_class)), None)
    if model is None:
        raise UserError(
            f"{path}: holds a {type(exported).__name__}, not a {model_class.__name__}: a model of another task"
        )
    if is_old(model.state_dict()):
        raise UserError(f"{path}: exported by an older version of this program; give the model.safetensors beside it")
    return model.eval()


def get_photo_learner(model: nn.Module, device: torch.device) -> Learner:
    """A fastai learner whose `predict(photo)` gives the whole photo as `model`, on the device, enhances it."""
    photo = TransformBlock(type_tfms=[ToPhoto], batch_tfms=[ToFloat])
    blank = np.zeros((64, 64, 3), np.uint8)
    block = DataBlock(blocks=[photo, photo], item_tfms=[ToTensor], splitter=lambda items: ([0], [0]))
    dls = block.dataloaders([blank], bs=1, num_workers=0, device=device)
    learn = Learner(dls, model.eval(), loss_func=nn.L1Loss(), path=".")
    learn.remove_cb(ProgressCallback)  # a bar for one photo
    return learn


def export_learner(path: Path, model: nn.Module) -> None:
    """Writes `model`, (N, 3, H, W) -> (N, 3, H', W') in [0, 1], as a learner for `fastai.learner.load_learner`.

    `learn.predict(photo)` gives the whole enhanced photo: no crop, no loss network, no training data in the file.
    model: norms folded (`common.models.model_file.fold_norms`), since a module with parametrizations cannot be pickled.
    """
    with atomic_write(path) as temporary:
        learn = get_photo_learner(model.cpu(), torch.device("cpu"))
        # What learn.export does, but for the paths: those of this system would not open on another.
        learn.dls = learn.dls.new_empty()
        learn.dls.path = learn.path = PurePosixPath(".")  # pyright: ignore[reportAttributeAccessIssue]
        torch.save(learn, temporary, pickle_module=cloudpickle)
