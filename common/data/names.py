"""File names that differ although they look alike: Unicode has two forms of 'é', and Macs use the other one."""

from pathlib import Path
from unicodedata import normalize


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
