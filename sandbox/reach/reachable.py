"""The one table of what an action can reach by name: builtins, modules and their members, and why the rest is missing.

Pure data and the sentences made from it; knows nothing of how a thing is built. `sandbox.language.compiler` refuses
at check time what is not here, `sandbox.reach.environment` builds exactly what is here, and the two cannot drift
apart.
"""

from __future__ import annotations

from typing import Final

from sandbox.contract.did_you_mean import nearest


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


EXCEPTIONS: Final = _names(
    "ArithmeticError AssertionError AttributeError ConnectionError EOFError Exception FloatingPointError ImportError"
    " IndexError KeyError LookupError MemoryError ModuleNotFoundError NameError NotImplementedError OSError"
    " OverflowError PermissionError RecursionError RuntimeError StopIteration TimeoutError TypeError UnboundLocalError"
    " UnicodeDecodeError UnicodeEncodeError UnicodeError ValueError ZeroDivisionError"
)
"""Not BaseException and its children (they end a worker); not SyntaxError (a traceback printer opens its file)."""

BUILTINS: Final = EXCEPTIONS | _names(
    "abs all any ascii bin bool bytes callable chr complex dict divmod enumerate filter float format frozenset getattr"
    " hasattr hex int isinstance issubclass iter len list map max min next object oct ord pow print range repr reversed"
    " round set setattr slice sorted str sum tuple type vars zip"
)

_NO_CODE: Final = "an action cannot make code from text; use a dict of functions or json.loads() for data"
_NO_CLASSES: Final = (
    "a class of an action has fields and no methods: use dataclasses, enum, typing.NamedTuple or typing.TypedDict"
)

_ABC: Final = _names(
    "Callable Collection Container Hashable Iterable Iterator Mapping MutableMapping MutableSequence MutableSet"
    " Sequence Set Sized"
)

