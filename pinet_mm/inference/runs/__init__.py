"""Folders and videos from their first image to the last file: options, order, output."""
