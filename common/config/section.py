"""What every section of a configuration is, and the kinds of numbers in them."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
YamlPath = Annotated[Path, Field(strict=False)]


class Section(BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False):
    """Unknown keys, wrong types, NaN and infinity are errors; a section never changes once it is checked."""
