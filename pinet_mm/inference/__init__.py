"""From images, videos and streams to poses, overlays and files.

What users call lies here; `sources` reads, `drawing` draws, `results` says what was found, and
`runs` takes whole folders and videos through all of it.
"""
