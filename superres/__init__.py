"""Super-resolution: photos twice, four or eight times as large."""

import common  # noqa: F401 (first of all: it silences warnings of fastai's import)
