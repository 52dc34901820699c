"""Initial weights of a timm network: where they lie in a checkpoint, and whether they fit."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..checkpoints import Checkpoint, check_weights, reason_of
from ..environment.deferred import DeferredModule
from ..errors import CheckpointError

timm = DeferredModule('timm')  # only its networks need it

# The classifier in the files of EfficientNet-PyTorch, whose tensors have other names than timm's.
OTHER_HEADS = ('_conv_head', '_bn1', '_fc')


def match_weights(
    net: nn.Module,
    build_whole: Callable[[], nn.Module],
    checkpoint: Checkpoint,
    prefix: str = '',
) -> dict[str, Tensor]:
    """Find the weights of a `features_only` network in a checkpoint.

    They are found by their names in this network or in timm's whole one, in the checkpoint of a
    model behind a prefix such as `backbone.net.`, which is recognized. Where no name is found,
    they are found by order and shape, the classifier of EfficientNet-PyTorch's files left out.

    Args:
        net: the network.
        build_whole: builds timm's network with its classifier, of which only the names count.
        checkpoint: what was read.
        prefix: of those names in the checkpoint that count.

    Returns:
        A state dict for `net`, without counts of batches.

    Raises:
        CheckpointError: weights are missing, have another shape or belong to another network; or
            the checkpoint holds the network more than once.
    """
    found = {
        key.removeprefix(prefix): value
        for key, value in checkpoint.weights.items()
        if key.startswith(prefix) and _counts(key)
    }
    own = {key: value for key, value in net.state_dict().items() if _counts(key)}
    inner, names = _find_names(list(own), found, checkpoint.source)
    if not names:
        return _match_by_order(own, found, checkpoint.source)
    inside = {key for key in found if key.startswith(inner)}
    foreign = _foreign(inside - set(names.values()), inner, build_whole)
    matched = {key: found[name] for key, name in names.items()}
    check_weights({**matched, **{key: found[key] for key in foreign}}, own, checkpoint.source)
    return matched


def _counts(key: str) -> bool:
    return not key.endswith('num_batches_tracked')


def _spellings(key: str) -> Iterator[str]:
    # timm's names of one weight: `features_only` renames `stages.0` to `stages_0`, or puts all
    # under `model` or `body`.
    yield key
    yield re.sub(r'^([a-z]+)_(\d+)\.', r'\1.\2.', key)
    yield re.sub(r'^(model|body)\.', '', key)


def _find_names(
    own: Sequence[str], found: Mapping[str, Tensor], source: str
) -> tuple[str, dict[str, str]]:
    """Return the prefix before the network's names, and what each weight is called behind it."""
    candidates = {prefix: _names_behind(prefix, own, found) for prefix in _prefixes(own[0], found)}
    # `net.` before `model.conv` and `net.model.` before `conv` are the same place.
    places = {tuple(names.values()): prefix for prefix, names in reversed(candidates.items())}
    whole = [prefix for names, prefix in places.items() if len(names) == len(own)]
    if len(whole) > 1:
        raise CheckpointError(
            f'the checkpoint {source} holds the network {len(whole)} times, behind '
            f'{", ".join(sorted(whole))}: choose one with init_cfg.prefix'
        )
    best = whole[0] if whole else max(candidates, key=lambda prefix: len(candidates[prefix]))
    return best, candidates[best]


def _prefixes(key: str, found: Mapping[str, Tensor]) -> list[str]:
    """Return the prefixes of a weight's name in the checkpoint, shortest first, '' always."""
    prefixes = {''}
    for spelling in _spellings(key):
        prefixes.update(
            name.removesuffix(spelling) for name in found if f'.{name}'.endswith(f'.{spelling}')
        )
    return sorted(prefixes, key=len)


def _names_behind(prefix: str, own: Sequence[str], found: Mapping[str, Tensor]) -> dict[str, str]:
    spelled = {key: [f'{prefix}{spelling}' for spelling in _spellings(key)] for key in own}
    names = {key: next((name for name in spelled[key] if name in found), '') for key in own}
    return {key: name for key, name in names.items() if name}


def _foreign(unused: set[str], prefix: str, build_whole: Callable[[], nn.Module]) -> list[str]:
    """Return the names that are neither of timm's whole network nor of other feature maps of it."""
    if not unused:
        return []
    whole = build_whole().state_dict()
    return sorted(
        key for key in unused if not any(name in whole for name in _spellings(key[len(prefix) :]))
    )


def _match_by_order(
    own: Mapping[str, Tensor], found: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    body = {key: value for key, value in found.items() if not key.startswith(OTHER_HEADS)}
    if len(body) != len(own):
        raise CheckpointError(
            f'the checkpoint {source} does not fit: its {len(body)} weights have other names than '
            f"the network's {len(own)}, the first of them {next(iter(body), 'none')}"
        )
    called = {key: f'{key}, by its order {name},' for key, name in zip(own, body)}
    matched = dict(zip(own, body.values()))
    check_weights(matched, own, source, called.__getitem__)
    return matched


def load_of_timm(model_name: str, options: Mapping) -> dict[str, Tensor]:
    """Download the weights that timm has for a network, or take them from its cache.

    Args:
        model_name: of the network.
        options: all other arguments of `timm.create_model`.

    Raises:
        CheckpointError: they could not be downloaded, or timm has none.
    """
    if not timm.is_model_pretrained(model_name):
        raise CheckpointError(f'timm has no weights for {model_name}')
    try:
        net = timm.create_model(model_name, pretrained=True, **options)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f'timm could not download the weights of {model_name}: {reason_of(error)}'
        ) from None
    return net.state_dict()


def nothing_is_computed() -> torch.device:
    """Return a context in which networks are built without weights, for their names alone."""
    return torch.device('meta')
