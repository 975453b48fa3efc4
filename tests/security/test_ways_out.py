"""Ways out of the language layer that were open once, each beside what plain Python answers."""

from __future__ import annotations

import collections
import ipaddress
import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from sandbox.reach.facades import addresses
from tests.action_body import value


def _refused(statements: str) -> str:
    """Return the error that an action meets, as the action sees it."""
    body = "".join(f"        {line}\n" for line in statements.splitlines())
    return str(
        value(f"    try:\n{body}        return 'reached'\n    except Exception as error:\n        return str(error)\n")
    )


@pytest.mark.parametrize(
    "call", ["copy(int)", "copy(str)", "copy(api)", "update({}, a=1)", "most_common({})", "elements({})", "total()"]
)
def test_method_of_a_class_on_a_foreign_receiver(call: str) -> None:
    """A method that is written in Python does not take a receiver of another type: this one made `type` itself."""
    plain: Any = collections.Counter.copy
    assert plain(int) is type, "control: the class of a class"
    assert "needs a Counter first" in _refused(f"from collections import Counter\nCounter.{call}")


def test_method_of_a_class_on_its_own_receiver() -> None:
    """Methods by way of the class still work, those in C and those in Python."""
    body = """
    from collections import Counter
    counters = [Counter("aab"), Counter("b")]
    return [list(map(Counter.total, counters)), Counter.most_common(counters[0], n=1), list(map(str.upper, "ab"))]
"""
    assert value(body) == [[3, 1], [("a", 2)], ["A", "B"]]


@pytest.mark.parametrize("call", ["clear(od)", "pop(od, 1)", "popitem(od)", "update(od, a=1)", "setdefault(od, 3)"])
@pytest.mark.parametrize("kind", ["dict", "collections.Counter", "collections.defaultdict"])
def test_method_of_a_dict_on_one_that_keeps_an_order(kind: str, call: str) -> None:
    """The order would name keys that are gone, and walking it would not end."""
    od = collections.OrderedDict({1: 2})
    dict.clear(od)
    with pytest.raises(KeyError):
        od.popitem()  # control: it believes that there is something
    assert "first, not OrderedDict" in _refused(
        f"import collections\nod = collections.OrderedDict({{1: 2}})\n{kind}.{call}"
    )


_A = {"a": 1}
_ADDRESS_TELLERS: dict[str, Callable[[Any], object]] = {
    "[].index(f)": [].index,
    "collections.deque().index(f)": collections.deque().index,
    "ipaddress.ip_address(f)": ipaddress.ip_address,
    "functools.partial(f)(**{'a': 1}, **{'a': 2})": lambda f: partial(f)(**_A, **_A),
}


@pytest.mark.parametrize("call", _ADDRESS_TELLERS)
def test_address_in_the_arguments_of_an_error(call: str) -> None:
    """The library's messages name what they were given by its repr, which tells where it lives; `args` does not."""
    try:
        _ADDRESS_TELLERS[call](test_address_in_the_arguments_of_an_error)
    except (TypeError, ValueError) as error:
        plain = str(error.args[0])
    assert " at 0x" in plain, "control"
    body = f"""
    import collections, functools, ipaddress
    def f():
        pass
    try:
        {call}
    except Exception as error:
        return [str(arg) + arg[:0] for arg in error.args] + [str(error), getattr(error, "args")[0]]
"""
    shown = value(body)
    assert len(shown) == 3
    assert not any("0x" in text for text in shown), shown


@pytest.mark.parametrize(
    ("made", "plain"),
    [
        (
            "UnicodeDecodeError('utf-8', b'x' * 64, -9, -8, 'r')",
            lambda: UnicodeDecodeError("a", b"x" * 64, -9, -8, "r"),
        ),
        ("UnicodeEncodeError('utf-8', 'x' * 64, -9, -8, 'r')", None),
        ("type(error)('utf-8', b'x' * 64, -9, -8, 'r')", None),
    ],
)
def test_memory_before_the_text_of_a_unicode_error(made: str, plain: Callable[[], UnicodeError] | None) -> None:
    """The message of a unicode error holds the byte at `start`; one before the text is somebody else's."""
    if plain is not None:
        assert "position -9" in str(plain()), "control: CPython reads it"
    body = f"""
    try:
        b"\\xff".decode()
    except UnicodeDecodeError as first:
        error = first
    try:
        return str({made})
    except ValueError as refused:
        return "refused: " + str(refused)
"""
    assert str(value(body)).startswith("refused: Unicode")


