"""What every task shares: photos, the U-Net, the perceptual loss, training, model files, inference. Imports no task."""

import warnings

# Importing fastai compiles a few functions with torch.jit.script, and torch warns of that each time.
warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning)
