"""What a dataset's people consist of: keypoints, body parts, skeleton, mirror pairs, OKS sigmas.

`PartLayout` holds all that depends on the dataset; no other module names a keypoint. Shape
shorthand: K keypoints, M parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .derived_parts import parts_of_skeleton

Keypoint = str | int
# Where metainfo gives none: those of MMPose.
KEYPOINT_COLOR, LIMB_COLOR = (255, 128, 0), (96, 96, 255)


def names_of(metainfo: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the K keypoint names of parsed MMPose metainfo in order; none if it has none."""
    id2name = metainfo.get('keypoint_id2name', {})
    return tuple(id2name[i] for i in range(len(id2name)))


@dataclass(frozen=True)
class PartLayout:
    """Describe the people of a dataset; indices are positions in `keypoint_names`.

    Use `PartLayout.from_metainfo`, which accepts names and checks them.

    Attributes:
        keypoint_names: K names in dataset order.
        part_names: M names; heatmap and offset channels of the parts follow this order.
        parts: for each part the indices of its keypoints. A keypoint may be in several parts.
        skeleton: edges (i, j) of the graph that the refinement starts from.
        flip_indices: for each keypoint its left/right counterpart, or itself.
        sigmas: K OKS sigmas (the square root of COCO's k² / 4).
        limbs: lines (i, j) that are drawn; none: those of the skeleton.
    """

    keypoint_names: tuple[str, ...]
    part_names: tuple[str, ...]
    parts: tuple[tuple[int, ...], ...]
    skeleton: tuple[tuple[int, int], ...]
    flip_indices: tuple[int, ...]
    sigmas: tuple[float, ...]
    limbs: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_metainfo(
        cls,
        metainfo: Mapping[str, Any],
        parts: str | Mapping[str, str | Sequence[Keypoint]] | None = None,
        skeleton: Sequence[tuple[Keypoint, Keypoint]] | None = None,
        sigmas: Sequence[float] | None = None,
    ) -> 'PartLayout':
        """Build a layout from parsed MMPose metainfo, with the parts given by name or index.

        Args:
            metainfo: what MMPose's `parse_pose_metainfo` returns, of which `keypoint_id2name`,
                `flip_indices`, `skeleton_links` and `sigmas` are used.
            parts: part name -> keypoint names or indices, or `'all'` for all keypoints; `'all'`
                in place of the mapping makes one part of the whole person, the one-center
                baseline. By default pieces of the skeleton, see `parts_of_skeleton`, each named
                after its first keypoint.
            skeleton: edges by name or index; by default the metainfo's `skeleton_links`, which
                are what is drawn in any case, if there are any.
            sigmas: K OKS sigmas; by default the metainfo's.

        Raises:
            ValueError: a keypoint is unknown, a part is empty or names a keypoint twice, an edge
                joins a keypoint to itself, or a list has the wrong length.
        """
        names = names_of(metainfo)
        links = metainfo.get('skeleton_links', ()) if skeleton is None else skeleton
        edges = tuple(_edge(link, names) for link in links)
        flips = _flip_indices(metainfo.get('flip_indices', range(len(names))), names)
        if parts is None:
            pieces = parts_of_skeleton(edges, flips)
            parts = {names[piece[0]]: piece for piece in pieces}
        elif isinstance(parts, str):
            parts = dict(person=parts)
        if not isinstance(parts, Mapping) or not parts:
            raise InputError(
                f"parts must name at least one part, such as dict(person='all'); found {parts!r}"
            )
        sigmas = metainfo.get('sigmas', ()) if sigmas is None else sigmas
        return cls(
            keypoint_names=names,
            part_names=tuple(parts),
            parts=tuple(_part_indices(key, value, names) for key, value in parts.items()),
            skeleton=edges,
            flip_indices=flips,
            sigmas=_sigmas(sigmas, names),
            limbs=tuple((int(i), int(j)) for i, j in metainfo.get('skeleton_links', ())),
        )

    def to_metainfo(self, base: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return parsed MMPose metainfo that says what the layout says.

        Args:
            base: other parsed metainfo; what it has beyond the layout, such as colors, is kept if
                it is of keypoints of the same names.
        """
        names, k = self.keypoint_names, self.num_keypoints
        base = dict(base or {})
        if names_of(base) != names:
            base = dict(dataset_name=base.get('dataset_name', 'layout'))
        limbs = list(self.limbs or self.skeleton)
        if list(map(tuple, base.get('skeleton_links', ()))) != limbs:
            base['skeleton_link_colors'] = np.full((len(limbs), 3), LIMB_COLOR, dtype=np.uint8)
        if list(base.get('flip_indices', ())) != list(self.flip_indices):
            base['flip_pairs'] = [(i, j) for i, j in enumerate(self.flip_indices) if i < j]
        rest: dict[str, Any] = dict(
            upper_body_ids=[],
            lower_body_ids=[],
            keypoint_colors=np.full((k, 3), KEYPOINT_COLOR, dtype=np.uint8),
            dataset_keypoint_weights=np.ones(k, dtype=np.float32),
        )
        return {
            **rest,
            **base,
            'num_keypoints': k,
            'keypoint_id2name': dict(enumerate(names)),
            'keypoint_name2id': {name: i for i, name in enumerate(names)},
            'flip_indices': list(self.flip_indices),
            'num_skeleton_links': len(limbs),
            'skeleton_links': limbs,
            'sigmas': np.array(self.sigmas, dtype=np.float32),
        }

    @property
    def num_keypoints(self) -> int:
        """K."""
        return len(self.keypoint_names)

    @property
    def num_parts(self) -> int:
        """M."""
        return len(self.parts)

    @property
    def num_offset_channels(self) -> int:
        """M·2K, in the order part, keypoint, then x, y."""
        return self.num_parts * 2 * self.num_keypoints

    @property
    def membership(self) -> np.ndarray:
        """Whether a keypoint belongs to a part: (M, K) boolean."""
        member = np.zeros((self.num_parts, self.num_keypoints), dtype=bool)
        for row, indices in zip(member, self.parts):
            row[list(indices)] = True
        return member

    @property
    def part_flip_indices(self) -> tuple[int, ...]:
        """For each part the index of its mirror image, often itself: M indices.

        Raises:
            ValueError: the mirror image of a part (of a left arm, say) is not among the parts, so
                maps of a mirrored image cannot be averaged with the others.
        """
        sets = [frozenset(indices) for indices in self.parts]
        mirrored = [frozenset(self.flip_indices[i] for i in indices) for indices in self.parts]
        for name, keypoints in zip(self.part_names, mirrored):
            if keypoints not in sets:
                missing = ', '.join(self.keypoint_names[i] for i in sorted(keypoints))
                raise InputError(
                    f'flip_test needs the mirror image of every part among the parts; part '
                    f'{name!r} mirrors to ({missing}), found the parts {list(self.part_names)}. '
                    'Add that part or switch flip_test off'
                )
        return tuple(sets.index(keypoints) for keypoints in mirrored)


def _index(keypoint: Keypoint, names: Sequence[str], where: str) -> int:
    if isinstance(keypoint, str):
        if keypoint not in names:
            raise InputError(
                f'{where} names the unknown keypoint {keypoint!r}; known are {list(names)}'
            )
        return names.index(keypoint)
    if not 0 <= int(keypoint) < len(names):
        raise InputError(
            f'{where} has the keypoint index {keypoint}; expected 0 to {len(names) - 1}'
        )
    return int(keypoint)


def _part_indices(
    part: str, keypoints: str | Sequence[Keypoint], names: Sequence[str]
) -> tuple[int, ...]:
    if isinstance(keypoints, str):
        if keypoints != 'all':
            raise InputError(
                f"part {part!r} must be a list of keypoints or 'all'; found {keypoints!r}"
            )
        return tuple(range(len(names)))
    indices = tuple(_index(keypoint, names, f'part {part!r}') for keypoint in keypoints)
    if not indices or len(set(indices)) < len(indices):
        raise InputError(
            f'part {part!r} must list at least one keypoint, each once; found {list(keypoints)}'
        )
    return indices


def _edge(link: Sequence[Keypoint], names: Sequence[str]) -> tuple[int, int]:
    ends = tuple(_index(keypoint, names, f'skeleton edge {tuple(link)}') for keypoint in link)
    if len(ends) != 2 or ends[0] == ends[1]:
        raise InputError(f'a skeleton edge must join two different keypoints; found {tuple(link)}')
    return ends


def _flip_indices(flip_indices: Sequence[int], names: Sequence[str]) -> tuple[int, ...]:
    flips = tuple(int(i) for i in flip_indices)
    if sorted(flips) != list(range(len(names))) or any(flips[flips[i]] != i for i in flips):
        raise InputError(
            f'flip_indices must pair up the {len(names)} keypoints (swapping twice '
            f'gives the same keypoint); found {list(flips)}'
        )
    return flips


def _sigmas(sigmas: Sequence[float], names: Sequence[str]) -> tuple[float, ...]:
    values = tuple(float(sigma) for sigma in sigmas)
    if len(values) != len(names) or not all(sigma > 0 for sigma in values):
        raise InputError(
            f'sigmas must be {len(names)} positive numbers, one per keypoint; found '
            f'{len(values)}: {list(values)}. Give them in the metainfo or as '
            "the layout's sigmas"
        )
    return values
