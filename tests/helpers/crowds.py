"""Settings of small synthetic crowds, and a person who stands alone."""

from pinet_mm.crowdsynth import (
    CrowdSettings,
)

SMALL = CrowdSettings(size=(96, 96), persons=(2, 5), height=(0.5, 0.9))
PLAIN = dict(photometric=False, occluders=False)


def standing_alone(**other):
    """Return settings of one upright person who fits into a 200 x 300 image."""
    return CrowdSettings(
        size=(200, 300),
        persons=(1, 1),
        height=(0.6, 0.6),
        poses=('standing',),
        **{**PLAIN, **other},
    )
