"""Text in other encodings, turned into UTF-8 before it is read: by Python's codecs, so that names and values are Python's."""

from __future__ import annotations

import codecs
import io

from _crucible._native import Source
from _crucible.errors import DecodeError

_PIECE = 1 << 20


def recoded(file: str | Source, encoding: str, errors: str) -> Source:
    """A file as UTF-8, unpacked if it is compressed.

    Args:
        file: its path, or its bytes.
        encoding: a codec of Python.
        errors: a handler of Python for bytes that are no text.

    Raises:
        DecodeError: bytes that are no text, with their place; the cause is the `UnicodeError`.
    """
    source = (Source.local(file) if isinstance(file, str) else file).unpacked()
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    text = io.BytesIO()
    for start in range(0, len(source) + 1, _PIECE):
        stop = start + _PIECE
        try:
            piece = decoder.decode(source.read(start, stop), final=stop > len(source))
        except UnicodeError as error:
            near = start + getattr(error, "start", 0)
            msg = f"not {encoding} text: {getattr(error, 'reason', error)} ({source.name}, near byte {near})"
            raise DecodeError(msg) from error
        text.write(piece.encode("utf-8", "surrogatepass"))
    return Source.memory(source.name, text.getvalue())
