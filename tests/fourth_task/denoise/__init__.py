"""Denoising: a fourth task, as small as the library allows. CONTRIBUTING.md explains how to add one."""

import common  # noqa: F401 (first of all: it silences warnings of fastai's import)
