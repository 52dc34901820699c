"""What a `test_cfg` may hold, checked."""

from dataclasses import dataclass, fields
from typing import Mapping, Optional


@dataclass(frozen=True)
class TestSettings:
    """What a `test_cfg` may hold.

    Attributes:
        flip_test: average the picture with its mirror image.
        part_thr: part-centre scores at or below it propose nothing.
        max_per_part: proposals a part and picture.
        oks_thr: poses whose OKS is above it are one person.
        use_refinement: apply the refinement; by default if the head has one.
        use_fusion: fuse the poses of a person; otherwise the best one stays (OKS-NMS).
        output_heatmaps: also return the keypoint and part maps, as `pred_fields`.
    """

    __test__ = False  # the name must not make pytest collect it

    flip_test: bool = False
    part_thr: float = 0.01
    max_per_part: int = 30
    oks_thr: float = 0.7
    use_refinement: Optional[bool] = None
    use_fusion: bool = True
    output_heatmaps: bool = False

    @classmethod
    def from_cfg(cls, test_cfg: Mapping) -> 'TestSettings':
        """Check a `test_cfg`.

        Raises:
            ValueError: a key is unknown, or a value has the wrong type or range.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(test_cfg) - set(known))
        if unknown:
            raise ValueError(f'test_cfg has the unknown keys {unknown}; known are {known}')
        settings = cls(**test_cfg)
        for name, kind in dict(part_thr=(float, int), oks_thr=(float, int),
                               max_per_part=int).items():
            if not isinstance(getattr(settings, name), kind):
                raise ValueError(f'{name} must be a number; found {getattr(settings, name)!r}')
        if settings.max_per_part < 1:
            raise ValueError(f'max_per_part must be at least 1; found {settings.max_per_part}')
        if not 0 <= settings.oks_thr <= 1:
            raise ValueError(f'oks_thr must be between 0 and 1; found {settings.oks_thr}')
        return settings
