"""From images and folders to poses, overlays and files."""
