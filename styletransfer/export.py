"""Writes a trained model as an ONNX file, which onnxruntime and other programs run without this one.

python -m styletransfer.export MODEL.safetensors -o model.onnx
"""

from common.commands.export import export
from styletransfer.task import TASK

if __name__ == "__main__":
    export(TASK, __doc__)
