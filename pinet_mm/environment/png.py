"""PNG files without what libpng would complain of on stderr, past Python and OpenCV's own log."""

SIGNATURE = b'\x89PNG\r\n\x1a\n'
# Colors, texts, sizes and dates: no pixel that OpenCV reads in color depends on them.
NOTES = frozenset(b'iCCP gAMA cHRM sRGB sBIT pHYs tEXt zTXt iTXt tIME'.split())


def without_notes(content: bytes) -> bytes:
    """Return an image file without its notes, if it is a PNG; any other as it is.

    Args:
        content: bytes of the file.
    """
    if not content.startswith(SIGNATURE):
        return content
    kept, whole, start = [], 0, len(SIGNATURE)  # what follows from `whole` on is not yet kept
    while start < len(content):  # a chunk is length, name, data and checksum
        end = start + 12 + int.from_bytes(content[start : start + 4], 'big')
        if content[start + 4 : start + 8] in NOTES:
            kept.append(content[whole:start])
            whole = end
        start = end
    return b''.join((*kept, content[whole:]))
