"""The record of callbacks: whether a thing within reach calls the action back, and who holds what is in use then.

Data, and how a row is found. Must not know how a thing is built or run. One row for each callable, type and statement:
can it call code of the action; can it let go of what it uses while that code runs; what is done about it; how an action
uses it; which test shows it. The generator of hostile programs is driven by `uses`, so a thing without a row fails a
test before it is tried by an attacker.

Why a row may say that a thing holds what it uses was read in CPython's source, 3.11 to 3.13. There is no list of C
functions that are safe to be freed while they run: whatever holds one must keep a reference for as long as it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FUZZED: Final = "test_fuzz_callbacks.py::test_no_program_crashes"
TAKEN_AWAY: Final = "test_callbacks.py::test_control_each_wrapper_taken_away_lets_a_program_crash"
DEEP: Final = "test_iterators.py::test_depth_has_an_end"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing within reach."""

    name: str
    calls_back: bool
    """Can it call code of the action: a function that is given, an iterator that is walked, a comparison?"""
    lets_go: bool
    """Could CPython's own free what it uses while that code runs?"""
    done: str
    """Who holds what is in use, or what stands in for CPython's own."""
    uses: tuple[str, ...] = ()
    """How it is called, for the generator: {i} an iterator or container, {f} a function, {k} a value that compares by a
    function, {l} a list, {d} a dict, {q} a deque, {s} a set, {x} any of these."""
    test: str = FUZZED


ROWS: Final[dict[str, Row]] = {}
PATTERNS: Final[list[str]] = []
"""Names that end in `*`: classes none of whose methods takes a function or walks what is not plain."""


def _add(row: Row) -> None:
    if row.name in ROWS:
        raise ValueError(f"{row.name} has two rows")
    ROWS[row.name] = row
    if row.name.endswith("*"):
        PATTERNS.append(row.name)


def _plain(why: str, names: str, prefix: str = "") -> None:
    """Rows of what calls nothing of the action."""
    for name in names.split():
        _add(Row(prefix + name, False, False, why))


def _holds(why: str, uses: str, names: str = "", test: str = FUZZED) -> None:
    """Rows of what calls back and holds what it uses; one a line of `uses`, `name: call | call`."""
    for line in uses.strip().splitlines():
        name, _, calls = line.strip().partition(": ")
        _add(Row(name, True, False, why, tuple(call.strip() for call in calls.split(" | ")), test))


def _held(why: str, uses: str, test: str = TAKEN_AWAY) -> None:
    """Rows of what would let go of what it uses; as `_holds`."""
    for line in uses.strip().splitlines():
        name, _, calls = line.strip().partition(": ")
        _add(Row(name, True, True, why, tuple(call.strip() for call in calls.split(" | ")), test))


def find(name: str) -> Row | None:
    """Answer the row of a name."""
    row = ROWS.get(name)
    if row is not None:
        return row
    pattern = next((one for one in PATTERNS if name.startswith(one[:-1])), None)
    return None if pattern is None else ROWS[pattern]


# Builtins

