"""The settings of inference, `test_cfg` in MMPose's configs, checked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from ..errors import InputError, a_number, is_number

NUMBERS: dict[str, tuple[type, ...]] = dict(
    part_thr=(float, int), oks_thr=(float, int), max_per_part=(int,)
)
FLAGS = (
    'flip_test',
    'use_peaks',
    'use_refinement',
    'use_score',
    'use_fusion',
    'use_agreement',
    'use_uncertainty',
    'output_heatmaps',
)
UNSET = ('use_refinement', 'use_score')  # may be None: as the head was built


@dataclass(frozen=True)
class TestSettings:
    """Settings of inference, which MMPose calls `test_cfg`.

    Attributes:
        flip_test: average the image with its mirror image.
        scale_factors: look for people at these multiples of the input's size, 1 among them; see
            `decoding.decode` for how they are combined.
        part_thr: part-center scores at or below it propose nothing.
        max_per_part: proposals per part, image and scale.
        oks_thr: poses whose OKS is above it are one person.
        use_peaks: propose poses at the peaks of the part maps; otherwise at their best pixels,
            which finds more people near another: raise `max_per_part` with it, and train a score
            with both settings.
        use_refinement: apply the refinement; by default if the head has one.
        use_score: rank people, and order fusion, by expected OKS, see `method.scoring`; by default
            if the head has a score and refines.
        use_fusion: fuse the poses of a person; otherwise the best one stays (OKS-NMS).
        use_agreement: multiply scores by how far the parts agree, see `method.agreement`. Scores
            shrink: × 1/27 for a person found by one part of three.
        use_uncertainty: place a person's keypoints at the mean of its poses, weighted by squared
            score over expected variance, rather than where the highest score is; needs a refinement
            with uncertainty, and fusion.
        output_heatmaps: also return the keypoint and part maps, as `pred_fields`; those of factor
            1.
    """

    __test__ = False  # the name must not make pytest collect it

    flip_test: bool = False
    scale_factors: tuple[float, ...] = (1.0,)
    part_thr: float = 0.01
    max_per_part: int = 30
    oks_thr: float = 0.7
    use_peaks: bool = True
    use_refinement: bool | None = None
    use_score: bool | None = None
    use_fusion: bool = True
    use_agreement: bool = False
    use_uncertainty: bool = False
    output_heatmaps: bool = False

    @classmethod
    def from_cfg(cls, test_cfg: Mapping) -> 'TestSettings':
        """Return a checked `test_cfg`; of the scale factors, 1 comes first.

        Raises:
            ValueError: a key is unknown, or a value has the wrong type or range.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(test_cfg) - set(known))
        if unknown:
            raise InputError(f'test_cfg has the unknown keys {unknown}; known are {known}')
        settings = cls(**test_cfg)
        for name, kinds in NUMBERS.items():
            value = getattr(settings, name)
            if not is_number(value, kinds):
                kind = 'a whole number' if kinds == (int,) else a_number(value)
                raise InputError(f'{name} must be {kind}; found {value!r}')
        for name in FLAGS:
            value, unset = getattr(settings, name), (None,) if name in UNSET else ()
            if value not in (True, False, *unset):
                raise InputError(f'{name} must be True or False; found {value!r}')
        if settings.max_per_part < 1:
            raise InputError(f'max_per_part must be at least 1; found {settings.max_per_part}')
        if not 0 <= settings.oks_thr <= 1:
            raise InputError(f'oks_thr must be between 0 and 1; found {settings.oks_thr}')
        flags = {name: getattr(settings, name) for name in FLAGS}
        return replace(
            settings,
            scale_factors=_scale_factors(settings.scale_factors),
            **{name: bool(value) for name, value in flags.items() if value is not None},
        )

    def check_built(self, has_refinement: bool, has_score: bool, has_uncertainty: bool) -> None:
        """Check that a head can do what is asked of it.

        Args:
            has_refinement: the head was built with one.
            has_score: its refinement was built with a score.
            has_uncertainty: its refinement was built with uncertainty.

        Raises:
            InputError: it cannot.
        """
        if self.use_refinement and not has_refinement:
            raise InputError(
                'test_cfg asks for use_refinement=True, but the head was built with refinement=None'
            )
        refines = self.use_refinement is not False
        if self.use_score and not (has_score and refines):
            raise InputError(
                'test_cfg asks for use_score=True, which needs a head that was built with '
                'refinement.score and use_refinement (docs/pinet2.md in the repository)'
            )
        if self.use_uncertainty and not (has_uncertainty and refines):
            raise InputError(
                'test_cfg asks for use_uncertainty=True, which needs a head that was built with '
                'refinement.uncertainty=True and use_refinement (docs/pinet2.md in the repository)'
            )
        if self.use_uncertainty and not self.use_fusion:
            raise InputError(
                'test_cfg asks for use_uncertainty=True, which averages the poses that are fused; '
                'found use_fusion=False'
            )


def _scale_factors(factors: Sequence[float]) -> tuple[float, ...]:
    usable = isinstance(factors, (list, tuple)) and all(
        is_number(factor) and 0 < factor < math.inf for factor in factors
    )
    if not usable or 1 not in factors or len(set(factors)) < len(factors):
        raise InputError(
            'scale_factors must be different positive numbers, 1 among them, such as '
            f'(1, 0.5, 2); found {factors!r}'
        )
    return tuple(sorted(map(float, factors), key=lambda factor: factor != 1))