MODULES: Final[dict[str, frozenset[str]]] = {
    "__future__": _names("annotations"),
    "base64": _names(
        "a85decode a85encode b16decode b16encode b32decode b32encode b32hexdecode b32hexencode b64decode b64encode"
        " b85decode b85encode standard_b64decode standard_b64encode urlsafe_b64decode urlsafe_b64encode"
    ),
    "binascii": _names("Error a2b_base64 a2b_hex b2a_base64 b2a_hex crc32 hexlify unhexlify"),
    "bisect": _names("bisect bisect_left bisect_right insort insort_left insort_right"),
    "calendar": _names("day_abbr day_name isleap leapdays month_abbr month_name monthrange timegm weekday"),
    "collections": _names("ChainMap Counter OrderedDict abc defaultdict deque namedtuple"),
    "collections.abc": _ABC,
    "contextlib": _names("nullcontext suppress"),
    "copy": _names("copy deepcopy"),
    "dataclasses": _names("asdict astuple dataclass field replace"),
    "datetime": _names("MAXYEAR MINYEAR UTC date datetime time timedelta timezone tzinfo"),
    "decimal": _names(
        "Decimal DecimalException DivisionByZero InvalidOperation ROUND_05UP ROUND_CEILING ROUND_DOWN ROUND_FLOOR"
        " ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP ROUND_UP getcontext localcontext"
    ),
    "email": _names("utils"),
    "email.utils": _names("format_datetime formataddr getaddresses parseaddr parsedate_to_datetime"),
    "enum": _names("Enum IntEnum StrEnum auto unique"),
    "fnmatch": _names("filter fnmatch fnmatchcase"),
    "functools": _names("cache cmp_to_key lru_cache partial reduce wraps"),
    "hashlib": _names(
        "algorithms_available algorithms_guaranteed blake2b blake2s md5 new pbkdf2_hmac sha1 sha224 sha256 sha384"
        " sha3_224 sha3_256 sha3_384 sha3_512 sha512"
    ),
    "heapq": _names("heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest"),
    "hmac": _names("compare_digest digest new"),
    "html": _names("escape unescape"),
    "ipaddress": _names(
        "AddressValueError IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface IPv6Network"
        " NetmaskValueError collapse_addresses ip_address ip_interface ip_network summarize_address_range"
    ),
    "itertools": _names(
        "accumulate chain combinations combinations_with_replacement compress count cycle dropwhile filterfalse"
        " groupby islice pairwise permutations product repeat starmap takewhile zip_longest"
    ),
    "json": _names("JSONDecodeError dumps loads"),
    "logging": _names(
        "CRITICAL DEBUG ERROR FATAL INFO NOTSET WARN WARNING basicConfig critical debug error exception fatal"
        " getLevelName getLogger info log warn warning"
    ),
    "math": _names(
        "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf erfc exp exp2"
        " expm1 fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm ldexp"
        " lgamma log log10 log1p log2 modf nan nextafter perm pi pow prod radians remainder sin sinh sqrt tan tanh tau"
        " trunc ulp"
    ),
    "operator": _names(
        "abs add and_ attrgetter concat contains countOf delitem eq floordiv ge getitem gt index indexOf inv invert is_"
        " is_not itemgetter le lshift lt methodcaller mod mul ne neg not_ or_ pos pow rshift setitem sub truediv truth"
        " xor"
    ),
    "pprint": _names("pformat pprint"),
    "random": _names(
        "betavariate choice choices gauss getrandbits randbytes randint random randrange sample seed shuffle triangular"
        " uniform"
    ),
    "re": _names(
        "A ASCII DOTALL I IGNORECASE M MULTILINE Match NOFLAG Pattern PatternError S U UNICODE VERBOSE X compile error"
        " escape findall finditer fullmatch match search split sub subn"
    ),
    "secrets": _names("choice compare_digest randbelow randbits token_bytes token_hex token_urlsafe"),
    "statistics": _names(
        "StatisticsError fmean harmonic_mean mean median median_high median_low mode multimode pstdev pvariance"
        " quantiles stdev variance"
    ),
    "string": _names(
        "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable punctuation"
        " whitespace"
    ),
    "textwrap": _names("dedent fill indent shorten wrap"),
    "time": _names(
        "gmtime localtime mktime monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns"
        " strftime strptime struct_time time time_ns timezone tzname"
    ),
    "traceback": _names("format_exc format_exception format_exception_only print_exc"),
    "types": _names("NoneType SimpleNamespace"),
    "typing": _ABC
    | _names(
        "AbstractSet Annotated Any AnyStr ClassVar Counter DefaultDict Deque Dict Final FrozenSet Generator Hashable"
        " List Literal LiteralString NamedTuple Never NewType NoReturn Optional OrderedDict ParamSpec Pattern Match"
        " Self Text Tuple Type TypeAlias TypeVar TypedDict Union TYPE_CHECKING cast"
    ),
    "unicodedata": _names(
        "bidirectional category combining east_asian_width is_normalized lookup name normalize numeric"
    ),
    "urllib": _names("parse"),
    "urllib.parse": _names(
        "ParseResult SplitResult parse_qs parse_qsl quote quote_from_bytes quote_plus unquote unquote_plus"
        " unquote_to_bytes urldefrag urlencode urljoin urlparse urlsplit urlunparse urlunsplit"
    ),
    "uuid": _names(
        "NAMESPACE_DNS NAMESPACE_OID NAMESPACE_URL NAMESPACE_X500 RESERVED_FUTURE RESERVED_MICROSOFT RESERVED_NCS"
        " RFC_4122 UUID uuid1 uuid3 uuid4 uuid5"
    ),
    "zoneinfo": _names("ZoneInfo ZoneInfoNotFoundError available_timezones"),
    "vestibule_actions": _names("Api CacheRecord CacheResult Event Factor FactorOptions ProviderOptions"),
}
"""Every module an action may import, with every name in it. Submodules are listed under their dotted name."""

_NO_NETWORK: Final = (
    "actions cannot use the network; decide from the event; the gateway can send what is needed as event.facts"
)
_NO_SYSTEM: Final = "actions cannot touch the operating system; configuration comes from event.secrets"
_NO_FILES: Final = "actions cannot read or write files"
_NO_THREADS: Final = "an action is one plain function call; it cannot start threads, processes or event loops"
_NO_INSIDE: Final = "actions cannot look into the interpreter"

REFUSED_MODULES: Final[dict[str, str]] = {
    **dict.fromkeys(
        _names("requests httpx aiohttp urllib3 socket ssl http ftplib smtplib websocket websockets boto3 auth0 grpc"),
        _NO_NETWORK,
    ),
    "urllib.request": _NO_NETWORK,
    "urllib.error": _NO_NETWORK,
    **dict.fromkeys(
        _names("os sys subprocess platform pty signal resource fcntl ctypes getpass shutil pwd grp"),
        _NO_SYSTEM,
    ),
    **dict.fromkeys(_names("io pathlib tempfile glob fileinput sqlite3 csv zipfile tarfile"), _NO_FILES),
    **dict.fromkeys(_names("asyncio threading multiprocessing concurrent queue sched _thread"), _NO_THREADS),
    **dict.fromkeys(_names("inspect gc ast dis importlib builtins types.FrameType weakref codecs"), _NO_INSIDE),
    "pickle": "pickle runs code while it loads; use json",
    "marshal": "use json",
    "shelve": "nothing is kept between two logins; use api.user.set_app_metadata",
    "abc": _NO_CLASSES,
    "pydantic": _NO_CLASSES,
    "attr": _NO_CLASSES,
    "pytz": "use zoneinfo.ZoneInfo",
    "dateutil": "use datetime.datetime.fromisoformat(), which accepts a trailing Z",
    "regex": "use re: the same calls, on a linear-time engine",
    "re2": "use re: it is RE2 already",
    "jwt": "use hmac, hashlib and base64 for HMAC-signed tokens",
    "jose": "use hmac, hashlib and base64 for HMAC-signed tokens",
    "bcrypt": "use hashlib.pbkdf2_hmac",
    "cryptography": "use hashlib and hmac",
    "numpy": "use math and statistics",
    "pandas": "use plain lists and dicts",
    "difflib": "it takes cubic time on a user's text; compare with ==, or by parts",
    "fractions": "use decimal or ints",
    "zlib": "compression is not available to actions",
    "gzip": "compression is not available to actions",
    "warnings": "use print() or logging.warning()",
}
"""Modules that authors ask for and do not get, and what to write instead. A parent's reason covers its submodules."""