_plain(
    "takes numbers, texts or any object, and calls nothing of the action",
    "abs ascii bin bool callable chr complex divmod float format getattr hasattr hex int isinstance issubclass len"
    " object oct ord pow print range repr round setattr slice type vars str",
)
_plain(
    "an exception keeps its arguments; a chain of causes is freed by going down the C stack, which is deep enough",
    "ArithmeticError AssertionError AttributeError ConnectionError EOFError Exception FloatingPointError ImportError"
    " IndexError KeyError LookupError MemoryError ModuleNotFoundError NameError NotImplementedError OSError"
    " OverflowError PermissionError RecursionError RuntimeError StopIteration TimeoutError TypeError UnboundLocalError"
    " UnicodeDecodeError UnicodeEncodeError UnicodeError ValueError ZeroDivisionError",
)
_holds(
    "holds its iterator, and each item, by references of its own until it returns",
    """
    all: all({i})
    any: any({i})
    bytes: bytes({i})
    dict: dict({i}) | dict(zip({i}, {i}))
    frozenset: frozenset({i})
    list: list({i})
    max: max({i}, key={f}) | max({i}) | max({k}, {k}, key={f})
    min: min({i}, key={f}) | min({i})
    next: next({i}, None)
    set: set({i})
    sorted: sorted({i}, key={f}) | sorted({l})
    sum: sum({i}) | sum({i}, [])
    tuple: tuple({i})
    """,
)
_holds(
    "holds its function and its iterators for as long as it lives; nests only so deep",
    """
    enumerate: enumerate({i})
    filter: filter({f}, {i})
    map: map({f}, {i}) | map({f}, {i}, {i})
    zip: zip({i}) | zip({i}, {i}) | zip({i}, {i}, strict=True)
    itertools.compress: itertools.compress({i}, {i})
    itertools.dropwhile: itertools.dropwhile({f}, {i})
    itertools.filterfalse: itertools.filterfalse({f}, {i})
    itertools.starmap: itertools.starmap({f}, zip({i}, {i})) | itertools.starmap({f}, {i})
    itertools.takewhile: itertools.takewhile({f}, {i})
    """,
    test=DEEP,
)
_holds(
    "walks its arguments to their ends before it exists; then it has tuples of its own",
    """
    itertools.combinations: itertools.combinations({i}, 2)
    itertools.combinations_with_replacement: itertools.combinations_with_replacement({i}, 2)
    itertools.permutations: itertools.permutations({i}, 2)
    itertools.product: itertools.product({i}, {i}) | itertools.product({i}, repeat=2)
    """,
)
_plain("adds numbers, or answers one object again and again", "itertools.count itertools.repeat")
_plain("walks a sequence of Python's own by index or from its end", "reversed")
_held(
    "a generator of ours holds what it runs, and refuses to be entered twice",
    """
    iter: iter({f}, 9) | iter({f}, {k}) | iter({i})
    itertools.accumulate: itertools.accumulate({i}, {f}) | itertools.accumulate({i}, {f}, initial={k})
    itertools.chain: itertools.chain({i}, {i}) | itertools.chain.from_iterable({i})
    itertools.cycle: itertools.cycle({i})
    itertools.groupby: itertools.groupby({i}, {f})
    itertools.islice: itertools.islice({i}, 1) | itertools.islice({i}, 0, 4, 2) | itertools.islice({i}, 2, None)
    itertools.pairwise: itertools.pairwise({i})
    itertools.zip_longest: itertools.zip_longest({i}, {i}) | itertools.zip_longest({i}, {i}, fillvalue={k})
    """,
)

# Containers and their methods

_plain(
    "texts and numbers go in, texts and numbers come out",
    "capitalize casefold center count encode endswith expandtabs find index isalnum isalpha isascii isdecimal isdigit"
    " isidentifier islower isnumeric isprintable isspace istitle isupper ljust lower lstrip maketrans partition"
    " removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip"
    " swapcase title upper zfill",
    "str.",
)
_holds(
    "the text does not change, and the other side is made a list first or read by Python",
    """
    str.format: '{{}} {{}}'.format({x}, {x})
    str.format_map: '{{a}}'.format_map({d})
    str.join: ''.join({i})
    str.translate: 'abc'.translate({d})
    bytes.join: b''.join({i})
    """,
)
_plain(
    "bytes and numbers go in, bytes and numbers come out",
    "capitalize center count decode endswith expandtabs find fromhex hex index isalnum isalpha isascii isdigit islower"
    " isspace istitle isupper ljust lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex"
    " rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill",
    "bytes.",
)
for _number, _more in (("int", " from_bytes to_bytes bit_count bit_length denominator numerator"), ("float", " hex")):
    _plain("numbers only", f"as_integer_ratio conjugate imag real{_more}", f"{_number}.")
_plain("numbers only", "float.fromhex float.is_integer complex.conjugate complex.imag complex.real")
_plain(
    "numbers only", "as_integer_ratio conjugate imag real to_bytes bit_count bit_length denominator numerator", "bool."
)
_plain("puts in, takes out or copies", "append clear copy insert pop reverse", "list.")
_holds(
    "holds each item it compares or is given, and looks at the list anew after each",
    """
    list.count: {l}.count({k})
    list.extend: {l}.extend({i})
    list.index: {l}.index({k})
    list.remove: {l}.remove({k})
    tuple.count: tuple({l}).count({k})
    tuple.index: tuple({l}).index({k})
    """,
)
_holds("takes the items out of the list while it sorts", "list.sort: {l}.sort(key={f}) | {l}.sort()")
_plain("compares and puts nothing that an action has made to compare", "range.count range.index")
_plain("numbers only", "range.start range.step range.stop slice.indices slice.start slice.step slice.stop")
for _set in ("set", "frozenset"):
    _plain("copies", "copy", f"{_set}.")
    for _method in (
        "difference", "intersection", "isdisjoint", "issubset", "issuperset", "symmetric_difference", "union",
    ):  # fmt: skip
        _holds(
            "holds its iterator; nothing an action can hash compares by a function",
            f"{_set}.{_method}: {{s}}.{_method}({{i}})",
        )
for _method in ("difference_update", "intersection_update", "symmetric_difference_update", "update"):
    _holds("holds its iterator, and adds one by one", f"set.{_method}: {{s}}.{_method}({{i}})")
