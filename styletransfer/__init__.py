"""Style transfer: photos as if made in the style of one picture."""

import common  # noqa: F401 (first of all: it silences warnings of fastai's import)
