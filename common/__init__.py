"""What every task shares: photos, the U-Net, the perceptual loss, training, model files, inference. Imports no task."""

import os
import warnings

# Operations that Apple's GPU lacks run on the CPU; torch reads this when it is imported.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

# Importing fastai compiles a few functions with torch.jit.script, and torch warns of that each time.
warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning)

# `python -m TASK.config` runs a module that its package has imported, which is why runpy warns; it does no harm.
warnings.filterwarnings("ignore", message=".*\\.config' found in sys.modules", category=RuntimeWarning)