_plain("hashes one key; nothing an action can hash compares by a function", "set.add set.discard set.remove")
_plain("puts in, takes out or copies", "set.clear set.pop")
for _dict in ("dict", "collections.OrderedDict", "collections.defaultdict", "collections.Counter"):
    _plain("one key, or a copy, or a view", "clear copy get items keys pop popitem setdefault values", f"{_dict}.")
    _holds("holds its iterator and each pair", f"{_dict}.update: {{d}}.update({{i}}) | {{d}}.update(zip({{i}}, {{i}}))")
_holds(
    "holds its iterator",
    "dict.fromkeys: dict.fromkeys({i})\ncollections.OrderedDict.fromkeys: collections.OrderedDict.fromkeys({i})",
)
_plain("moves one key", "collections.OrderedDict.move_to_end")
_holds(
    "written in Python; its methods are its own, for a Counter takes no attributes",
    """
    collections.Counter.elements: collections.Counter({{1: 2, 2: 3}}).elements()
    collections.Counter.most_common: collections.Counter({{1: {k}, 2: {k}}}).most_common(1)
    collections.Counter.subtract: collections.Counter().subtract({i})
    """,
)
_plain("adds the counts, which are numbers or do not add", "collections.Counter.total")
_held(
    "the factory that was there is kept until the execution ends",
    "collections.defaultdict.default_factory: {d}[99]",
)
_plain(
    "puts in, takes out or copies",
    "append appendleft clear copy insert maxlen pop popleft reverse rotate",
    "collections.deque.",
)
_holds(
    "holds its iterator; what it compares calls nothing of the action",
    """
    collections.deque.count: {q}.count({k})
    collections.deque.index: {q}.index({k})
    collections.deque.extend: {q}.extend({i})
    collections.deque.extendleft: {q}.extendleft({i})
    collections.deque.remove: {q}.remove({k})
    """,
)
_holds(
    "holds its iterator",
    "dict_keys.isdisjoint: {d}.keys().isdisjoint({i})\ndict_items.isdisjoint: {d}.items().isdisjoint({i})",
)
_holds(
    "holds its iterator",
    """
    odict_keys.isdisjoint: collections.OrderedDict(a=1).keys().isdisjoint({i})
    odict_items.isdisjoint: collections.OrderedDict(a=1).items().isdisjoint({i})
    """,
)

# Modules