def test_unicode_error_is_still_one() -> None:
    """The checked classes catch, raise and classify as Python's own."""
    body = """
    seen = []
    for kinds in (UnicodeDecodeError, (KeyError, UnicodeDecodeError), UnicodeError, ValueError):
        try:
            b"\\xff".decode()
        except kinds as error:
            seen.append((type(error) is UnicodeDecodeError, isinstance(error, UnicodeDecodeError), error.args[0]))
    try:
        raise UnicodeEncodeError("ascii", "é", 0, 1, "no")
    except UnicodeDecodeError:
        seen.append("wrong")
    except UnicodeEncodeError as error:
        seen.append(str(error))
    return seen, issubclass(UnicodeDecodeError, ValueError), issubclass(UnicodeError, UnicodeDecodeError)
"""
    told = "'ascii' codec can't encode character '\\xe9' in position 0: no"
    assert value(body) == ([(True, True, "utf-8")] * 4 + [told], True, False)


def test_netmask_that_an_earlier_login_looked_up() -> None:
    """`ipaddress` finds 24.0 where it has kept 24: a bit from one login to the next, did it keep it."""
    ask = """
    import ipaddress
    return str(ipaddress.ip_network(("10.0.0.0", {mask})))
"""
    ipaddress.ip_network(("10.0.0.0", 24))
    floating: Any = ("10.0.0.0", 24.0)
    assert str(ipaddress.ip_network(floating)) == "10.0.0.0/24", "control"
    assert value(ask.format(mask="24")) == "10.0.0.0/24"
    with pytest.raises(AttributeError):
        value(ask.format(mask="24.0"))
    assert not hasattr(vars(ipaddress.IPv4Address)["is_private"].fget, "cache_clear")


_NETWORKS = """
    import ipaddress
    def told(make, *args):
        try:
            return str(make(*args))
        except Exception as error:
            return repr(error)
    def network(strict=True):
        return ipaddress.ip_network("10.0.0.0/24", strict)
    one, other = network(), network(False)
    near, address = ipaddress.ip_network("10.0.1.0/24"), ipaddress.ip_interface("10.0.0.1/24")
    return [
        one is other, one == other, one.netmask is other.netmask, one.network_address is other.network_address,
        one.hostmask is other.hostmask, one.netmask is near.netmask, address.netmask is one.netmask,
        address.netmask is ipaddress.ip_interface("10.0.0.2/24").netmask,
        one.netmask is ipaddress.IPv4Network("10.0.0.0/24").netmask,
        told(ipaddress.IPv4Network, ("10.0.0.0", 24.0)), told(ipaddress.ip_network, ("10.0.0.0", 24.0)),
        told(network), [told(ipaddress.ip_network, "10.0.0.1/24"), told(ipaddress.ip_network, "10.0.0.0/99")],
        repr(one), {one: 1}[other], str(one.broadcast_address), [str(host) for host in one.hosts()][:2],
        str(ipaddress.ip_network("fe80::%eth0/64", strict=False)), repr(ipaddress.ip_network("2001:db8::/32")),
    ]
"""


def test_networks_that_the_worker_knows_by_their_text() -> None:
    """A network is the same in all that an action can see, whether its text was read when the action was compiled or
    is read now: by what it says, by what is one object with what, and by what it leaves for the next call. The control
    is that the texts are known in between.
    """
    addresses.forget()
    unknown = value(_NETWORKS)
    assert "10.0.0.0/24" not in addresses.KNOWN
    addresses.learn(compile(textwrap.dedent(_NETWORKS.replace("return", "seen =")), "<action>", "exec"))
    assert {"10.0.0.0/24", "10.0.1.0/24", "2001:db8::/32"} <= addresses.KNOWN.keys()
    assert value(_NETWORKS) == unknown
    assert value(_NETWORKS) == unknown
    addresses.forget()


def test_constants_beyond_number_that_a_hostile_worker_hands_over() -> None:
    """Of thousands of texts, and of tuples in tuples, a limited number is read."""
    addresses.forget()
    code = compile("pass", "<action>", "exec")
    addresses.learn(code.replace(co_consts=("x/y",) * 1_000_000))
    addresses.learn(code.replace(co_consts=(((), ("192.168.0.0/16",)), "x" * 1_000_000)))
    assert list(addresses.KNOWN) == ["192.168.0.0/16"]
    addresses.learn(code.replace(co_consts=tuple(f"10.{at // 256}.{at % 256}.0/24" for at in range(60_000))))
    assert len(addresses.KNOWN) == addresses.KNOWN_MAX
    addresses.forget()
