"""The pictures whose styles are learned."""

import logging
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from common.batches.folders import find_photos, sample_photos
from common.photos.flat import open_photo, shrunk_size
from common.photos.open import PhotoError
from common.photos.pixels import to_tensor
from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from common.runtime.names import in_either_form, nfc
from styletransfer.config import StyleConfig

log = logging.getLogger(__name__)

STYLE_FILE = "style.png"  # its copy in the run folder
STYLES_FOLDER = "styles"  # of several
SAMPLE_STYLE = "ihc.png"  # stained tissue under a microscope: brown hatching, pale blue dabs
MIN_SIDE = 32
BLOCK, FLAT = 16, 2.0  # pixels a side; of 255
PHOTO = "photo"  # the style of a photo as it is, for models with a dial of strength
RESERVED_NAMES = (PHOTO, "style", "prediction")  # of other pictures beside the styles'


def find_styles(config: StyleConfig) -> dict[str, Path]:
    """{name: picture} of a config, in order. A name is the file's, without its ending.

    Raises UserError if there is none, if two have one name, or a name could not be given to `--style` or in a table.
    """
    image = config.image
    if image is None:
        paths = [photo for photo in sample_photos() if photo.name == SAMPLE_STYLE]
    elif isinstance(image, list):
        paths = [path.expanduser() for path in image]
    else:
        paths = find_photos(image.expanduser()) if image.expanduser().is_dir() else [image.expanduser()]
    names = [nfc(path.stem) for path in paths]
    if len(paths) == 1 and not config.is_conditional:
        return dict(zip(names, paths, strict=True))
    everyone = [*names, *(nfc(name) for name in config.kept or [] if name != PHOTO)]
    for name in everyone:
        if everyone.count(name) > 1:
            raise UserError(f"style.image: {everyone.count(name)} styles with the name {name}; rename the files")
        if set(":,./") & set(name) or any(letter.isspace() for letter in name):
            raise UserError(
                f"style.image: {name}: a style's name may have no blank, ':', ',', '.' or '/'; rename the file"
            )
        if name in RESERVED_NAMES:
            raise UserError(f"style.image: {name}: tables call something else so; rename the file")
    return dict(zip(names, paths, strict=True))


def style_names(config: StyleConfig) -> list[str]:
    """Of a network with several styles, those it had before first; none for a network of one style.

    With a dial of strength `PHOTO` is the first.
    """
    if not config.is_conditional:
        return []
    return [*([PHOTO] if config.strength else []), *map(nfc, config.kept or []), *find_styles(config)]


def open_styles(config: StyleConfig, run: Path | None = None) -> dict[str, Image.Image]:
    """{name: picture} of the styles to learn, as `open_style` opens each."""
    styles = find_styles(config)
    return {name: open_style(config.model_copy(update={"image": path}), run, name) for name, path in styles.items()}


def save_styles(run: Path, styles: dict[str, Image.Image], config: StyleConfig) -> None:
    """Copies of the pictures in a run folder: style.png, or styles/NAME.png of each."""
    for name, picture in styles.items():
        path = style_file(run, name) if config.is_conditional else run / STYLE_FILE
        path.parent.mkdir(exist_ok=True)
        with atomic_write(path) as temporary:
            picture.save(temporary)


def style_file(run: Path, name: str) -> Path:
    """Where a run folder has one of several styles."""
    return in_either_form(run, Path(STYLES_FOLDER, f"{name}.png"))


def open_style(config: StyleConfig, run: Path | None = None, name: str = "") -> Image.Image:
    """The style picture (RGB) of a config that has one, shrunk to its size.

    run: folder of a run to continue; its own copy is used. name: of the style, if it is one of several.
    Raises UserError if the picture cannot be used.
    """
    for copy in (run / STYLE_FILE, style_file(run, name)) if run is not None else ():
        if copy.exists():
            return open_photo(copy)
    if isinstance(config.image, Path) and config.image.expanduser().is_dir():
        raise UserError(f"style.image = {config.image}: a folder; give one picture")
    (path,) = find_styles(config).values()
    try:
        picture = open_photo(path.expanduser())
    except PhotoError as error:
        raise UserError(f"style.image = {error}") from None
    short_side, size = min(picture.size), max(config.sizes)
    if short_side < MIN_SIDE:
        raise UserError(
            f"style.image = {path}: {picture.width} x {picture.height} px; each side must have at least {MIN_SIDE}"
        )
    if short_side < size:
        log.warning("style.image = %s: its short side has %d px, less than style.size = %d", path, short_side, size)
    picture = shrink(picture, size)
    warn_if_flat(path, picture)
    return picture


def shrink(picture: Image.Image, size: int) -> Image.Image:
    """With a short side of `size` pixels, if it has more."""
    height, width = shrunk_size(picture.height, picture.width, size)
    return picture.resize((width, height), reducing_gap=3)


def warn_if_flat(path: Path, picture: Image.Image) -> None:
    """A warning if there is little to learn from a style: most of it is as flat as a poster or a clear sky."""
    lightness = np.asarray(picture.convert("L"), np.float32)
    height, width = (side - side % BLOCK for side in lightness.shape)
    blocks = lightness[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    texture = float(np.median(blocks.std(axis=(1, 3))))
    if texture < FLAT:
        log.warning(
            "style.image = %s: most of it has hardly any texture (lightness varies by %.1f of 255 within %d pixels): "
            "there are few strokes to learn; a part of it that has more would do better",
            path,
            texture,
            BLOCK,
        )


def style_to_tensors(style: Image.Image, config: StyleConfig) -> list[Tensor]:
    """(1, 3, H, W) in [0, 1] for each of the config's sizes."""
    return [to_tensor(shrink(style, size)) for size in config.sizes]
