"""Networks beside MMPose's own: backbones of timm and a light neck; do they fit the rest?"""

from .backbones import TimmBackbone
from .depthwise import CompiledDepthwiseHook
from .necks import SeparableFPN

__all__ = ['CompiledDepthwiseHook', 'SeparableFPN', 'TimmBackbone']
