"""Writes a trained model as a file that other programs run without this one.

python -m superres.export MODEL.safetensors -o model.onnx                   for onnxruntime and its like
python -m superres.export MODEL.safetensors --spandrel 2x_mine.safetensors    for chaiNNer, ComfyUI and others
"""

from common.commands.export import export
from superres.task import TASK

if __name__ == "__main__":
    export(TASK, __doc__)
