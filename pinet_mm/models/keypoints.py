"""The keypoints of a model's layout, compared with those of weights or data."""

from collections.abc import Sequence

from mmengine.model import is_model_wrapper
from torch import nn

from ..checkpoints import Checkpoint
from ..method.layouts import names_of


def describe_difference(found: Sequence[str], wanted: Sequence[str]) -> str:
    """Return where the keypoints of data first differ from those of a layout.

    Args:
        found: names of the data's keypoints.
        wanted: other names, those of the layout.
    """
    if len(found) != len(wanted):
        return f'the layout has {len(wanted)} ({", ".join(wanted)}), the data {len(found)}'
    place = next(i for i, name in enumerate(found) if name != wanted[i])
    return f'the layout has {wanted[place]} as keypoint {place}, the data {found[place]}'


def note_on_weights(model: nn.Module, checkpoint: Checkpoint) -> str | None:
    """Return a line if weights were trained on other keypoints than the model's layout has.

    Args:
        model: of any kind; without a layout in its head there is no line.
        checkpoint: of the weights.
    """
    head = getattr(model.module if is_model_wrapper(model) else model, 'head', None)
    layout = getattr(head, 'layout', None)
    names = names_of(checkpoint.meta.get('dataset_meta') or {})
    if layout is None or not names or names == layout.keypoint_names:
        return None
    return (
        'the weights were trained on other keypoints than those of the config: '
        f'{describe_difference(names, layout.keypoint_names)}; results have the names of the layout'
    )