_holds(
    "holds its iterator",
    """
    collections.Counter: collections.Counter({i})
    collections.OrderedDict: collections.OrderedDict(zip({i}, {i}))
    collections.deque: collections.deque({i}) | collections.deque({i}, maxlen=1)
    """,
)
_holds(
    "calls its factory by an attribute whose old values are kept",
    "collections.defaultdict: collections.defaultdict({f})[1] | collections.defaultdict({f}, zip({i}, {i}))",
    test=TAKEN_AWAY,
)
_holds(
    "a class written in Python", "collections.namedtuple: collections.namedtuple('P', 'a b')({x}, {x}) == ({k}, {k})"
)
_plain("a module, or a class for `isinstance` alone", "abc", "collections.")
_plain("for annotations alone", "annotations", "__future__.")
_holds(
    "written in Python; walks containers of Python's own",
    "copy.copy: copy.copy({x})\ncopy.deepcopy: copy.deepcopy({x})",
)
_holds(
    "its arguments never change, and what calls it holds it",
    "functools.partial: functools.partial({f}, {x})() | functools.partial({f})({x})",
)
_held(
    "a key of ours is ordered by what holds it, and no container may compare it: an inner list would not be held",
    """
    functools.cmp_to_key: sorted([functools.cmp_to_key({f})(i) for i in range(5)]) | {q}.index({k}) | use_order()
    """,
)
_holds(
    "holds the sum and the item in a tuple of its own",
    "functools.reduce: functools.reduce({f}, {i}) | functools.reduce({f}, {i}, {x})",
)
_holds(
    "the record in which circles are looked for holds what is given to `default`; it is always kept",
    """
    json.dumps: json.dumps([{x}, {{'a': {x}}}], default={f}) | json.dumps({l}, default={f})
    """,
)
_holds(
    "the scanner is of this call alone, and holds its text and what it has read so far",
    "json.loads: json.loads('[1.5, {{\"a\": [2.5]}}]', parse_float={f}) | json.loads('[1, 2]', parse_int={f})",
)
_plain("tells what is wrong with a text", "json.JSONDecodeError")
_holds(
    "the caller holds both sides",
    """
    operator.contains: operator.contains({l}, {k}) | operator.contains({i}, {k})
    operator.eq: operator.eq({l}, [{k}])
    operator.ge: operator.ge({k}, {k})
    operator.gt: operator.gt({k}, {k})
    operator.le: operator.le({k}, {k})
    operator.lt: operator.lt({l}, [{k}])
    operator.ne: operator.ne({l}, [{k}])
    operator.itemgetter: operator.itemgetter(1, 2)({l})
    operator.attrgetter: operator.attrgetter('append')({l})
    """,
)
_plain(
    "sees two operands, none of which calls",
    "abs add and_ concat floordiv index inv invert is_ is_not lshift mod mul neg not_ or_ pos pow rshift sub truediv"
    " truth xor",
    "operator.",
)
_holds(
    "written in Python, by the guards of the language",
    """
    operator.countOf: operator.countOf({i}, {k})
    operator.indexOf: operator.indexOf({i}, {k})
    operator.getitem: operator.getitem({d}, 99) | operator.getitem({l}, slice(0, 3))
    operator.setitem: operator.setitem({l}, slice(None, None, 2), {i}) | operator.setitem({l}, 1, {x})
    operator.delitem: operator.delitem({l}, slice(None, None, 2))
    operator.methodcaller: operator.methodcaller('extend', {i})({l}) | operator.methodcaller('sort', key={f})({l})
    functools.wraps: functools.wraps({f})({f})
    functools.cache: functools.cache({f})(1)
    functools.lru_cache: functools.lru_cache({f})(1) | functools.lru_cache(maxsize=1)({f})(2)
    bisect.bisect: bisect.bisect({l}, {k}, key={f})
    bisect.bisect_left: bisect.bisect_left({l}, {k}, key={f}) | bisect.bisect_left({q}, {k})
    bisect.bisect_right: bisect.bisect_right({l}, {k}, key={f})
    bisect.insort: bisect.insort({l}, {k}, key={f})
    bisect.insort_left: bisect.insort_left({l}, {k}, key={f})
    bisect.insort_right: bisect.insort_right({l}, {k}, key={f})
    heapq.heapify: heapq.heapify({l})
    heapq.heappop: heapq.heappop({l})
    heapq.heappush: heapq.heappush({l}, {k})
    heapq.heappushpop: heapq.heappushpop({l}, {k})
    heapq.heapreplace: heapq.heapreplace({l}, {k})
    heapq.merge: list(heapq.merge({i}, {i}, key={f})) | heapq.merge({i}, {i})
    heapq.nlargest: heapq.nlargest(2, {i}, key={f})
    heapq.nsmallest: heapq.nsmallest(2, {i}, key={f})
    fnmatch.filter: fnmatch.filter({i}, '*')
    email.utils.getaddresses: email.utils.getaddresses({i})
    textwrap.indent: textwrap.indent('a', 'b', {f})
    dataclasses.field: use_record({f})
    dataclasses.dataclass: use_record({f})
    enum.Enum: enum.Enum('E', [('A', {k}), ('B', {k})])({k})
    enum.IntEnum: enum.IntEnum('E', zip({i}, {i}))
    enum.StrEnum: enum.StrEnum('E', {i})
    """,
)
_plain("makes or copies an object of the action's own", "dataclasses.asdict dataclasses.astuple dataclasses.replace")
_plain("a mark, or looks at names", "enum.auto enum.unique")
_plain("runs nothing of the action as a block is left", "contextlib.nullcontext contextlib.suppress")
_plain("reads or sets two numbers of this thread", "decimal.getcontext decimal.localcontext")
_plain(
    "texts in, texts out",
    "email.utils email.utils.format_datetime email.utils.formataddr email.utils.parseaddr fnmatch.fnmatch"
    " email.utils.parsedate_to_datetime fnmatch.fnmatchcase textwrap.dedent textwrap.fill textwrap.shorten"
    " textwrap.wrap traceback.format_exc traceback.format_exception traceback.format_exception_only"
    " traceback.print_exc",
)
_holds(
    "written in Python: it makes lists of what it looks at",
    """
    pprint.pformat: pprint.pformat({d}) | pprint.pformat([{x}, {l}])
    pprint.pprint: pprint.pprint({x})
    collections.ChainMap: collections.ChainMap({d}, {d}).items() | collections.ChainMap({{1: {x}}}) == {{1: {k}}}
    """,
)
_plain(
    "finds a time zone in a table, and computes with numbers",
    "zoneinfo.ZoneInfo zoneinfo.ZoneInfoNotFoundError zoneinfo.available_timezones zoneinfo.ZoneInfo.dst"
    " zoneinfo.ZoneInfo.fromutc zoneinfo.ZoneInfo.key zoneinfo.ZoneInfo.tzname zoneinfo.ZoneInfo.utcoffset",
)
_plain("keeps values by name; compared like the dicts they are", "types.SimpleNamespace types.NoneType")
_holds(
    "holds its iterator",
    """
    math.fsum: math.fsum({i})
    math.prod: math.prod({i})
    math.dist: math.dist({i}, {i})
    """,
)
_holds(
    "written in Python: what it walks with is its own, and no action sees it",
    """
    random.choice: random.choice({l})
    random.choices: random.choices({l}, weights={i}, k=2)
    random.sample: random.sample({l}, 1)
    random.shuffle: random.shuffle({l})
    secrets.choice: secrets.choice({l})
    statistics.fmean: statistics.fmean({i})
    statistics.harmonic_mean: statistics.harmonic_mean({i})
    statistics.mean: statistics.mean({i})
    statistics.median: statistics.median({i})
    statistics.median_high: statistics.median_high({i})
    statistics.median_low: statistics.median_low({i})
    statistics.mode: statistics.mode({i})
    statistics.multimode: statistics.multimode({i})
    statistics.pstdev: statistics.pstdev({i})
    statistics.pvariance: statistics.pvariance({i})
    statistics.quantiles: statistics.quantiles({i})
    statistics.stdev: statistics.stdev({i})
    statistics.variance: statistics.variance({i})
    ipaddress.collapse_addresses: list(ipaddress.collapse_addresses({i}))
    re.sub: re.sub('a', {f}, 'aaa')
    re.subn: re.subn('a', {f}, 'aaa')
    urllib.parse.urlencode: urllib.parse.urlencode({i}) | urllib.parse.urlencode({{'a': {x}}}, quote_via={f})
    urllib.parse.parse_qs: urllib.parse.parse_qs('a=b')
    logging.info: logging.info('%s', {x})
    """,
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "a85decode a85encode b16decode b16encode b32decode b32encode b32hexdecode b32hexencode b64decode b64encode"
    " b85decode b85encode standard_b64decode standard_b64encode urlsafe_b64decode urlsafe_b64encode",
    "base64.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "Error a2b_base64 a2b_hex b2a_base64 b2a_hex crc32 hexlify unhexlify",
    "binascii.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "day_abbr day_name isleap leapdays month_abbr month_name monthrange timegm weekday",
    "calendar.",
)
_plain(
    "for `isinstance` and annotations alone",
    "Callable Collection Container Hashable Iterable Iterator Mapping MutableMapping MutableSequence MutableSet"
    " Sequence Set Sized",
    "collections.abc.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "MAXYEAR MINYEAR UTC date datetime time timedelta timezone tzinfo",
    "datetime.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "Decimal DecimalException DivisionByZero InvalidOperation ROUND_05UP ROUND_CEILING ROUND_DOWN ROUND_FLOOR"
    " ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP ROUND_UP",
    "decimal.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "algorithms_available algorithms_guaranteed blake2b blake2s md5 new pbkdf2_hmac sha1 sha224 sha256 sha384"
    " sha3_224 sha3_256 sha3_384 sha3_512 sha512",
    "hashlib.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "compare_digest digest new",
    "hmac.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "escape unescape",
    "html.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "AddressValueError IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface IPv6Network NetmaskValueError"
    " ip_address ip_interface ip_network summarize_address_range",
    "ipaddress.",
)
_plain(
    "Python of ours: the text is made at once",
    "CRITICAL DEBUG ERROR FATAL INFO NOTSET WARN WARNING basicConfig critical debug error exception fatal"
    " getLevelName getLogger log warn warning",
    "logging.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees e erf erfc exp exp2 expm1 fabs"
    " factorial floor fmod frexp gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm ldexp lgamma log log10"
    " log1p log2 modf nan nextafter perm pi pow radians remainder sin sinh sqrt tan tanh tau trunc ulp",
    "math.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "betavariate gauss getrandbits randbytes randint random randrange seed triangular uniform",
    "random.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "A ASCII DOTALL I IGNORECASE M MULTILINE Match NOFLAG Pattern PatternError S U UNICODE VERBOSE X compile error"
    " escape findall finditer fullmatch match search split",
    "re.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "compare_digest randbelow randbits token_bytes token_hex token_urlsafe",
    "secrets.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "StatisticsError",
    "statistics.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable punctuation"
    " whitespace",
    "string.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "gmtime localtime mktime monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns"
    " strftime strptime struct_time time time_ns timezone tzname",
    "time.",
)
_plain(
    "for annotations alone",
    "AbstractSet Annotated Any AnyStr Callable ClassVar Collection Container Counter DefaultDict Deque Dict Final"
    " FrozenSet Generator Hashable Iterable Iterator List Literal LiteralString Mapping Match MutableMapping"
    " MutableSequence MutableSet NamedTuple Never NewType NoReturn Optional OrderedDict ParamSpec Pattern Self"
    " Sequence Set Sized"
    " TYPE_CHECKING Text Tuple Type TypeAlias TypeVar TypedDict Union cast",
    "typing.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "bidirectional category combining east_asian_width is_normalized lookup name normalize numeric",
    "unicodedata.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "parse",
    "urllib.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "ParseResult SplitResult parse_qsl quote quote_from_bytes quote_plus unquote unquote_plus unquote_to_bytes"
    " urldefrag urljoin urlparse urlsplit urlunparse urlunsplit",
    "urllib.parse.",
)
_plain(
    "numbers, texts and bytes; what is given besides is refused",
    "NAMESPACE_DNS NAMESPACE_OID NAMESPACE_URL NAMESPACE_X500 RESERVED_FUTURE RESERVED_MICROSOFT RESERVED_NCS"
    " RFC_4122 UUID uuid1 uuid3 uuid4 uuid5",
    "uuid.",
)
_plain(
    "for annotations alone",
    "Api CacheRecord CacheResult Event Factor FactorOptions ProviderOptions",
    "vestibule_actions.",
)
# Methods and types
_plain(
    "plain values in, plain values out",
    "colno doc lineno msg pos",
    "json.decoder.JSONDecodeError.",
)
_plain(
    "plain values in, plain values out",
    "adjusted as_integer_ratio as_tuple canonical compare conjugate copy_abs copy_negate copy_sign exp fma from_float"
    " imag is_finite is_infinite is_nan is_normal is_signed is_subnormal is_zero ln log10 max max_mag min min_mag"
    " next_minus next_plus normalize number_class quantize real remainder_near same_quantum scaleb sqrt to_eng_string"
    " to_integral to_integral_exact to_integral_value",
    "decimal.Decimal.",
)
_plain(
    "plain values in, plain values out",
    "count digits exponent index sign",
    "decimal.DecimalTuple.",
)
_plain(
    "plain values in, plain values out",
    "compressed exploded is_global is_link_local is_loopback is_multicast is_private is_reserved is_unspecified"
    " max_prefixlen packed reverse_pointer version",
    "ipaddress.IPv4Address.",
)
_plain(
    "plain values in, plain values out",
    "compressed exploded ipv4_mapped is_global is_link_local is_loopback is_multicast is_private is_reserved"
    " is_site_local is_unspecified max_prefixlen packed reverse_pointer scope_id sixtofour teredo version",
    "ipaddress.IPv6Address.",
)
_plain(
    "plain values in, plain values out",
    "address_exclude broadcast_address compare_networks compressed exploded hostmask hosts is_global is_link_local"
    " is_loopback is_multicast is_private is_reserved is_unspecified max_prefixlen netmask network_address"
    " num_addresses overlaps prefixlen reverse_pointer subnet_of subnets supernet supernet_of version with_hostmask"
    " with_netmask with_prefixlen",
    "ipaddress.IPv4Network.",
)
_plain(
    "plain values in, plain values out",
    "address_exclude broadcast_address compare_networks compressed exploded hostmask hosts is_global is_link_local"
    " is_loopback is_multicast is_private is_reserved is_site_local is_unspecified max_prefixlen netmask"
    " network_address num_addresses overlaps prefixlen reverse_pointer subnet_of subnets supernet supernet_of version"
    " with_hostmask with_netmask with_prefixlen",
    "ipaddress.IPv6Network.",
)
_plain(
    "plain values in, plain values out",
    "compressed exploded hostmask ip is_global is_link_local is_loopback is_multicast is_private is_reserved"
    " is_unspecified max_prefixlen netmask network packed reverse_pointer version with_hostmask with_netmask"
    " with_prefixlen",
    "ipaddress.IPv4Interface.",
)
_plain(
    "plain values in, plain values out",
    "compressed exploded hostmask ip ipv4_mapped is_global is_link_local is_loopback is_multicast is_private"
    " is_reserved is_site_local is_unspecified max_prefixlen netmask network packed reverse_pointer scope_id sixtofour"
    " teredo version with_hostmask with_netmask with_prefixlen",
    "ipaddress.IPv6Interface.",
)
_plain(
    "plain values in, plain values out",
    "count fragment geturl hostname index netloc params password path port query scheme username",
    "urllib.parse.ParseResult.",
)
_plain(
    "plain values in, plain values out",
    "count fragment geturl hostname index netloc params password path port query scheme username",
    "urllib.parse.ParseResultBytes.",
)
_plain(
    "plain values in, plain values out",
    "count fragment geturl hostname index netloc password path port query scheme username",
    "urllib.parse.SplitResult.",
)
_plain(
    "plain values in, plain values out",
    "count fragment geturl hostname index netloc password path port query scheme username",
    "urllib.parse.SplitResultBytes.",
)
_plain(
    "plain values in, plain values out",
    "count fragment geturl index url",
    "urllib.parse.DefragResult.",
)
_plain(
    "plain values in, plain values out",
    "count fragment geturl index url",
    "urllib.parse.DefragResultBytes.",
)
_plain(
    "plain values in, plain values out",
    "ctime day fromisocalendar fromisoformat fromordinal fromtimestamp isocalendar isoformat isoweekday max min month"
    " replace resolution strftime timetuple today toordinal weekday year",
    "datetime.date.",
)
_plain(
    "plain values in, plain values out",
    "astimezone combine ctime date day dst fold fromisocalendar fromisoformat fromordinal fromtimestamp hour"
    " isocalendar isoformat isoweekday max microsecond min minute month now replace resolution second strftime"
    " strptime time timestamp timetuple timetz today toordinal tzinfo tzname utcfromtimestamp utcnow utcoffset"
    " utctimetuple weekday year",
    "datetime.datetime.",
)
_plain(
    "plain values in, plain values out",
    "dst fold fromisoformat hour isoformat max microsecond min minute replace resolution second strftime tzinfo"
    " tzname utcoffset",
    "datetime.time.",
)
_plain(
    "plain values in, plain values out",
    "days max microseconds min resolution seconds total_seconds",
    "datetime.timedelta.",
)
_plain(
    "plain values in, plain values out",
    "dst fromutc max min tzname utc utcoffset",
    "datetime.timezone.",
)
_plain(
    "plain values in, plain values out",
    "week weekday year",
    "datetime.IsoCalendarDate.",
)
_plain(
    "plain values in, plain values out",
    "count index tm_gmtoff tm_hour tm_isdst tm_mday tm_min tm_mon tm_sec tm_wday tm_yday tm_year tm_zone",
    "time.struct_time.",
)
_plain(
    "plain values in, plain values out",
    "block_size copy digest digest_size hexdigest name update",
    "_blake2.blake2b.",
)
_plain(
    "plain values in, plain values out",
    "block_size copy digest digest_size hexdigest name update",
    "_blake2.blake2s.",
)
_plain(
    "plain values in, plain values out",
    "block_size copy digest digest_size hexdigest name update",
    "_hashlib.HASH.",
)
_plain(
    "plain values in, plain values out",
    "block_size copy digest digest_size hexdigest name update",
    "hmac.HMAC.",
)
_plain(
    "plain values in, plain values out",
    "bytes bytes_le clock_seq clock_seq_hi_variant clock_seq_low fields hex int node time time_hi_version time_low"
    " time_mid urn variant version",
    "uuid.UUID.",
)
_plain(
    "what it shows has rows of its own; what is nested is freed by going down the C stack, which is deep enough",
    "ArithmeticError AssertionError AttributeError ConnectionError EOFError Exception FloatingPointError ImportError"
    " IndexError KeyError LookupError MemoryError ModuleNotFoundError NameError NoneType NotImplementedError OSError"
    " OverflowError PermissionError RecursionError RuntimeError StopIteration TimeoutError TypeError UnboundLocalError"
    " UnicodeDecodeError UnicodeEncodeError UnicodeError ValueError ZeroDivisionError _blake2.blake2b _blake2.blake2s"
    " _collections._deque_iterator _collections._deque_reverse_iterator _hashlib.HASH binascii.Error bool"
    # CPython 3.12 renamed the two above, and has one more, which no action can make.
    " collections._deque_iterator collections._deque_reverse_iterator itertools.batched"
    " builtin_function_or_method bytes bytes_iterator code collections.Counter collections.OrderedDict"
    " collections.defaultdict collections.deque complex datetime.IsoCalendarDate datetime.date datetime.datetime"
    " datetime.time datetime.timedelta datetime.timezone datetime.tzinfo decimal.Decimal decimal.DecimalException"
    " decimal.DecimalTuple decimal.DivisionByZero decimal.InvalidOperation decimal.Overflow dict dict_itemiterator"
    " dict_items dict_keyiterator dict_keys dict_reverseitemiterator dict_reversekeyiterator dict_reversevalueiterator"
    " dict_valueiterator dict_values enumerate filter float frame frozenset function functools.partial hmac.HMAC int"
    " ipaddress.AddressValueError ipaddress.IPv4Address ipaddress.IPv4Interface ipaddress.IPv4Network"
    " ipaddress.IPv6Address ipaddress.IPv6Interface ipaddress.IPv6Network ipaddress.NetmaskValueError"
    " itertools._grouper itertools._tee itertools.accumulate itertools.chain itertools.combinations"
    " itertools.combinations_with_replacement itertools.compress itertools.count itertools.cycle itertools.dropwhile"
    " itertools.filterfalse itertools.groupby itertools.islice itertools.pairwise itertools.permutations"
    " itertools.product itertools.repeat itertools.starmap itertools.takewhile itertools.zip_longest"
    " json.decoder.JSONDecodeError list list_iterator list_reverseiterator longrange_iterator map method module"
    " odict_items odict_iterator odict_keys odict_values range range_iterator reversed set set_iterator slice"
    " statistics.StatisticsError str str_ascii_iterator str_iterator time.struct_time traceback tuple tuple_iterator"
    " types.SimpleNamespace urllib.parse.DefragResult urllib.parse.DefragResultBytes urllib.parse.ParseResult"
    " urllib.parse.ParseResultBytes urllib.parse.SplitResult urllib.parse.SplitResultBytes uuid.UUID zip"
    " zoneinfo.ZoneInfo zoneinfo._common.ZoneInfoNotFoundError",
    "type:",
)
_holds(
    "a generator expression: CPython refuses to enter it twice, and what runs it holds it",
    "type:generator: (({f})(item) for item in {i})",
)
_plain("a class of ours: written in Python, or of plain values", "type:sandbox.* sandbox.*")
_ERRORS: Final = (
    "ArithmeticError AssertionError AttributeError ConnectionError EOFError Exception FloatingPointError ImportError"
    " IndexError KeyError LookupError MemoryError ModuleNotFoundError NameError NotImplementedError OSError"
    " OverflowError PermissionError RecursionError RuntimeError StopIteration TimeoutError TypeError UnboundLocalError"
    " UnicodeDecodeError UnicodeEncodeError UnicodeError ValueError ZeroDivisionError binascii.Error"
    " decimal.DecimalException decimal.DivisionByZero decimal.InvalidOperation decimal.Overflow"
    " ipaddress.AddressValueError ipaddress.NetmaskValueError json.decoder.JSONDecodeError statistics.StatisticsError"
    " zoneinfo._common.ZoneInfoNotFoundError"
)
_plain("keeps a text with the exception", " ".join(f"{name}.add_note" for name in _ERRORS.split()))

