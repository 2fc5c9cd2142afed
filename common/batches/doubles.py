"""Photos that stand in a folder more than once: the same file, or the same picture at another size.

One of them held out and another one trained on would make the figures of held-out photos too good.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE = 16  # of the tiny copies that are compared
SAME = 0.98  # correlation of two tiny copies; that of different photos of Set5, Set14 and BSD100 is below 0.91


class Looks:
    """A function that opens photos, made to remember how each one looks, which costs little then.

    (The package imagehash does this with 64 bits, which many skies share, and brings PyWavelets along.)
    """

    def __init__(self, open_photo: Callable[[Path], Image.Image]) -> None:
        self.open = open_photo
        self.seen: dict[Path, np.ndarray] = {}  # (SIDE * SIDE,) of mean 0 and length 1; nothing of plain pictures

    def __call__(self, path: Path) -> Image.Image:
        photo = self.open(path)
        tiny = photo.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3).convert("L")
        look = np.asarray(tiny, dtype=np.float32).ravel()
        look -= look.mean()
        if (length := np.linalg.norm(look)) > SIDE:  # a contrast of one level, which is noise
            self.seen[path] = look / length
        return photo


def find_doubles(paths: Sequence[Path], looks: Mapping[Path, np.ndarray]) -> list[list[Path]]:
    """Groups of photos that are the same file, or, of those that `looks` has, the same picture at another size."""
    number = {path: i for i, path in enumerate(paths)}
    pairs = [(number[group[0]], number[path]) for group in same_files(paths) for path in group[1:]]
    seen = [path for path in paths if path in looks]
    if seen:
        tiny = np.stack([looks[path] for path in seen])
        pairs += [(number[seen[i]], number[seen[j]]) for i, j in np.argwhere(np.triu(tiny @ tiny.T > SAME, 1))]
    if not pairs:
        return []
    ends = tuple(np.array(pairs).T)
    _, labels = connected_components(coo_array((np.ones(len(pairs)), ends), (len(paths), len(paths))))
    return by_key(paths, lambda path: labels[number[path]])


def same_files(paths: Sequence[Path]) -> list[list[Path]]:
    """Groups of files with the same bytes; few are read as a whole."""
    groups = [list(paths)]
    for key in (size_of, middle_of, digest_of):
        groups = [same for group in groups for same in by_key(group, key)]
    return groups


def by_key(paths: Sequence[Path], key: Callable[[Path], Hashable]) -> list[list[Path]]:
    """The paths with the same key, where these are two or more."""
    groups: dict[Hashable, list[Path]] = defaultdict(list)
    for path in paths:
        with suppress(OSError):  # a file that vanished just now is not twice here
            groups[key(path)].append(path)
    return [group for group in groups.values() if len(group) > 1]


def size_of(path: Path) -> int:
    return path.stat().st_size


def middle_of(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(path.stat().st_size // 2)
        return file.read(4096)


def digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file_digest(file, "blake2b").digest()
