"""What is left of a login for the next one in its worker: after every attack of both corpora, not a single byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.doctor import corpus
from runtime.doctor.corpus import Attack
from runtime.doctor.desk import Desk, desk

# Long enough for every attack that ends; those that do not end, end so.
BUDGET_MS = 120
# The clean login is to end, however busy the machine.
CLEAN_BUDGET_US = 3_000_000

CLEAN = """
import base64, collections, datetime, decimal, hashlib, html, itertools, json, logging, math, random, re, string, time
import typing, urllib.parse, uuid, ipaddress, statistics, functools, operator

Point = collections.namedtuple("Point", "x y")

def deep(n):
    return n and deep(n - 1)

def told(f, *args):
    try:
        return str(f(*args))
    except Exception as error:
        return str(type(error)) + str(error) + str(error.args)

def on_execute_post_login(event, api):
    seen = [
        random.random(), random.getrandbits(64), random.sample(range(100), 5), str(uuid.uuid4()), str(uuid.uuid1()),
        str(datetime.datetime.now()), time.time(), time.monotonic(), time.timezone, time.strftime("%c"),
        str(decimal.Decimal(1) / 3), str(decimal.Decimal("2.5").quantize(decimal.Decimal(1))),
        json.dumps({"b": [1.5, None], "a": "\u00e9"}), json.loads("[1, 2]"),
        re.sub(r"(\\w)", r"<\\1>", "ab"), re.compile("a").pattern, string.digits, string.printable, math.pi,
        html.unescape("&own;&amp;"), urllib.parse.urlsplit("https://u@h:1/p?q#f").netloc,
        urllib.parse.quote("\u00e9 /"), hashlib.sha256(b"x").hexdigest(), sorted(hashlib.algorithms_available),
        base64.b64encode(b"x").decode(), str(ipaddress.ip_network("10.0.0.0/24")), statistics.mean([1, 2, 4]),
        str(Point(1, 2)), list(itertools.islice(itertools.count(), 3)),
        functools.reduce(operator.and_, [1, 2]), str(typing.Optional), len(""), print("four"), sorted({"a", "b"}),
        logging.getLogger("vestibule.own").isEnabledFor(10), deep(200), str(type(print)), str(event.user),
        sorted(event.user.app_metadata.items()), list(event.authorization.roles), event.request.query.get("x"),
        str(event.facts), str(event.user.attributes), event.get("user.groups.0"), told(event.get, "user.email.x"),
        [told(f, *args) for f, args in [
            (int, ["x"]), (int, ["9" * 5000]), (str, [10 ** 5000]), (deep, [10 ** 6]), (getattr, [1, "x"]),
            (getattr, [json, "x"]), ("\\ud800".encode, []), (b"\\xff".decode, []), ("\u20ac".encode, ["ascii"]),
            (json.loads, ["{"]), (re.compile, ["("]), (isinstance, [1, collections.abc.Sized]), (next, [iter([])]),
            (urllib.parse.urlsplit, ["http://["]), (math.sqrt, [-1]), (decimal.Decimal, ["x"]),
        ]],
    ]
    cached = [api.cache.get("k"), api.cache.set("k", "v").record, api.cache.get("k"), api.cache.delete("absent")]
    seen += [
        [[record and (record.value, record.expires_at) for record in cached[:3]], cached[3].code],
        api.redirect.encode_token(secret="k" * 32, payload={"iss": "x"}), api.redirect.can_redirect(),
        told(api.redirect.validate_token), told(api.authentication.record_method, "https://x.example"),
        told(api.redirect.send_user_to, "https://x.example"), told(api.cache.set, "k" * 65, "v"),
    ]
    logging.warning("%s", seen)
    print(len("x" * 1_000_000), [None] * 3, "".join(map(str, seen))[:4000])
    api.id_token.set_custom_claim("https://x.example/seen", str(seen))
    api.user.set_app_metadata("seen", len(str(seen)))
    api.multifactor.enable("any", allow_remember_browser=False)
    api.authentication.challenge_with({"type": "push"}, additional_factors=[{"type": "phone"}, {"type": "phone"}])
"""


async def fresh(sat: Desk) -> tuple[bytes, ...]:
    """Return the clean login's reply in a worker that has never seen another."""
    await sat.leave()
    answer = await sat.login(CLEAN, CLEAN_BUDGET_US)
    await sat.leave()
    assert answer.verdict == "COMPLETED", answer.text
    assert len(answer.report.commands) == 5
    return answer.steps


async def traces(sat: Desk, entries: list[Attack], wanted: tuple[bytes, ...]) -> list[str]:
    """Run every attack, each followed by a clean login; return the attacks after which its reply was another."""
    left = []
    for entry in entries:
        for source in filter(None, (entry.code, entry.followup)):
            await sat.login(source)
        answer = await sat.login(CLEAN, CLEAN_BUDGET_US)
        if answer.steps != wanted:
            left.append(f"{entry.id} ({entry.goal}): {answer.text[:2000]}")
    return left


@pytest.mark.parametrize(
    ("name", "every"),
    [(corpus.SHARED, 1), (corpus.OWN, 4), pytest.param(corpus.OWN, 1, marks=pytest.mark.long)],
)
async def test_a_clean_login_after_every_attack_is_that_of_a_fresh_worker(name: str, every: int) -> None:
    """Nonce and times apart, the reply after each attack is byte for byte the reply of a worker that saw none."""
    entries = corpus.storable(corpus.load(name))[::every]
    async with desk((), BUDGET_MS) as sat:
        wanted = await fresh(sat)
        assert await fresh(sat) == wanted, "two fresh workers differ: nothing could be compared"
        sat.workers = 0
        assert await traces(sat, entries, wanted) == []
        # Most attacks leave their worker alive: it is the same one that is asked again.
        assert sat.workers < len(entries) / 2


async def test_control_a_trace_is_seen() -> None:
    """A worker that keeps the last execution's randomness is found out after the first attack."""
    own = corpus.load(corpus.OWN)[:3]
    path = (str(Path(__file__).parent),)
    async with desk((), BUDGET_MS, entry="leaky_worker", path=path) as sat:
        wanted = await fresh(sat)
        assert len(await traces(sat, [*own], wanted)) >= 2
