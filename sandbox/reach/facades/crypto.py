"""`hashlib`, `hmac`, `secrets` and `uuid`.

Knows the execution's seed, through `context`: what looks random here comes from it and can be computed again with it,
and only with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Callable
from typing import Any, Final

from sandbox.reach.facades.base import Module, module, opened
from sandbox.reach.facades.context import CURRENT, derive

ALGORITHMS: Final = (
    *("blake2b", "blake2s", "md5", "sha1", "sha224", "sha256", "sha384", "sha512"),
    *("sha3_224", "sha3_256", "sha3_384", "sha3_512"),
)
_ROUNDS: Final = {
    **dict.fromkeys(("md5", "sha1", "sha224", "sha256"), 600_000),
    **dict.fromkeys(("sha384", "sha512"), 220_000),
}
_ROUNDS_OTHERS: Final = 110_000
"""Of pbkdf2_hmac: what is recommended for stored passwords, and about the half of the budget of an execution."""

_BYTES_MAX: Final = 4096

_100NS_1582_TO_1970: Final = 0x01B21DD213814000


def _hash_function(name: str) -> Callable[..., Any]:
    real = getattr(hashlib, name)

    def make(data: bytes = b"", **options: Any) -> Any:
        options.pop("string", None)
        return real(data, **options)

    return make


_FUNCTIONS: Final = {name: _hash_function(name) for name in ALGORITHMS}
_NAMES: Final[dict[Any, str]] = {function: name for name, function in _FUNCTIONS.items()}


def _algorithm(wanted: Any) -> str:
    """Return the name of a digest given by name or by the function of `hashlib`."""
    name = wanted.lower().replace("-", "").replace("_", "") if type(wanted) is str else ""
    for known in ALGORITHMS:
        if name == known.replace("_", "") or (callable(wanted) and _FUNCTIONS[known] is wanted):
            return known
    shown = ascii(wanted[:40]) if type(wanted) is str else type(wanted).__name__
    raise ValueError(f"unsupported hash {shown}; there are: {', '.join(ALGORITHMS)}")


def new(name: Any, data: bytes = b"", **options: Any) -> Any:
    """Make a hash by name."""
    return _FUNCTIONS[_algorithm(name)](data, **options)


def pbkdf2_hmac(hash_name: Any, password: bytes, salt: bytes, iterations: int, dklen: int | None = None) -> bytes:
    """Derive a key from a password."""
    algorithm = _algorithm(hash_name)
    rounds = _ROUNDS.get(algorithm, _ROUNDS_OTHERS)
    if type(iterations) is not int or not 1 <= iterations <= rounds:
        raise ValueError(f"hashlib.pbkdf2_hmac(): iterations must be 1 to {rounds} with {algorithm}")
    if dklen is not None and (type(dklen) is not int or not 1 <= dklen <= 64):
        raise ValueError("hashlib.pbkdf2_hmac(): dklen must be 1 to 64")
    return hashlib.pbkdf2_hmac(algorithm, password, salt, iterations, dklen)


def hmac_new(key: bytes, msg: bytes | None = None, digestmod: Any = "") -> Any:
    """Make a keyed hash."""
    if digestmod == "" and type(digestmod) is str:
        raise TypeError("hmac.new(): digestmod is missing; write hmac.new(key, msg, hashlib.sha256)")
    return hmac.new(key, msg, _algorithm(digestmod))


def hmac_digest(key: bytes, msg: bytes, digest: Any) -> bytes:
    """Return a keyed hash at once."""
    return hmac.digest(key, msg, _algorithm(digest))


def token_bytes(nbytes: int | None = None) -> bytes:
    """Return unpredictable bytes."""
    count = 32 if nbytes is None else nbytes
    if type(count) is not int or not 0 <= count <= _BYTES_MAX:
        raise ValueError(f"a token has 0 to {_BYTES_MAX} bytes")
    return CURRENT.unpredictable(count)


def token_hex(nbytes: int | None = None) -> str:
    """Return unpredictable bytes, as hexadecimal text."""
    return token_bytes(nbytes).hex()


def token_urlsafe(nbytes: int | None = None) -> str:
    """Return unpredictable bytes, as text fit for a URL."""
    return base64.urlsafe_b64encode(token_bytes(nbytes)).rstrip(b"=").decode("ascii")


def randbits(k: int) -> int:
    """Return an unpredictable int of k bits."""
    if type(k) is not int or not 0 <= k <= 8 * _BYTES_MAX:
        raise ValueError(f"secrets.randbits(): 0 to {8 * _BYTES_MAX} bits")
    count = (k + 7) // 8
    return int.from_bytes(CURRENT.unpredictable(count), "big") >> (8 * count - k)


def randbelow(exclusive_upper_bound: int) -> int:
    """Return an unpredictable int from 0 up to, not including, a bound."""
    if type(exclusive_upper_bound) is not int or exclusive_upper_bound <= 0:
        raise ValueError("Upper bound must be positive.")
    bits = exclusive_upper_bound.bit_length()
    # Drawn again until it is below: taking a remainder would favour small numbers.
    while (drawn := randbits(bits)) >= exclusive_upper_bound:
        pass
    return drawn


def choice(seq: Any) -> Any:
    """Return an unpredictable item of a sequence."""
    if not len(seq):
        raise IndexError("Cannot choose from an empty sequence")
    return seq[randbelow(len(seq))]


def uuid4() -> uuid.UUID:
    """Return an unpredictable identifier."""
    return uuid.UUID(bytes=CURRENT.unpredictable(16), version=4)


def uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """Return an identifier made of the execution's clock; its node is made up, never the host's hardware address."""
    made_up = derive(CURRENT.seed, b"node")
    ticks = CURRENT.now_ns // 100 + _100NS_1582_TO_1970
    sequence = CURRENT.random.getrandbits(14) if clock_seq is None else clock_seq & 0x3FFF
    # The multicast bit says that it is no real address (RFC 4122, 4.5).
    node = int.from_bytes(made_up[:6], "big") | (1 << 40) if node is None else node
    fields = (ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF, sequence >> 8, sequence & 0xFF, node)
    return uuid.UUID(fields=fields, version=1)


def uuid3(namespace: Any, name: Any) -> uuid.UUID:
    """Return the MD5 identifier of a name."""
    return uuid.uuid3(_namespace(namespace), _name(name))


def uuid5(namespace: Any, name: Any) -> uuid.UUID:
    """Return the SHA-1 identifier of a name."""
    return uuid.uuid5(_namespace(namespace), _name(name))


def _namespace(value: Any) -> uuid.UUID:
    if type(value) is not uuid.UUID:
        raise TypeError(f"the namespace must be a UUID, not {type(value).__name__}")
    return value


def _name(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"the name must be a str, not {type(value).__name__}")
    return value


def modules() -> dict[str, Module]:
    """Build the facades of this file and open what their values show."""
    for name in ALGORITHMS:
        opened(type(getattr(hashlib, name)()), "block_size copy digest digest_size hexdigest name update")
    opened(hmac.HMAC, "block_size copy digest digest_size hexdigest name update")
    opened(
        uuid.UUID,
        "bytes bytes_le clock_seq clock_seq_hi_variant clock_seq_low fields hex int node time time_hi_version time_low"
        " time_mid urn variant version",
    )
    offered = frozenset(ALGORITHMS)
    hashes = {
        **_FUNCTIONS, "new": new, "pbkdf2_hmac": pbkdf2_hmac,
        "algorithms_available": offered, "algorithms_guaranteed": offered,
    }  # fmt: skip
    tokens = {
        "choice": choice, "compare_digest": hmac.compare_digest, "randbelow": randbelow, "randbits": randbits,
        "token_bytes": token_bytes, "token_hex": token_hex, "token_urlsafe": token_urlsafe,
    }  # fmt: skip
    return {
        "hashlib": module("hashlib", hashes),
        "hmac": module("hmac", {"digest": hmac_digest, "new": hmac_new}, hmac),
        "secrets": module("secrets", tokens),
        "uuid": module("uuid", {"uuid1": uuid1, "uuid3": uuid3, "uuid4": uuid4, "uuid5": uuid5}, uuid),
    }
