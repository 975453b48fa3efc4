"""Masks the values of secrets in what tenant code said. Pure.

A value is found as it is, and as `repr`, JSON, a URL and base64 write it. What code has changed otherwise, letter by
letter, is not found.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

MASK: Final = "***"
# A line of a key file is a secret of its own; shorter ones, such as `}`, are none.
_LINE_CHARS: Final = 8
# The beginning of a value where a text was cut: shorter ones say nothing.
_CUT_CHARS: Final = 4


class Masker:
    """Masks the secrets of one flow."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = sorted({form for secret in secrets for form in _forms(secret) if form}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if self._forms else None

    def __call__(self, text: str, *, cut: bool = False) -> str:
        """Return a text without secrets; one that was `cut` may end within a value."""
        if self._pattern is None or not text:
            return text
        text = self._pattern.sub(MASK, text)
        return self._without_beginning(text) if cut else text

    def _without_beginning(self, text: str) -> str:
        text = text.rstrip("…")
        longest = 0
        for form in self._forms:
            for length in range(min(len(form) - 1, len(text)), max(longest, _CUT_CHARS - 1), -1):
                if text.endswith(form[:length]):
                    longest = length
                    break
        return text[:-longest] + MASK if longest else text


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield quote(secret, safe="")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")
    yield base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    for line in secret.splitlines():
        if len(line.strip()) >= _LINE_CHARS:
            yield line.strip()
