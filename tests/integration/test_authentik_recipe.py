"""The authentik expressions of proto/doors/README.md, run as authentik runs them, against a real daemon's HTTP port."""

import json
import re
import textwrap
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.deploy_scripts import pages
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.hooks import tenant

PAGE = Path(__file__).resolve().parents[2] / "proto" / "doors" / "README.md"
FORMER = "https://vestibule.example.com"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with the tenant of the page."""
    with served(tmp_path_factory.mktemp("daemon"), "--http-listen", "127.0.0.1:0") as made:
        made.publish(tenant())
        yield made


class Requests:
    """What authentik calls `requests`, as far as the expressions use it."""

    def post(self, url: str, json: Any, headers: dict[str, str], timeout: float) -> Any:
        request = urllib.request.Request(url, _json(json), {"Content-Type": "application/json"} | headers)
        assert timeout == 1
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return _response(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return _response(error.code, error.read())


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _response(status: int, data: bytes) -> Any:
    return SimpleNamespace(status_code=status, json=lambda: json.loads(data))


def expressions(base: str) -> list[str]:
    """Return the page's two expressions: the common beginning, with each of the endings."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith("authentik\n")]
    beginning, *endings = pages.blocks(text, "python")
    assert len(endings) == 2
    return [(beginning + ending).replace(FORMER, base) for ending in endings]


def run(expression: str, name: str, messages: list[str]) -> Any:
    """Run an expression as authentik does: the body of a function, with names of its own around it."""
    user = SimpleNamespace(uuid=name, username=name, email=f"{name}@example.com")
    names: dict[str, Any] = {
        "requests": Requests(),
        "context": {"pending_user": user},
        "request": SimpleNamespace(user=SimpleNamespace(uuid="anonymous", username="", email="")),
        "ak_client_ip": "198.51.100.7",
        "ak_message": messages.append,
    }
    exec("def handler():\n" + textwrap.indent(expression, "    "), names)  # noqa: S102 - our own page
    handler: Callable[[], Any] = names["handler"]
    return handler()


@pytest.mark.parametrize(
    ("name", "asks", "passes", "said"),
    [
        ("ada", False, True, []),
        ("bob", True, True, []),
        ("mallory", True, False, ["Payroll\nis closed."]),
        ("eve", True, False, ["The login cannot be checked now. Try again."]),
    ],
)
def test_the_expressions_follow_the_decision(
    daemon: Daemon, name: str, asks: bool, passes: bool, said: list[str]
) -> None:
    """The factor is asked for unless the answer is a clear "allow"; a denial and a suspension refuse the login."""
    listen = daemon.wait_for("daemon.started")["http_listen"]
    mfa, login = expressions(f"http://{listen}")
    messages: list[str] = []
    assert run(mfa, name, messages) is asks
    assert run(login, name, messages) is passes
    assert messages == said


@pytest.mark.parametrize("wrong", ["closed port", "another tenant", "another path"])
def test_without_an_answer_the_expressions_close(daemon: Daemon, wrong: str) -> None:
    """Whatever is wrong, the factor is asked for and the login refused."""
    listen = daemon.wait_for("daemon.started")["http_listen"]
    base = "http://127.0.0.1:1" if wrong == "closed port" else f"http://{listen}"
    texts = expressions(base)
    if wrong == "another tenant":
        texts = [text.replace('"acme"', '"nobody"') for text in texts]
    if wrong == "another path":
        texts = [text.replace("ExecutePostLogin", "Execute") for text in texts]
    messages: list[str] = []
    assert [run(text, "ada", messages) for text in texts] == [True, False]
    assert messages == ["The login cannot be checked now. Try again."]
