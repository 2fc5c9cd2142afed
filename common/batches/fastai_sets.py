"""Data sets of fastai's list, as `fastai:PETS`: fetched once, into the folder that fastai keeps them in."""

import logging
from pathlib import Path

from fastai.data.external import URLs, untar_data

from common.runtime.errors import UserError
from common.runtime.nearest import did_you_mean

log = logging.getLogger(__name__)

PREFIX = "fastai:"


def fetch_photos(path: Path) -> Path:
    """`path`, or for `fastai:NAME` the folder of that data set's pictures, which is fetched if it is not there.

    That is its folder `images`, if it has one: others hold labels that are pictures, too. `fastai:NAME/folder` is
    another one. Raises UserError if there is no such data set, or it cannot be fetched.
    """
    if not str(path).startswith(PREFIX):
        return path
    name, *folders = path.as_posix().removeprefix(PREFIX).split("/")
    names = [key for key, url in vars(URLs).items() if isinstance(url, str) and url.endswith((".tgz", ".zip"))]
    if name not in names:
        hint = did_you_mean(name, names) or f", such as {PREFIX}PETS"
        raise UserError(f"data.path = {path}: fastai has no data set '{name}'{hint}")
    url = getattr(URLs, name)
    try:
        folder = untar_data(url)
    except Exception as error:  # of the network, of the archive, or fastai's own for a wrong checksum
        raise UserError(
            f"data.path = {path}: cannot be fetched ({error}). Fetch {url} on another machine, unpack it here, and set "
            "data.path to its folder"
        ) from None
    if not folders and (folder / "images").is_dir():
        folders = ["images"]
    photos = folder.joinpath(*folders)
    log.info("%s: %s", path, photos)
    return photos