REFUSED_MEMBERS: Final[dict[str, str]] = {
    "time.sleep": "the clock stands still during an execution, and waiting would only hold up the login",
    "json.load": _NO_FILES + "; use json.loads(text)",
    "json.dump": _NO_FILES + "; use json.dumps(data)",
    "json.JSONEncoder": "convert values to plain data before json.dumps()",
    "json.JSONDecoder": "use json.loads()",
    "hashlib.scrypt": "it needs too much memory; use hashlib.pbkdf2_hmac",
    "hashlib.file_digest": _NO_FILES,
    "hashlib.shake_128": "use hashlib.sha3_256",
    "hashlib.shake_256": "use hashlib.sha3_256",
    "random.Random": "use the functions of random; they are seeded for this execution",
    "random.SystemRandom": "use secrets",
    "secrets.SystemRandom": "use the functions of secrets",
    "uuid.getnode": "the host's hardware address is not shown to actions",
    "collections.UserDict": "use dict",
    "collections.UserList": "use list",
    "collections.UserString": "use str",
    "typing.Protocol": _NO_CLASSES,
    "typing.get_type_hints": "annotations are not evaluated",
    "string.Template": "use an f-string",
    "string.Formatter": "use an f-string",
    "decimal.setcontext": "use decimal.localcontext()",
    "re.template": "use re.compile",
    "re.purge": "nothing is kept between two executions",
    "itertools.tee": "make a list and walk it twice",
    "itertools.batched": "use slices",
    "logging.Handler": "logging goes to the execution's output",
    "logging.StreamHandler": "logging goes to the execution's output",
    "logging.FileHandler": _NO_FILES + "; logging goes to the execution's output",
    "contextlib.contextmanager": "leaving its block would run the action's code: use try and finally",
    "contextlib.closing": "nothing an action can reach has to be closed",
    "contextlib.ExitStack": "nothing an action can reach has to be closed",
    "enum.Flag": "use sets of constants",
    "enum.IntFlag": "use ints and their operators",
    "fnmatch.translate": "its patterns are for an engine that actions do not have: use fnmatch.fnmatch()",
    "functools.singledispatch": "use a dict of functions by type",
    "functools.cached_property": _NO_CLASSES,
    "functools.total_ordering": _NO_CLASSES,
    "types.FunctionType": _NO_CODE,
    "types.CodeType": _NO_CODE,
}
"""Members of importable modules that authors ask for and do not get, and what to write instead."""


def explain_module(name: str) -> str:
    """Say why a module cannot be imported and what can. `name` is the tenant's text; it is shortened and escaped."""
    shown = ascii(name[:60])[1:-1]
    reason = ""
    parts = name.split(".")
    for length in range(min(len(parts), 4), 0, -1):
        reason = REFUSED_MODULES.get(".".join(parts[:length]), "")
        if reason:
            return f"module '{shown}' is not available: {reason}"
    near = nearest(name, MODULES)
    if near:
        return f"module '{shown}' is not available (did you mean '{near}'?)"
    listed = ", ".join(sorted(module for module in MODULES if not module.startswith("_")))
    return f"module '{shown}' is not available, because only what was reviewed is; actions can import: {listed}"


def explain_member(module: str, name: str) -> str:
    """Say why `module` (one of MODULES) has no `name` and what it has. `name` is the tenant's text."""
    shown = ascii(name[:60])[1:-1]
    reason = REFUSED_MEMBERS.get(f"{module}.{name}", "")
    if reason:
        return f"'{module}.{shown}' is not available: {reason}"
    near = nearest(name, MODULES[module])
    if near:
        return f"'{module}' has no '{shown}' (did you mean '{near}'?)"
    return f"'{module}' has no '{shown}'; it has: {', '.join(sorted(MODULES[module]))}"