# Statements and expressions
_plain(
    "moves references between places that hold them",
    "AnnAssign Assert Attribute BoolOp Break Constant Continue Dict Expr FormattedValue FunctionDef Global If IfExp"
    " Import ImportFrom JoinedStr Lambda List Module Name NamedExpr Nonlocal Pass Return Set Slice Tuple UnaryOp While"
    " With arg arguments keyword",
    "statement:",
)
_holds(
    "the stack of the frame holds both sides, the iterator and the function for as long as they are used",
    """
    statement:Call: ({f})({x}) | ({f})(*{i}) | dict(**{d})
    statement:Starred: [*{i}] | max(*{i})
    statement:For: [item for item in {i}] | use_for({i})
    statement:comprehension: [item for item in {i} if ({f})(item)] | [a for a, b in zip({i}, {i})]
    statement:ListComp: [item for item in {i}]
    statement:SetComp: {{item for item in {i}}}
    statement:DictComp: {{item: 1 for item in {i}}}
    statement:GeneratorExp: ({f}(item) for item in {i}) if callable({f}) else None
    statement:Compare: {k} in {l} | {l} == [{k}] | {l} < [{k}] | {d} == {{1: {k}}} | {q} == {q} | {k} in {i}
    statement:BinOp: ({k},) == ({k},) | {k} in {q} | {l} + [{k}] | {s} - set({i}) | {d}.items() & {d}.items()
    statement:Subscript: {l}[1] | {d}[99]
    statement:Try: use_try({f})
    statement:ExceptHandler: use_try({f})
    statement:Raise: use_try({f})
    statement:Match: use_match({x}) | use_match({l}) | use_match({d})
    statement:ClassDef: use_class({f})
    statement:Yield: use_yield({i}) | list(use_yield({i})) | next(use_yield({i}))
    statement:YieldFrom: use_yield_from({i}) | list(use_yield_from({i})) | dict(zip(use_yield_from({i}), {i}))
    """,
)
_held(
    "the right side is a list before the places are looked for",
    """
    statement:Assign: use_slice({l}, {i}) | use_slice_object({l}, {i}) | use_slice_chain({l}, {i})
    """,
)
_holds(
    "CPython makes a list of the right side first, and looks at the target anew",
    """
    statement:AugAssign: use_augmented({l}, {i})
    statement:Delete: use_delete({l})
    """,
)
