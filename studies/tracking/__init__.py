"""Identities in drawn video: the project's tracker beside ByteTrack, on the same poses.

Needs `trackers`, which has ByteTrack and the metrics, and `supervision`; neither is a dependency of
the package.
"""

from .study import run

__all__ = ['run']
