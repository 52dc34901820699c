"""What poses are found in: images, folders, videos, streams; arrays from Python."""

from .images import IMAGE_SUFFIXES, find_images, read_image

__all__ = ['IMAGE_SUFFIXES', 'find_images', 'read_image']
