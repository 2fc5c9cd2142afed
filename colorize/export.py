"""Writes a trained model as an ONNX file, which onnxruntime and other programs run without this one.

python -m colorize.export MODEL.safetensors -o model.onnx
"""

from colorize.task import TASK
from common.commands.export import export

if __name__ == "__main__":
    export(TASK, __doc__)
