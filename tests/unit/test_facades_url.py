"""`urllib.parse` takes the codecs of `str.encode` only; `ipaddress` says how to take an address in a network."""

from __future__ import annotations

from urllib import parse

import pytest

from tests.action_body import value

CALLS = [
    "quote('é', encoding={0!r})", "quote('é', '/', {0!r})", "quote_plus('é', '', {0!r})",
    "quote_plus('é', encoding={0!r})",
    "unquote('%e9', {0!r})", "unquote('%e9', encoding={0!r})", "unquote_plus('%e9', encoding={0!r})",
    "parse_qs('a=%e9', False, False, {0!r})", "parse_qs('a=%e9', encoding={0!r})", "parse_qsl('a=%e9', encoding={0!r})",
    "urlencode([('a', 'é')], encoding={0!r})", "urlencode([('a', 'é')], False, '', {0!r})",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("codec", ["latin-1", "ISO_8859-1", "cp1252"])
def test_a_codec_of_the_list_answers_as_pythons(call: str, codec: str) -> None:
    """Wherever the codec stands, by place or by name, the answer is the library's."""
    source = call.format(codec)
    wanted = eval(f"parse.{source}", {"parse": parse})
    assert value(f"import urllib.parse\nreturn urllib.parse.{source}") == wanted


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("codec", ["idna", "punycode", "unicode_escape", "utf-7", "zlib", "hex", "no-such", "mbcs"])
def test_any_other_codec_is_refused_by_name(call: str, codec: str) -> None:
    """Codecs that are quadratic, decode escapes or would have to be imported are refused, and the list is shown."""
    with pytest.raises(LookupError, match=f"unknown encoding '{codec}': an action can use "):
        value(f"import urllib.parse\nreturn urllib.parse.{call.format(codec)}")


def test_control_the_library_itself_takes_them() -> None:
    """Control: Python's own functions decode by a codec that an action may not have."""
    assert parse.unquote("%5cx41", "unicode_escape") == "A"


def test_none_is_the_librarys_own_choice() -> None:
    """Without a codec it is UTF-8, as the library has it."""
    assert value("import urllib.parse as p\nreturn [p.quote('é', encoding=None), p.urlencode({'a': 'é'})]") == [
        "%C3%A9",
        "a=%C3%A9",
    ]


def test_an_address_inside_of_its_network_learns_how() -> None:
    """The error names `strict=False`, which works, and every other error is the library's own."""
    body = """
    import ipaddress, traceback
    told = []
    for network in ("192.168.1.1/24", "2001:db8::1/64", "192.168.1.0/99", "x"):
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            told.append(chr(10).join(traceback.format_exception_only(error)))
    told.append(str(ipaddress.ip_network("192.168.1.1/24", strict=False)))
    return [*told, str(ipaddress.ip_network("10.0.0.0/8", True))]
"""
    v4, v6, mask, name, loose, strict = value(body)
    note = "with strict=False it is the network that the address is in"
    assert v4 == f"ValueError: 192.168.1.1/24 has host bits set\n{note}\n"
    assert v6 == f"ValueError: 2001:db8::1/64 has host bits set\n{note}\n"
    assert "strict" not in mask + name
    assert (loose, strict) == ("192.168.1.0/24", "10.0.0.0/8")
