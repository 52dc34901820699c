"""Weights of an ONNX graph in half precision, on disk only."""

import numpy as np

from ..errors import InputError

MOST_FOLDED = 8192  # elements; onnxscript folds constants up to this size while it optimizes


def store_half(graph) -> None:
    """Store all but small weights as float16, each with a cast to float32 before its use.

    Batch norms are then not fused with convolutions, since that would change the weights: a model
    whose weights float16 holds exactly gives the same results. ONNX Runtime folds the casts when it
    loads the file.

    Args:
        graph: of onnx_ir, not optimized yet; the casts are named as the weights were.

    Raises:
        ValueError: a weight is too large for float16.
    """
    import onnx_ir

    for weight in list(graph.initializers.values()):
        if weight.dtype != onnx_ir.DataType.FLOAT or weight.const_value.size <= MOST_FOLDED:
            continue
        with np.errstate(over='ignore'):
            half = weight.const_value.numpy().astype(np.float16)
        if not np.isfinite(half).all():
            raise InputError(f'{weight.name} has values that float16 cannot hold')
        stored = onnx_ir.val(f'{weight.name}_half', const_value=onnx_ir.tensor(half))
        cast = onnx_ir.node('Cast', [stored], dict(to=onnx_ir.DataType.FLOAT))
        (whole,) = cast.outputs
        whole.name, whole.type, whole.shape = weight.name, weight.type, weight.shape
        weight.replace_all_uses_with(whole)
        del graph.initializers[weight.name]
        graph.register_initializer(stored)
        graph.insert_before(graph[0], cast)
