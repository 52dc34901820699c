"""PINet as an ONNX file: the exported module, its graph, the comparison with PyTorch, 8 bits."""

from .graph import OPSETS, OUTPUTS, describe, export_onnx, export_program, require_packages
from .int8 import export_int8, quantize_onnx
from .module import ExportablePINet

__all__ = [
    'OPSETS',
    'OUTPUTS',
    'ExportablePINet',
    'describe',
    'export_int8',
    'export_onnx',
    'export_program',
    'quantize_onnx',
    'require_packages',
]
