"""An exported PINet in 8 bits: backbone and neck compute in integers, the rest as before.

Shape shorthand: N pictures, H×W input pixels.
"""

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Sequence, Union

import numpy as np

from .batch_inference import find_pictures
from .estimator import PINet
from .export import export_onnx
from .export_check import check, check_quantised
from .onnx_runner import OnnxPoses
from .prediction import read_picture
from .runner import RunError

# Where features become maps. Peaks and offsets need more digits than 8 bits have.
HEAD_WEIGHT = '.score_branch.weight'
MOST_PICTURES = 64  # more of them widen the range of activations, if anything


def export_int8(model: PINet, path: Union[str, Path], inputs: Iterable[Union[str, Path]],
                **options) -> str:
    """Write a model as an 8-bit ONNX file, check it, and say in a few lines how it fares.

    Args:
        model: what `api.load` returns, on the CPU.
        path: of the file.
        inputs: pictures and folders, see `quantize_onnx`; the first 64 pictures count.
        **options: of `export_onnx`.

    Raises:
        FileNotFoundError: there is no such picture.
        RunError: see `export_onnx` and `check`.
        ValueError: a file is no picture.
    """
    pictures = [read_picture(file) for file in find_pictures(inputs)[:MOST_PICTURES]]
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / 'float32.onnx'
        export_onnx(model, whole, **options)
        report = check(whole, model)
        quantize_onnx(whole, path, pictures)
        return f'{report}\n{check_quantised(path, whole, pictures)}'


def quantize_onnx(source: Union[str, Path], path: Union[str, Path],
                  pictures: Sequence[np.ndarray]) -> None:
    """Write an 8-bit copy of what `export_onnx` wrote; it is run in the same way.

    Weights are quantised by output channel, activations by tensor, over the range that they
    have on the pictures (static quantisation of ONNX Runtime).

    Args:
        source: the file.
        path: of the copy.
        pictures: (h, w, 3) uint8, BGR, such as the model will see; a few dozen.

    Raises:
        RunError: the file was not written by `export_onnx`.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static

    model = onnx.load(source)
    with _no_advice(), tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / 'quantised.onnx'
        quantize_static(source, whole, _Activations(OnnxPoses(source), pictures), per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        nodes_to_quantize=before_head(model.graph))
        quantised = onnx.load(whole)
    onnx.helper.set_model_props(
        quantised, {prop.key: prop.value for prop in model.metadata_props})
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(quantised, path)


def before_head(graph) -> List[str]:
    """List the nodes that the head's features are computed by: backbone and neck.

    Args:
        graph: of an exported PINet.

    Raises:
        RunError: it has no such head.
    """
    makers = {name: node for node in graph.node for name in node.output}
    left = [node.input[0] for node in graph.node
            if node.op_type == 'Conv' and node.input[1].endswith(HEAD_WEIGHT)]
    if not left:
        raise RunError(f'the graph has no convolution with a weight *{HEAD_WEIGHT}: was it written '
                       'by tools/export_onnx.py?')
    found = {}
    while left:
        node = makers.get(left.pop())
        if node is not None and node.name not in found:
            found[node.name] = node
            left += node.input
    return list(found)


class _Activations:
    # ONNX Runtime calls `get_next` for inputs until there is none.

    def __init__(self, runner: OnnxPoses, pictures: Sequence[np.ndarray]):
        self.inputs: Iterator[dict] = ({'images': runner.to_input(picture)[1]}
                                       for picture in pictures)

    def get_next(self) -> Optional[dict]:
        return next(self.inputs, None)


@contextmanager
def _no_advice():
    # It recommends a preparation by its own tool: joined norms, which `export_onnx` has.
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
