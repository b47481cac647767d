"""Bytes that are to be text: in which encoding they were written."""

from __future__ import annotations

import codecs

# A mark that begins with another's stands first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(head: bytes) -> str | None:
    """The encoding that the first bytes of a text tell: of its mark, or of where its zeros are; None where it is none.

    Without a mark, and without zeros, it is UTF-8: only decoding tells whether that is so.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" not in head:
        return "utf-8"
    # Of Latin letters and digits in UTF-16 every other byte is zero.
    pairs = max(len(head) // 2, 1)
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[first::2].count(0) > 0.9 * pairs and head[1 - first :: 2].count(0) < 0.1 * pairs:
            return name
    return None
