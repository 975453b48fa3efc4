"""One line of an action for every name of every module, with what it must answer.

Used three times: for the answers, for what they import and open in a locked-down worker, and as the start of the walk
through everything within reach. A name that no line mentions fails a test.
"""

# Lines are what an author would write, as long as they have to be.
# ruff: noqa: E501  a table: one case a line

from __future__ import annotations

from typing import Final

CORPUS: Final[dict[str, list[tuple[str, object]]]] = {
    "__future__": [("1", 1)],
    "base64": [
        ("base64.b64encode(b'hi?>'), base64.b64decode('aGk/Pg==')", (b"aGk/Pg==", b"hi?>")),
        ("base64.urlsafe_b64encode(b'hi?>'), base64.urlsafe_b64decode('aGk_Pg==')", (b"aGk_Pg==", b"hi?>")),
        ("base64.standard_b64encode(b'a'), base64.standard_b64decode('YQ==')", (b"YQ==", b"a")),
        ("base64.b32encode(b'a'), base64.b32decode('ME======')", (b"ME======", b"a")),
        ("base64.b32hexencode(b'a'), base64.b32hexdecode('C4======')", (b"C4======", b"a")),
        ("base64.b16encode(b'a'), base64.b16decode('61')", (b"61", b"a")),
        ("base64.a85encode(b'abcd'), base64.a85decode(base64.a85encode(b'abcd'))", (b"@:E_W", b"abcd")),
        ("base64.b85decode(base64.b85encode(b'abcd'))", b"abcd"),
    ],
    "binascii": [
        ("binascii.hexlify(b'a'), binascii.unhexlify('61'), binascii.b2a_hex(b'a'), binascii.a2b_hex('61')",
         (b"61", b"a", b"61", b"a")),
        ("binascii.b2a_base64(b'a'), binascii.a2b_base64(b'YQ=='), binascii.crc32(b'a')", (b"YQ==\n", b"a", 3904355907)),
        ("issubclass(binascii.Error, ValueError)", True),
    ],
    "bisect": [
        ("bisect.bisect([1, 2, 2, 3], 2), bisect.bisect_left([1, 2, 2, 3], 2), bisect.bisect_right([1, 2, 2], 2, 0, 2)", (3, 1, 2)),
        ("bisect.bisect_left([3, 2, 1], -2, key=lambda x: -x)", 1),
        ("x = [1, 3]\nbisect.insort(x, 2)\nbisect.insort_left(x, 0)\nbisect.insort_right(x, 2, key=lambda n: n)\nreturn x", [0, 1, 2, 2, 3]),
    ],
    "calendar": [
        ("calendar.day_name[0], calendar.day_abbr[6], calendar.month_name[2], calendar.month_abbr[12], calendar.leapdays(2000, 2024)",
         ("Monday", "Sun", "February", "Dec", 6)),
        ("calendar.isleap(2024), calendar.monthrange(2024, 2), calendar.weekday(2024, 2, 29)", (True, (3, 29), 3)),
        ("import time\nreturn calendar.timegm(time.gmtime(5))", 5),
    ],
    "collections": [
        ("collections.Counter('aba').most_common(1)", [("a", 2)]),
        ("d = collections.defaultdict(list)\nd['a'].append(1)\nreturn dict(d)", {"a": [1]}),
        ("d = collections.deque([1, 2], maxlen=2)\nd.append(3)\nreturn list(d)", [2, 3]),
        ("d = collections.OrderedDict(a=1, b=2)\nd.move_to_end('a')\nreturn list(d)", ["b", "a"]),
        ("P = collections.namedtuple('P', 'x, y', defaults=[5])\np = P(1)\nreturn p.x, p.y, p[1], tuple(P(y=2, x=3)), repr(p)",
         (1, 5, 5, (3, 2), "P(x=1, y=5)")),
        ("isinstance([], collections.abc.Sequence)", True),
        ("c = collections.ChainMap({'a': 1}, {'a': 2, 'b': 3})\nreturn c['a'], c['b'], dict(c), repr(c.parents)",
         (1, 3, {"a": 1, "b": 3}, "ChainMap({'a': 2, 'b': 3})")),
    ],
    "collections.abc": [
        ("import collections.abc as abc\nreturn [isinstance(v, abc.Mapping) for v in ({}, [], 'a')]", [True, False, False]),
        ("import collections.abc as a\nreturn isinstance(len, a.Callable), isinstance({}, a.Collection), 1 in [1],"
         " isinstance([], a.Container), isinstance([], a.Hashable), isinstance([], a.Iterable), isinstance([], a.Iterator),"
         " isinstance({}, a.MutableMapping), isinstance([], a.MutableSequence), isinstance(set(), a.MutableSet),"
         " isinstance('', a.Sequence), isinstance(set(), a.Set), isinstance([], a.Sized)",
         (True, True, True, True, False, True, False, True, True, True, True, True, True)),
    ],
    "contextlib": [
        ("with contextlib.suppress(KeyError, ValueError):\n    {}['a']\nreturn 'here'", "here"),
        ("with contextlib.nullcontext([1]) as x, contextlib.suppress():\n    x.append(2)\nreturn x", [1, 2]),
    ],
    "copy": [
        ("a = [[1]]\nb = copy.copy(a)\nc = copy.deepcopy(a)\na[0].append(2)\nreturn b, c", ([[1, 2]], [[1]])),
        ("a = {'x': ({'y': 1},)}\na['self'] = a\nb = copy.deepcopy(a)\nreturn b['self'] is b, b['x'] == a['x'], b is a",
         (True, True, False)),
    ],
    "dataclasses": [
        ("@dataclasses.dataclass\nclass R:\n    a: int\n    b: list = dataclasses.field(default_factory=list)\nr = R(1)\nr.b.append(2)\n"
         "return repr(r), r == R(1, [2]), dataclasses.asdict(r), dataclasses.astuple(r), dataclasses.replace(r, a=3).a",
         ("R(a=1, b=[2])", True, {"a": 1, "b": [2]}, (1, [2]), 3)),
    ],
    "datetime": [
        ("str(datetime.datetime.now())", "2023-11-14 22:13:20.123456"),
        ("str(datetime.datetime.now(datetime.UTC))", "2023-11-14 22:13:20.123456+00:00"),
        ("str(datetime.date.today()), str(datetime.datetime.utcnow() - datetime.datetime.today())",
         ("2023-11-14", "0:00:00")),
        ("repr(datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)), repr(datetime.date(2024, 1, 2)),"
         " repr(datetime.time(1, 2))",
         ("datetime.datetime(2024, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)", "datetime.date(2024, 1, 2)",
          "datetime.time(1, 2)")),
        ("datetime.datetime.fromisoformat('2024-01-01T00:00:00.500Z').timestamp()", 1704067200.5),
        ("datetime.datetime(2024, 1, 1).timestamp(), datetime.datetime.fromtimestamp(0).isoformat()",
         (1704067200.0, "1970-01-01T00:00:00")),
        ("datetime.datetime(2024, 1, 1).astimezone(datetime.timezone(datetime.timedelta(hours=-5))).isoformat()",
         "2023-12-31T19:00:00-05:00"),
        ("datetime.datetime.now().astimezone().tzname()", "UTC"),
        ("isinstance(datetime.datetime.now(), datetime.date), isinstance(datetime.timezone.utc, datetime.tzinfo)",
         (True, True)),
        ("now = datetime.datetime.now()\nreturn [type(v) is t for v, t in ((now.date(), datetime.date),"
         " (now.time(), datetime.time), (now.timetz(), datetime.time), (now + datetime.timedelta(1), datetime.datetime),"
         " (now.replace(day=1), datetime.datetime), (now - now, datetime.timedelta), (datetime.date.min, datetime.date),"
         " (datetime.datetime.max, datetime.datetime), (datetime.time.min, datetime.time),"
         " (now.date() - datetime.timedelta(1), datetime.date), (datetime.datetime.strptime('2000', '%Y'), datetime.datetime),"
         " (datetime.datetime.combine(now.date(), now.time()), datetime.datetime),"
         " (now.astimezone(datetime.UTC), datetime.datetime), (datetime.date.fromtimestamp(0), datetime.date))]",
         [True] * 14),
        ("f'{datetime.datetime.now():%A %d %B %Y, %H:%M}', datetime.MINYEAR, datetime.MAXYEAR",
         ("Tuesday 14 November 2023, 22:13", 1, 9999)),
        ("datetime.datetime.strptime('2024-02-29 10:00:00 +0100', '%Y-%m-%d %H:%M:%S %z').isoformat()",
         "2024-02-29T10:00:00+01:00"),
        ("tuple(datetime.date(2024, 2, 29).isocalendar()), datetime.date(2024, 2, 29).isocalendar().week", ((2024, 9, 4), 9)),
        ("now = datetime.datetime.now()\nreturn now.timetuple().tm_yday, now.utctimetuple().tm_hour, now.ctime(),"
         " now.date().timetuple()[:3]", (318, 22, "Tue Nov 14 22:13:20 2023", (2023, 11, 14))),
        ("datetime.datetime(2024, 1, 1) < datetime.datetime(2024, 1, 2), datetime.timedelta(days=1).total_seconds()",
         (True, 86400.0)),
    ],
    "decimal": [
        ("str(decimal.Decimal('1.005').quantize(decimal.Decimal('0.01'), rounding=decimal.ROUND_HALF_UP))", "1.01"),
        ("len({decimal.ROUND_05UP, decimal.ROUND_CEILING, decimal.ROUND_DOWN, decimal.ROUND_FLOOR,"
         " decimal.ROUND_HALF_DOWN, decimal.ROUND_HALF_EVEN, decimal.ROUND_UP})", 7),
        ("try:\n    decimal.Decimal(1) / 0\nexcept decimal.DivisionByZero:\n    return 'by zero'", "by zero"),
        ("try:\n    decimal.Decimal('x')\nexcept decimal.InvalidOperation:\n    return 'invalid'", "invalid"),
        ("issubclass(decimal.InvalidOperation, decimal.DecimalException)", True),
        ("decimal.Decimal('1.5').as_tuple().digits", (1, 5)),
        ("with decimal.localcontext() as c:\n    c.prec = 3\n    x = str(decimal.Decimal(1) / 3)\n"
         "return x, decimal.getcontext().prec, decimal.getcontext().rounding", ("0.333", 28, "ROUND_HALF_EVEN")),
    ],
    "email": [("import email.utils\nreturn email.utils.parseaddr('a@b.c')", ("", "a@b.c"))],
    "email.utils": [
        ("import email.utils as u\nreturn u.parseaddr('Ada <ada@example.com>'), u.formataddr(('Ada', 'ada@example.com')),"
         " u.getaddresses(['a@b.c, D <d@e.f>'])",
         (("Ada", "ada@example.com"), "Ada <ada@example.com>", [("", "a@b.c"), ("D", "d@e.f")])),
        ("import email.utils as u, datetime\nwhen = u.parsedate_to_datetime('Tue, 24 Nov 2026 08:00:00 +0100')\n"
         "return when.isoformat(), type(when) is datetime.datetime, u.format_datetime(when)",
         ("2026-11-24T08:00:00+01:00", True, "Tue, 24 Nov 2026 08:00:00 +0100")),
    ],
    "enum": [
        ("E = enum.Enum('E', 'LOW HIGH')\nreturn [m.name for m in E], E(2).name, E['LOW'].value, repr(E.LOW), str(E.HIGH), E.LOW in E, len(E)",
         (["LOW", "HIGH"], "HIGH", 1, "<E.LOW: 1>", "E.HIGH", True, 2)),
        ("@enum.unique\nclass N(enum.IntEnum):\n    A = enum.auto()\n    B = enum.auto()\nreturn N.B + 1, N.A < N.B, sorted([N.B, N.A])[0] is N.A",
         (3, True, True)),
        ("S = enum.StrEnum('S', ['UP', 'DOWN'])\nreturn S.UP == 'up', f'{S.DOWN}', {S.UP: 1}['up'], S('up').upper()", (True, "down", 1, "UP")),
    ],
    "fnmatch": [
        ("fnmatch.fnmatch('a.example.com', '*.example.com'), fnmatch.fnmatchcase('A', 'a'), fnmatch.filter(['a1', 'b2', 'a'], 'a?')",
         (True, False, ["a1"])),
    ],
    "functools": [
        ("@functools.lru_cache(maxsize=None)\ndef fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
         "@functools.cache\ndef one(a, *, b=1):\n    return [a]\nreturn fib(50), one(1) is one(1), fib.__name__", (12586269025, True, "fib")),
        ("def log(f):\n    @functools.wraps(f)\n    def call(*a):\n        return f(*a)\n    return call\n"
         "@log\ndef add(a):\n    'adds'\n    return a + 1\nreturn add(1), add.__name__, add.__doc__", (2, "add", "adds")),
        ("functools.reduce(lambda a, b: a + b, [1, 2, 3])", 6),
        ("functools.partial(int, base=2)('11')", 3),
        ("sorted([1, 3, 2], key=functools.cmp_to_key(lambda a, b: b - a))", [3, 2, 1]),
    ],
    "hashlib": [
        ("hashlib.sha256(b'a').hexdigest()[:8], hashlib.new('SHA-256', b'a').hexdigest()[:8]", ("ca978112", "ca978112")),
        ("[len(hashlib.new(name, b'a').digest()) for name in sorted(hashlib.algorithms_available)]",
         [64, 32, 16, 20, 28, 32, 48, 28, 32, 48, 64, 64]),
        ("[f(b'a').digest_size for f in (hashlib.blake2b, hashlib.blake2s, hashlib.md5, hashlib.sha1, hashlib.sha224,"
         " hashlib.sha384, hashlib.sha512, hashlib.sha3_224, hashlib.sha3_256, hashlib.sha3_384, hashlib.sha3_512)]",
         [64, 32, 16, 20, 28, 48, 64, 28, 32, 48, 64]),
        ("hashlib.blake2b(b'a', key=b'k', digest_size=4).hexdigest(), hashlib.algorithms_guaranteed == "
         "hashlib.algorithms_available", ("d20651c9", True)),
        ("h = hashlib.md5(usedforsecurity=False)\nh.update(b'a')\nreturn h.copy().hexdigest(), h.name, h.block_size",
         ("0cc175b9c0f1b6a831c399e269772661", "md5", 64)),
        ("hashlib.pbkdf2_hmac('sha256', b'p', b's', 2, 4).hex()", "1998f3d3"),
    ],
    "heapq": [
        ("h = [3, 1, 2]\nheapq.heapify(h)\nheapq.heappush(h, 0)\n"
         "return [heapq.heappop(h) for _ in range(2)], heapq.heapreplace(h, 9), heapq.heappushpop(h, 1), sorted(h)", ([0, 1], 2, 1, [3, 9])),
        ("heapq.nlargest(2, [1, 3, 2]), heapq.nsmallest(1, 'bca', key=ord), list(heapq.merge([1, 4], [2, 3]))", ([3, 2], ["a"], [1, 2, 3, 4])),
    ],
    "hmac": [
        ("import hashlib\nreturn hmac.new(b'k', b'm', hashlib.sha256).hexdigest() == hmac.digest(b'k', b'm', 'sha256').hex()",
         True),
        ("hmac.compare_digest('a', 'a'), hmac.compare_digest(b'a', b'b')", (True, False)),
        ("h = hmac.new(b'k', digestmod='sha1')\nh.update(b'm')\nreturn h.digest_size, h.name, h.copy().hexdigest()[:6]",
         (20, "hmac-sha1", "772b71")),
    ],
    "html": [("html.escape('<a\"&>'), html.unescape('&lt;&eacute;&#x41;')", ("&lt;a&quot;&amp;&gt;", "<éA"))],
    "ipaddress": [
        ("ipaddress.ip_address('10.1.2.3') in ipaddress.ip_network('10.0.0.0/8')", True),
        ("ipaddress.ip_address('::1') in ipaddress.ip_network('10.0.0.0/8')", False),
        ("ipaddress.ip_network('10.0.0.1/8', strict=False).with_prefixlen", "10.0.0.0/8"),
        ("[str(h) for h in ipaddress.ip_network('10.0.0.0/30').hosts()]", ["10.0.0.1", "10.0.0.2"]),
        ("ipaddress.ip_address('10.0.0.1').is_private, ipaddress.ip_address('::ffff:1.2.3.4').ipv4_mapped.compressed",
         (True, "1.2.3.4")),
        ("[isinstance(ipaddress.ip_address(a), c) for a, c in (('1.1.1.1', ipaddress.IPv4Address),"
         " ('::1', ipaddress.IPv6Address))]", [True, True]),
        ("[str(c(a)) for c, a in ((ipaddress.IPv4Network, '1.0.0.0/8'), (ipaddress.IPv6Network, 'fe80::/10'),"
         " (ipaddress.IPv4Interface, '1.0.0.1/8'), (ipaddress.IPv6Interface, 'fe80::1/10'))]",
         ["1.0.0.0/8", "fe80::/10", "1.0.0.1/8", "fe80::1/10"]),
        ("str(ipaddress.ip_interface('10.0.0.5/24').network)", "10.0.0.0/24"),
        ("try:\n    ipaddress.IPv4Address('x')\nexcept ipaddress.AddressValueError:\n    return 'bad'", "bad"),
        ("try:\n    ipaddress.IPv4Network('1.0.0.0/99')\nexcept ipaddress.NetmaskValueError:\n    return 'bad'", "bad"),
        ("a = ipaddress.ip_network('10.0.0.0/25')\nb = ipaddress.ip_network('10.0.0.128/25')\n"
         "return [str(n) for n in ipaddress.collapse_addresses([a, b])]", ["10.0.0.0/24"]),
        ("a, b = ipaddress.ip_address('10.0.0.0'), ipaddress.ip_address('10.0.0.3')\n"
         "return [str(n) for n in ipaddress.summarize_address_range(a, b)]", ["10.0.0.0/30"]),
    ],
    "itertools": [
        ("list(itertools.chain([1], [2])), list(itertools.chain.from_iterable([[1], [2]]))", ([1, 2], [1, 2])),
        ("list(itertools.accumulate([1, 2, 3])), list(itertools.combinations('abc', 2))[0]", ([1, 3, 6], ("a", "b"))),
        ("len(list(itertools.combinations_with_replacement('ab', 2))), list(itertools.compress('ab', [0, 1]))", (3, ["b"])),
        ("list(itertools.islice(itertools.count(5), 2)), list(itertools.islice(itertools.cycle([1]), 2))", ([5, 6], [1, 1])),
        ("list(itertools.dropwhile(bool, [1, 0, 1])), list(itertools.takewhile(bool, [1, 0]))", ([0, 1], [1])),
        ("list(itertools.filterfalse(bool, [0, 1])), [(k, list(g)) for k, g in itertools.groupby('aab')]",
         ([0], [("a", ["a", "a"]), ("b", ["b"])])),
        ("list(itertools.pairwise([1, 2, 3])), len(list(itertools.permutations('abc')))", ([(1, 2), (2, 3)], 6)),
        ("list(itertools.product('a', [1])), list(itertools.repeat(1, 2)), list(itertools.starmap(pow, [(2, 3)]))",
         ([("a", 1)], [1, 1], [8])),
        ("list(itertools.zip_longest([1], [], fillvalue=0))", [(1, 0)]),
    ],
    "json": [
        ("json.loads('{\"a\": [1, 2.5, null, true, \"\\\\u00e9\"]}')", {"a": [1, 2.5, None, True, "é"]}),
        ("json.dumps({'b': (1, None), 'a': 'é'}, sort_keys=True, ensure_ascii=False, separators=(',', ':'))",
         '{"a":"é","b":[1,null]}'),
        ("json.dumps({1: {'x': 1}}, indent=2)", '{\n  "1": {\n    "x": 1\n  }\n}'),
        ("import datetime\nreturn json.dumps({'at': datetime.date(2024, 1, 2)}, default=str)", '{"at": "2024-01-02"}'),
        ("try:\n    json.loads('{')\nexcept json.JSONDecodeError as e:\n    return e.pos, e.lineno, e.colno, e.msg",
         (1, 1, 2, "Expecting property name enclosed in double quotes")),
    ],
    "logging": [
        ("log = logging.getLogger('a')\nlog.info('x %s', 1)\nlog.error('y')\nreturn log.name, log.getEffectiveLevel(),"
         " log.isEnabledFor(logging.DEBUG), log.getChild('b').name", ("a", 0, True, "a.b")),
        ("logging.debug('a')\nlogging.info('a')\nlogging.warning('a')\nlogging.warn('a')\nlogging.error('a')\n"
         "logging.critical('a')\nlogging.fatal('a')\nlogging.exception('a')\nlogging.log(logging.INFO, 'a')\n"
         "logging.basicConfig(level=logging.ERROR, format='x')\nreturn logging.getLevelName(40)", "ERROR"),
        ("logging.NOTSET, logging.WARN, logging.WARNING, logging.FATAL, logging.CRITICAL", (0, 30, 30, 50, 50)),
    ],
    "math": [
        ("math.factorial(5), math.comb(5, 2), math.perm(5, 2), math.perm(3), math.prod([2, 3], start=2), math.lcm(4, 6)",
         (120, 10, 20, 6, 12, 12)),
        ("math.pow(2, 3), math.gcd(4, 6), math.isqrt(17), math.floor(1.5), math.ceil(1.5), math.trunc(-1.5)",
         (8.0, 2, 4, 1, 2, -1)),
        ("[round(f(0.5), 6) for f in (math.acos, math.asin, math.asinh, math.atan, math.atanh, math.cbrt, math.cos,"
         " math.cosh, math.degrees, math.erf, math.erfc, math.exp, math.exp2, math.expm1, math.fabs, math.gamma,"
         " math.lgamma, math.log, math.log10, math.log1p, math.log2, math.radians, math.sin, math.sinh, math.sqrt,"
         " math.tan, math.tanh)][:3]", [1.047198, 0.523599, 0.481212]),
        ("math.acosh(1), math.atan2(0, 1), math.copysign(1, -2), math.dist([0, 0], [3, 4]), math.fmod(5, 3),"
         " math.frexp(8), math.fsum([0.5, 0.5]), math.hypot(3, 4), math.ldexp(1, 3), math.modf(1.5)",
         (0.0, 0.0, -1.0, 5.0, 2.0, (0.5, 4), 1.0, 5.0, 8.0, (0.5, 1.0))),
        ("math.isclose(1, 1), math.isfinite(math.inf), math.isinf(math.inf), math.isnan(math.nan), math.nextafter(1, 1),"
         " math.remainder(5, 3), math.ulp(1.0) > 0, int(math.pi + math.e + math.tau)",
         (True, False, True, True, 1.0, -1.0, True, 12)),
    ],
    "operator": [
        ("operator.add(1, 2), operator.sub(3, 1), operator.mul(2, 3), operator.truediv(3, 2), operator.floordiv(3, 2), operator.mod(7, 4),"
         " operator.pow(2, 5), operator.neg(1), operator.pos(1), operator.abs(-1), operator.inv(0), operator.invert(0), operator.index(4)",
         (3, 2, 6, 1.5, 1, 3, 32, -1, 1, 1, -1, -1, 4)),
        ("operator.lshift(1, 3), operator.rshift(8, 3), operator.xor(1, 3), operator.is_(None, None), operator.is_not(1, None),"
         " operator.concat([1], [2]), operator.countOf([1, 1, 2], 1), operator.indexOf([1, 2], 2)", (8, 1, 2, True, True, [1, 2], 2, 1)),
        ("x = [1, 2, 3]\noperator.setitem(x, 0, 9)\noperator.delitem(x, slice(1, 2))\n"
         "return x, operator.getitem(x, 0), operator.getitem(x, slice(0, 1)), operator.methodcaller('split', ',')('a,b')",
         ([9, 3], 9, [9], ["a", "b"])),
        ("operator.itemgetter(1)('ab'), operator.itemgetter(0, 1)('ab'), operator.attrgetter('real')(3)", ("b", ("a", "b"), 3)),
        ("operator.attrgetter('real', 'imag')(3)", (3, 0)),
        ("operator.and_(6, 3), operator.or_(6, 3), operator.not_(0), operator.truth(1), operator.contains([1], 1)",
         (2, 7, True, True, True)),
        ("operator.eq(1, 1), operator.ne(1, 1), operator.lt(1, 2), operator.le(1, 1), operator.gt(1, 2), operator.ge(1, 1)",
         (True, False, True, True, False, True)),
    ],
    "pprint": [("pprint.pprint({'b': 1, 'a': 2})\nreturn pprint.pformat({'b': [1], 'a': {2, 1}})", "{'a': {1, 2}, 'b': [1]}")],
    "random": [
        ("all([0 <= random.random() < 1, 1 <= random.randint(1, 6) <= 6, random.randrange(5) < 5, random.choice('ab') in 'ab',"
         " len(random.choices('ab', k=3)) == 3, sorted(random.sample(range(9), 9)) == list(range(9)),"
         " 1 <= random.uniform(1, 2) <= 2, 0 <= random.getrandbits(8) < 256, len(random.randbytes(4)) == 4,"
         " 0 <= random.betavariate(1, 1) <= 1, 0 <= random.triangular() <= 1, random.gauss(0, 1) < 9])", True),
        ("x = [1, 2, 3]\nrandom.shuffle(x)\nreturn sorted(x)", [1, 2, 3]),
        ("random.seed(3)\nreturn round(random.random(), 6)", 0.237965),
    ],
    "re": [
        ("m = re.search(r'(?P<user>[\\w.]+)@(\\w+)', 'mail josé.x@exämple now', re.I)\n"
         "return m.group('user'), m[2], m.groups(), m.groupdict(), m.span(), m.start(1), m.end('user'), m.lastindex,"
         " m.lastgroup, m.string[:4], m.pos, m.endpos, m.re.groups, m.expand(r'\\2!')",
         ("josé.x", "exämple", ("josé.x", "exämple"), {"user": "josé.x"}, (5, 19), 5, 11, 2, None, "mail", 0, 23, 2,
          "exämple!")),
        ("re.findall(r'(\\d)(\\w)?', '1a2'), re.split(r'[,;]\\s*', 'a, b;c'), re.sub('x*', '-', 'abxd')",
         ([("1", "a"), ("2", "")], ["a", "b", "c"], "-a-b--d-")),
        ("re.sub(r'(?P<a>\\w)(\\w)', r'\\2é\\g<a>\\n\\\\', 'abcd'), re.subn('a', lambda m: m.group().upper(), 'aba', count=1)",
         ("béa\n\\déc\n\\", ("Aba", 1))),
        ("[m.group() for m in re.finditer('a.', 'abac')], re.escape('a.b'), re.fullmatch('a{,2}', 'aa') is not None",
         (["ab", "ac"], "a\\.b", True)),
        ("p = re.compile('^a b # c', re.X | re.M)\nreturn isinstance(p, re.Pattern), p.pattern, p.flags, p.groups,"
         " p.groupindex, p.match('ab') is not None, p.findall('ab\\nab'), isinstance(p.search('ab'), re.Match)",
         (True, "^a b # c", 104, 0, {}, True, ["ab", "ab"], True)),
        ("try:\n    re.compile('(a')\nexcept re.error as e:\n    return e.msg, e.pattern, re.error is re.PatternError",
         ("missing ): (a", "(a", True)),
        ("[re.A, re.ASCII, re.DOTALL, re.S, re.I, re.IGNORECASE, re.M, re.MULTILINE, re.NOFLAG, re.U, re.UNICODE,"
         " re.VERBOSE, re.X]", [256, 256, 16, 16, 2, 2, 8, 8, 0, 32, 32, 64, 64]),
        ("re.match(b'a(.)', b'ab').group(1), re.sub(b'a', b'\\\\\\\\', b'a')", (b"b", b"\\")),
    ],
    "secrets": [
        ("len(secrets.token_hex(4)), len(secrets.token_bytes()), len(secrets.token_urlsafe(3)), secrets.choice([1]),"
         " secrets.randbelow(1), secrets.randbits(4) < 16, secrets.compare_digest('a', 'a')", (8, 32, 4, 1, 0, True, True)),
    ],
    "statistics": [
        ("statistics.mean([1, 2]), statistics.fmean([1, 2]), statistics.median([1, 3]), statistics.median_low([1, 3]),"
         " statistics.median_high([1, 3]), statistics.mode([1, 1]), statistics.multimode([1, 2])",
         (1.5, 1.5, 2.0, 1, 3, 1, [1, 2])),
        ("statistics.pstdev([1, 3]), statistics.pvariance([1, 3]), statistics.stdev([1, 3]) > 1, statistics.variance([1, 3]),"
         " statistics.quantiles([1, 2, 3], n=2), statistics.harmonic_mean([1, 1])", (1.0, 1, True, 2, [2.0], 1)),
        ("try:\n    statistics.mean([])\nexcept statistics.StatisticsError:\n    return 'empty'", "empty"),
    ],
    "string": [
        ("string.ascii_lowercase[:2] + string.ascii_uppercase[:2] + string.ascii_letters[-1] + string.digits[:2]"
         " + string.hexdigits[-1] + string.octdigits[-1] + string.punctuation[0] + string.whitespace[0]"
         " + string.printable[0]", "abABZ01F7! 0"),
        ("string.capwords('a b')", "A B"),
    ],
    "textwrap": [
        ("textwrap.dedent('  a\\n  b'), textwrap.indent('a', '> '), textwrap.fill('a b', 1), textwrap.wrap('a b', 1), textwrap.shorten('a b c', 5)",
         ("a\nb", "> a", "a\nb", ["a", "b"], "a b c")),
    ],
    "time": [
        ("time.time(), time.time_ns(), time.monotonic() == time.perf_counter() == time.process_time() == time.time()",
         (1700000000.1234567, 1700000000123456789, True)),
        ("time.monotonic_ns() == time.perf_counter_ns() == time.process_time_ns() == time.time_ns()", True),
        ("time.gmtime().tm_year, time.localtime() == time.gmtime(), time.mktime(time.gmtime(5)), time.timezone, time.tzname",
         (2023, True, 5.0, 0, ("UTC", "UTC"))),
        ("time.strftime('%Y-%m-%d %H:%M:%S %Z'), time.strftime('%j', time.gmtime(0))", ("2023-11-14 22:13:20 UTC", "001")),
        ("time.strptime('30 Nov 2000', '%d %b %Y').tm_yday, isinstance(time.gmtime(), time.struct_time)", (335, True)),
    ],
    "traceback": [
        ("try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    traceback.print_exc()\n"
         "    return traceback.format_exc() == ''.join(traceback.format_exception(error)), traceback.format_exception_only(error)",
         (True, ["ZeroDivisionError: division by zero\n"])),
    ],
    "types": [
        ("x = types.SimpleNamespace(a=1)\nx.b = 2\nreturn x.a + x.b, isinstance(None, types.NoneType)", (3, True)),
    ],
    "typing": [("from typing import Any, Optional\nT = Optional[dict[str, Any]] | None\nreturn repr(T)", "typing.Optional"),
               ("class R(typing.NamedTuple):\n    a: int\n    b: str = 'x'\nclass D(typing.TypedDict, total=False):\n    a: int\n"
                "return R(1), R(1)._asdict(), R._make([1, 2])._replace(a=3), D(a=1)", ((1, "x"), {"a": 1, "b": "x"}, (3, 2), {"a": 1})),
               ("typing.cast(int, 'a'), typing.TYPE_CHECKING, typing.NewType('X', int)(3)", ("a", False, 3))],
    "unicodedata": [
        ("unicodedata.normalize('NFC', 'e\\u0301'), unicodedata.category('a'), unicodedata.name('a'),"
         " unicodedata.combining('a'), unicodedata.east_asian_width('a'), unicodedata.is_normalized('NFC', 'a'),"
         " unicodedata.lookup('DIGIT ONE'), unicodedata.numeric('1'), unicodedata.bidirectional('a')",
         ("é", "Ll", "LATIN SMALL LETTER A", 0, "Na", True, "1", 1.0, "L")),
    ],
    "urllib": [("import urllib.parse\nreturn urllib.parse.quote('/é?')", "/%C3%A9%3F")],
    "urllib.parse": [
        ("import urllib.parse as p\nu = p.urlparse('https://me:pw@Example.com:8080/p;x?q=1#f')\nreturn u.hostname, u.port,"
         " u.scheme, u.netloc, u.path, u.params, u.query, u.fragment, u.username, u.password, u.geturl(), u[0],"
         " isinstance(u, p.ParseResult)",
         ("example.com", 8080, "https", "me:pw@Example.com:8080", "/p", "x", "q=1", "f", "me", "pw",
          "https://me:pw@Example.com:8080/p;x?q=1#f", "https", True)),
        ("import urllib.parse as p\nreturn p.parse_qs('a=1&a=2'), p.parse_qsl('a=1'), p.urlencode({'a': [1, 'é']}, doseq=True),"
         " p.urlencode([('a', 'b c')]), p.quote('a b'), p.quote_plus('a b'), p.unquote('%C3%A9'), p.unquote_plus('a+b')",
         ({"a": ["1", "2"]}, [("a", "1")], "a=1&a=%C3%A9", "a=b+c", "a%20b", "a+b", "é", "a b")),
        ("import urllib.parse as p\nu = p.urlsplit('http://a/b?c')\nreturn p.urlunsplit(u), p.urlunparse(p.urlparse('x://y')),"
         " p.urljoin('http://a/b', '../c'), p.urldefrag('a#b').fragment, p.quote_from_bytes(b'a b'),"
         " p.unquote_to_bytes('%41'), isinstance(u, p.SplitResult)",
         ("http://a/b?c", "x://y", "http://a/c", "b", "a%20b", b"A", True)),
    ],
    "uuid": [
        ("str(uuid.uuid5(uuid.NAMESPACE_DNS, 'python.org')), str(uuid.uuid3(uuid.NAMESPACE_URL, 'a'))[:8]",
         ("886313e1-3b8a-5372-9b90-0c9aee199e5d", "33838e93")),
        ("uuid.uuid4().version, uuid.uuid1().version, uuid.uuid1().variant == uuid.RFC_4122", (4, 1, True)),
        ("u = uuid.UUID('12345678123456781234567812345678')\nreturn u.hex, u.int == int(u.hex, 16), len(u.bytes), u.urn,"
         " len(u.fields), isinstance(u, uuid.UUID)",
         ("12345678123456781234567812345678", True, 16, "urn:uuid:12345678-1234-5678-1234-567812345678", 6, True)),
        ("len({uuid.NAMESPACE_OID, uuid.NAMESPACE_X500, uuid.RESERVED_FUTURE, uuid.RESERVED_MICROSOFT, uuid.RESERVED_NCS})", 5),
    ],
    "zoneinfo": [
        ("import datetime\nz = zoneinfo.ZoneInfo('Europe/Oslo')\n"
         "return [str(datetime.datetime(2026, m, 1, 12, tzinfo=z).utcoffset()) for m in (1, 7)], repr(z), z.key, z is zoneinfo.ZoneInfo('Europe/Oslo')",
         (["1:00:00", "2:00:00"], "zoneinfo.ZoneInfo(key='Europe/Oslo')", "Europe/Oslo", True)),
        ("try:\n    zoneinfo.ZoneInfo('Europe/Olso')\nexcept zoneinfo.ZoneInfoNotFoundError as error:\n    return str(error), 'UTC' in zoneinfo.available_timezones()",
         ("'No time zone found with key Europe/Olso'", True)),
    ],
    "vestibule_actions": [
        ("from vestibule_actions import Api, Event\nreturn repr(Api), repr(Event)", ("Api", "Event")),
        ("from vestibule_actions import Factor, FactorOptions\nfactors: list[Factor] = []\nreturn repr(Factor), repr(FactorOptions), factors", ("Factor", "FactorOptions", [])),
        ("from vestibule_actions import ProviderOptions\nreturn repr(ProviderOptions)", "ProviderOptions"),
        ("from vestibule_actions import CacheRecord, CacheResult\nreturn repr(CacheRecord | None), repr(CacheResult)", ("CacheRecord", "CacheResult")),
    ],
}  # fmt: skip


def bodies() -> list[tuple[str, str, object]]:
    """Return module, body of an action, and what it returns."""
    listed = []
    for module, lines in CORPUS.items():
        load = (
            "" if module in ("__future__", "urllib.parse", "collections.abc", "email.utils") else f"import {module}\n"
        )
        for line, wanted in lines:
            listed.append((module, load + (line if "return" in line else f"return {line}"), wanted))
    return listed
