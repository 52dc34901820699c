"""Networks beside MMPose's own: backbones of timm, a light neck; the check that all parts fit."""

from .backbones import TimmBackbone
from .depthwise import CompiledDepthwiseHook
from .necks import SeparableFPN

__all__ = ['CompiledDepthwiseHook', 'SeparableFPN', 'TimmBackbone']
