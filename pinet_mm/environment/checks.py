"""What has to work of the packages that training needs, beyond their import."""

import importlib
import io


def import_mmpose() -> None:
    """Import all of MMPose that training and inference use."""
    for module in ('mmpose.apis', 'mmpose.models', 'mmpose.datasets', 'mmdet.models'):
        importlib.import_module(module)


def reload_checkpoint() -> None:
    """Write what mmengine puts into a checkpoint and read it under `weights_only`.

    Raises:
        ValueError: If something else came back.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    saved = io.BytesIO()
    torch.save({'sigmas': np.ones(3, np.float32), 'loss': HistoryBuffer([0.5], [1])}, saved)
    saved.seek(0)
    loaded = torch.load(saved, weights_only=True)
    if loaded['loss'].mean() != 0.5 or loaded['sigmas'].sum() != 3:
        raise ValueError('the checkpoint came back changed')


def decode_mask() -> None:
    """Decode a run-length encoded mask, as training on COCO does.

    Raises:
        ValueError: If another mask came back.
    """
    import numpy as np
    from xtcocotools import mask

    square = np.asfortranarray(np.eye(4, dtype=np.uint8))
    if not np.array_equal(mask.decode(mask.encode(square)), square):
        raise ValueError('the mask came back changed')
