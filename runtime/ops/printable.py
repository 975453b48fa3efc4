"""Make foreign text harmless for a terminal and a log: nothing in it moves the cursor, reorders text or adds a line."""


def printable(text: str) -> str:
    """Return one line of text: controls (C0, DEL, C1), bidi marks, line separators, lone surrogates as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def printable_json(text: str) -> str:
    """Return the same JSON value with the same in its strings as JSON's own escapes. Keeps the line feeds of a layout.

    `text` is what json.dumps gave: outside strings it has no other control.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else _json_escape(char) for char in text)


def _json_escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
