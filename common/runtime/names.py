"""Names that look alike: Unicode has two forms of 'é', of which Macs use the other, and some drives take A for a."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unicodedata import normalize

from common.runtime.files import temporary_name


def nfc(name: object) -> str:
    """The name with each letter and its accents as one character, as names are compared here."""
    return normalize("NFC", str(name))


def in_either_form(folder: Path, name: Path) -> Path:
    """`folder / name`, or where there is no such file, the one whose name is the same in the other form."""
    path = folder
    for part in name.parts:
        forms = (part, nfc(part), normalize("NFD", part))
        path = next((path / form for form in forms if (path / form).exists()), path / part)
    return path


def get_name_key(folder: Path) -> Callable[[object], str]:
    """A function of paths, the same for two that are one file on the drive of `folder`, which exists.

    It finds out with a file that it writes; where it cannot, all names count as different.
    """
    probe = folder / f"{temporary_name()}é"
    ignores_case = ignores_form = False
    with suppress(OSError):
        probe.touch()
        try:
            ignores_case = probe.with_name(probe.name.upper()).exists()
            ignores_form = probe.with_name(normalize("NFD", probe.name)).exists()
        finally:
            probe.unlink()

    def name_key(path: object) -> str:
        name = nfc(path) if ignores_form else str(path)
        return name.casefold() if ignores_case else name

    return name_key


def look_alike(path: object) -> str:
    """The same for all paths that are one file on some drive."""
    return nfc(path).casefold()
