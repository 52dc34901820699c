"""The two conventions: the formulas of the paper, and what the official implementation computes."""

from .table import CONVENTIONS, Convention

__all__ = ['CONVENTIONS', 'Convention']
