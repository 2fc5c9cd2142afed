"""Colourisation: colours for grey photos, found small and laid onto the photo's own lightness at full size."""

import common  # noqa: F401 (first of all: it silences warnings of fastai's import)
