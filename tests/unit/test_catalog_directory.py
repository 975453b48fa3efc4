"""A directory of tenants: what is accepted, what it means, and that every fault is listed at once."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import directory, tenant_file
from runtime.catalog.base import Binding, Definition
from runtime.catalog.secret_values import Secrets, allowances
from runtime.core.model import FACTOR_NAMES, TOP_SETTINGS, Experience, Merge, OnError, Policy, Settings
from runtime.errors import CatalogError, Fault
from runtime.findings import Source, SourceFinding
from sandbox.contract import wire

SOURCE = "def on_execute_post_login(event, api):\n    pass\n"


def tenant(root: Path, name: str = "acme", text: str = "", actions: tuple[str, ...] = ("geo",)) -> Path:
    """Write a tenant; the text goes below its name."""
    folder = root / name
    (folder / "actions").mkdir(parents=True)
    (folder / "tenant.yaml").write_text(f"tenant: {name}\n{text}")
    for action in actions:
        (folder / "actions" / f"{action}.py").write_text(SOURCE)
    return folder


def faults(root: Path, **options: Any) -> list[str]:
    """Load a directory that must be refused; list its faults with paths below the directory."""
    with pytest.raises(CatalogError) as caught:
        directory.load(root, **options)
    return [str(fault).replace(f"{root}/", "") for fault in caught.value.faults]


def only(root: Path, **options: Any) -> Definition:
    (loaded,) = directory.load(root, **options).definitions
    return loaded


class TestAccepted:
    def test_defaults(self, tmp_path: Path) -> None:
        """A tenant needs its name only: new experience, policy never, all factors but recovery codes and Duo."""
        tenant(tmp_path, actions=())
        flow = only(tmp_path).flow
        assert flow.tenant == "acme"
        assert flow.settings == Settings()
        assert flow.bindings == ()
        assert set(flow.settings.factors) == set(FACTOR_NAMES) - {"recovery-code", "duo"}

    def test_a_short_lifetime_shortens_the_other(self, tmp_path: Path) -> None:
        """A tenant that says how long a browser is remembered need not say how long without being seen."""
        tenant(tmp_path, text="mfa: {remember_lifetime_h: 24}\n", actions=())
        settings = only(tmp_path).flow.settings
        assert (settings.remember_lifetime_h, settings.remember_idle_h) == (24, 24)

    def test_everything(self, tmp_path: Path) -> None:
        """Every key reaches the flow; `phone` means sms and voice; a revision is the hash of the bytes."""
        tenant(
            tmp_path,
            text=(
                "login_experience: classic\n"
                "mfa:\n"
                "  {policy: adaptive, factors: [phone, otp, sms], merge: strictest, none_lifts_adaptive: false,\n"
                "   step_up: true, exempt_refresh: true, remember_satisfies_adaptive: true,\n"
                "   remember_lifetime_h: 48, remember_idle_h: 24}\n"
                "flows:\n"
                "  post_login:\n"
                "    - {action: geo, on_error: deny, timeout_ms: 250}\n"
                "    - action: other_one\n"
                "secrets:\n"
                "  geo: {KEY: plain, TOKEN: {env: TOKEN_VARIABLE}}\n"
            ),
            actions=("geo", "other_one"),
        )
        loaded = only(
            tmp_path, secrets=Secrets({"TOKEN_VARIABLE": "from env"}, allowances([("", "acme:TOKEN_VARIABLE")]))
        )
        sha = hashlib.sha256(SOURCE.encode()).hexdigest()
        assert loaded.flow.settings == Settings(
            Experience.CLASSIC,
            Policy.ADAPTIVE,
            ("sms", "voice", "otp"),
            Merge.STRICTEST,
            none_lifts_adaptive=False,
            step_up=True,
            exempt_refresh=True,
            remember_satisfies_adaptive=True,
            remember_lifetime_h=48,
            remember_idle_h=24,
        )
        assert loaded.flow.bindings == (
            Binding("geo", sha, OnError.DENY, 250_000),
            Binding("other_one", sha, OnError.REQUIRE_MFA, None),
        )
        assert loaded.flow.secrets == {"geo": {"KEY": "plain", "TOKEN": "from env"}}
        assert loaded.sources == {sha: SOURCE}

    def test_tenants_come_in_order_of_name(self, tmp_path: Path) -> None:
        """Several tenants, beside files and hidden folders that are none."""
        for name in ("zeta", "acme", "0day"):
            tenant(tmp_path, name)
        (tmp_path / "README.md").write_text("hello")
        (tmp_path / ".git").mkdir()
        assert [loaded.flow.tenant for loaded in directory.load(tmp_path).definitions] == ["0day", "acme", "zeta"]

    def test_a_tenant_folder_is_a_directory_of_one(self, tmp_path: Path) -> None:
        """The folder of a tenant itself loads as that tenant."""
        assert only(tenant(tmp_path)).flow.tenant == "acme"

    def test_an_unbound_action_is_a_draft(self, tmp_path: Path) -> None:
        """A file that no binding names is checked, but is no part of the definition."""
        tenant(tmp_path, text="flows: {post_login: [{action: geo}]}\nsecrets: {draft: {A: b}}\n", actions=("geo",))
        (tmp_path / "acme/actions/draft.py").write_text("x = 1\n")
        seen: list[str] = []

        def check(sources: Sequence[Source]) -> Sequence[Fault]:
            seen.extend(label for label, *_ in sources)
            return ()

        loaded = only(tmp_path, check=check)
        assert len(loaded.sources) == 1
        assert loaded.flow.secrets == {}
        assert directory.load(tmp_path).warnings == [
            SourceFinding(
                f"{tmp_path}/acme/actions/draft.py",
                "no flow binds this action, so no login runs it; bind it, or list it in tenant.yaml: unused: [draft]",
                "unbound",
            )
        ]
        assert [Path(label).name for label in seen] == ["draft.py", "geo.py"]

    def test_an_action_may_be_unused_on_purpose(self, tmp_path: Path) -> None:
        """`unused` silences the warning for the drafts it names, and for no others."""
        text = "flows: {post_login: [{action: geo}]}\nunused: [draft]\n"
        tenant(tmp_path, text=text, actions=("geo", "draft", "other"))
        (warning,) = directory.load(tmp_path).warnings
        assert warning.where.endswith("acme/actions/other.py")

    def test_limits_are_reached_not_passed(self, tmp_path: Path) -> None:
        """Twenty bindings, a hundred actions, 100 kB of source and thirty secrets of full size are fine."""
        names = tuple(f"a{at}" for at in range(directory.MAX_ACTIONS))
        bound = "".join(f"    - action: {name}\n" for name in names[: tenant_file.MAX_BINDINGS])
        secrets = "".join(
            f"    {'n' * 126}{at:02}: {'v' * tenant_file.MAX_SECRET_VALUE_CHARS}\n"
            for at in range(tenant_file.MAX_SECRETS)
        )
        folder = tenant(tmp_path, text=f"flows:\n  post_login:\n{bound}secrets:\n  a0:\n{secrets}", actions=names)
        (folder / "actions/a0.py").write_bytes(b"#" * wire.MAX_SOURCE_BYTES)
        loaded = only(tmp_path)
        assert len(loaded.flow.bindings) == 20
        assert len(loaded.flow.secrets["a0"]) == 30


class TestChecked:
    def test_sources_are_checked_in_one_call_and_faults_merged(self, tmp_path: Path) -> None:
        """A sandboxed worker looks at every source once, and its faults stand beside ours."""
        tenant(tmp_path, "acme", "colour: red\n")
        tenant(tmp_path, "other")
        calls: list[list[Source]] = []

        def check(sources: Sequence[Source]) -> Sequence[Fault]:
            calls.append(list(sources))
            return [Fault(f"{label}:1:5", "bad") for label, *_ in sources]

        listed = faults(tmp_path, check=check)
        assert [[source.text for source in call] for call in calls] == [[SOURCE, SOURCE]]
        assert listed[0].startswith("acme/tenant.yaml:2:1: colour: unknown key")
        assert listed[1:] == ["acme/actions/geo.py:1:5: bad", "other/actions/geo.py:1:5: bad"]

    def test_nothing_to_check_checks_nothing(self, tmp_path: Path) -> None:
        """Without sources the sandbox is not bothered."""
        tenant(tmp_path, actions=())
        only(tmp_path, check=lambda sources: pytest.fail("called"))


REFUSED: list[Any] = [
    ("colour: red\n", "2:1: colour: unknown key; known here are tenant, login_experience, cache, mfa, flows, secrets"),
    (
        "flow: {}\n",
        "2:1: flow: unknown key; known here are tenant, login_experience, cache, mfa, flows, secrets, doors, unused;",
    ),
    ("login_experience: neww\n", "2:1: login_experience: got text 'neww'; want one of new, classic; did you mean"),
    ("login_experience: 3\n", "login_experience: got a number 3; want one of new, classic"),
    ("login_experience:\n", "login_experience: got nothing; want one of new, classic"),
    ("mfa: always\n", "2:1: mfa: got text 'always'; want a mapping"),
    ("mfa:\n  policy: alwais\n", "3:3: mfa.policy: got text 'alwais'; want one of never, adaptive, always; did you"),
    ("mfa: {polcy: never}\n", "2:7: mfa.polcy: unknown key; known here are policy, factors, merge, none_lifts"),
    ("mfa: {factors: otp}\n", "mfa.factors: got text 'otp'; want a list"),
    ("mfa: {factors: [otpp]}\n", "2:17: mfa.factors[0]: got text 'otpp'; want one of webauthn-roaming"),
    ("mfa: {factors: [otp, otp]}\n", "mfa.factors[1]: 'otp' is listed twice; keep one"),
    ("mfa: {factors: [[otp]]}\n", "mfa.factors[0]: got a list; want one of"),
    ("mfa: {merge: last}\n", "mfa.merge: got text 'last'; want one of last_call, strictest; did you mean 'last_call'"),
    ("mfa: {none_lifts_adaptive: yes}\n", "mfa.none_lifts_adaptive: got text 'yes'; want true or false"),
    ("mfa: {policy: always, factors: [recovery-code]}\n", "mfa.factors: policy 'always' could never be met"),
    ("mfa: {policy: adaptive, factors: []}\n", "mfa.factors: policy 'adaptive' could never be met"),
    ("mfa: {step_up: true, factors: [recovery-code]}\n", "mfa.factors: step_up could never be met"),
    ("mfa: {remember_satisfies_adaptive: 1}\n", "mfa.remember_satisfies_adaptive: got a number 1; want true or false"),
    ("mfa: {remember_lifetime_h: 0}\n", "mfa.remember_lifetime_h: got 0; want a whole number from 1 to 2160"),
    ("mfa: {remember_lifetime_h: 2161}\n", "mfa.remember_lifetime_h: got 2161; want a whole number from 1 to 2160"),
    ("mfa: {remember_idle_h: 721}\n", "mfa.remember_idle_h: got 721; want a whole number from 1 to 720"),
    (
        "mfa: {remember_lifetime_h: 24, remember_idle_h: 25}\n",
        "mfa.remember_idle_h: 25 hours are more than remember_lifetime_h, 24; give it as many or fewer",
    ),
    ("mfa: {step_up: require}\n", "mfa.step_up: got text 'require'; want true or false"),
    ("login_experience: classic\nmfa: {policy: always, factors: [email]}\n", "in the classic experience it needs one"),
    ("flows: {post_logn: []}\n", "flows.post_logn: unknown key; known here are post_login; did you mean 'post_login'?"),
    ("flows: {post_login: geo}\n", "flows.post_login: got text 'geo'; want a list"),
    ("flows: {post_login: [geo]}\n", "flows.post_login[0]: got text 'geo'; want a mapping"),
    ("flows: {post_login: [{}]}\n", "flows.post_login[0].action: is missing; add it"),
    ("flows: {post_login: [{action: Geo}]}\n", "flows.post_login[0].action: got text 'Geo'; want 1 to 64 lower-case"),
    ("flows: {post_login: [{action: ../geo}]}\n", "flows.post_login[0].action: got text '../geo'; want 1 to 64"),
    ("flows: {post_login: [{action: 7}]}\n", "flows.post_login[0].action: got a number 7; want text"),
    ("flows: {post_login: [{action: goe}]}\n", "flows.post_login[0].action: there is no file actions/goe.py; add it"),
    ("flows: {post_login: [{action: geo}, {action: geo}]}\n", "[1].action: 'geo' is bound twice, first at flows.post"),
    ("flows: {post_login: [{action: geo, on_error: allow}]}\n", "[0].on_error: got text 'allow'; want one of require"),
    ("flows: {post_login: [{action: geo, on_eror: deny}]}\n", "[0].on_eror: unknown key; known here are action, on_"),
    ("flows: {post_login: [{action: geo, timeout_ms: 0}]}\n", "[0].timeout_ms: got 0; want a whole number from 1 to"),
    ("flows: {post_login: [{action: geo, timeout_ms: 20001}]}\n", "got 20001; want a whole number from 1 to 20000"),
    ("flows: {post_login: [{action: geo, timeout_ms: 1.5}]}\n", "timeout_ms: got a number 1.5; want a whole number"),
    ("flows: {post_login: [{action: geo, timeout_ms: true}]}\n", "timeout_ms: got a boolean true; want a whole number"),
    ("flows: {post_login: [{action: geo, timeout_ms: '9'}]}\n", "timeout_ms: got text '9'; want a whole number"),
    ("secrets: [a]\n", "secrets: got a list; want a mapping"),
    ("secrets: {geo: hush}\n", "secrets.geo: got text; want a mapping"),
    (
        "secrets: {gee: {A: b}}\n",
        "secrets.gee: there is no file actions/gee.py to use them; correct the name or remove",
    ),
    ("secrets: {geo: {A: 5}}\n", "secrets.geo.A: got a number; want text: put it in quotes"),
    ("secrets: {geo: {A: }}\n", "secrets.geo.A: got nothing; want text"),
    (
        "secrets: {geo: {A: {env: NOT_SET}}}\n",
        "secrets.geo.A: tenant 'acme' may not read the environment variable NOT_SET",
    ),
    ("secrets: {geo: {A: {envv: X}}}\n", "secrets.geo.A: got a mapping; want text in quotes, or exactly {env: NAME}"),
    ("secrets: {geo: {A: {env: 5}}}\n", "secrets.geo.A: got a mapping; want text in quotes, or exactly {env: NAME}"),
    (f"secrets: {{geo: {{{'n' * 129}: v}}}}\n", "secrets.geo: a secret's name has 1 to 128 printable characters"),
    (f"secrets: {{geo: {{A: {'v' * 4097}}}}}\n", "secrets.geo.A: has 4097 characters; a secret may have 4096"),
    ('secrets: {geo: {A: "a\\0b"}}\n', "secrets.geo.A: holds a NUL"),
    ("unused: geo\n", "unused: got text 'geo'; want a list"),
    ("unused: [../geo]\n", "unused[0]: got text '../geo'; want 1 to 64 lower-case letters"),
    (
        "unused: [goe]\n",
        "unused[0]: there is no file actions/goe.py; correct the name or remove it; did you",
    ),
    ("unused: [geo, geo]\n", "unused[1]: 'geo' is listed twice; keep one"),
    (
        "flows: {post_login: [{action: geo}]}\nunused: [geo]\n",
        "3:10: unused[0]: 'geo' is bound at flows.post_login[0]; remove it here or there",
    ),
    ("secrets: {geo: {A: {env: X, file: Y}}}\n", "secrets.geo.A: got a mapping; want text in quotes, or exactly {env"),
    ("secrets: {geo: {A: {file: x}}}\n", "secrets.geo.A: tenant 'acme' wants the file x, and no folder of secrets is"),
    ("tenant: twice\n", "2:1: tenant: the key is given twice, first on line 1; keep one"),
    ("mfa: &x {}\n", "2:6: mfa: anchors (`&name`) are not accepted"),
    ("mfa: !!python/name:os.system\n", "2:6: mfa: YAML tags are not accepted"),
    ("x: [\n", "not valid YAML"),
]


class TestRefused:
    @pytest.mark.parametrize(("text", "wanted"), REFUSED)
    def test_fault_of_the_tenant_file(self, tmp_path: Path, text: str, wanted: str) -> None:
        """Each fault says where it is, what was given, what is wanted, and what is near."""
        tenant(tmp_path, text=text)
        listed = faults(tmp_path)
        assert len(listed) == 1, listed
        assert listed[0].startswith("acme/tenant.yaml:")
        assert wanted in listed[0]

    def test_every_fault_at_once(self, tmp_path: Path) -> None:
        """Faults of several tenants, of form, schema, files and secrets come in one list, in file order."""
        folder = tenant(
            tmp_path,
            "acme",
            "mfa: {policy: alwais}\nflows: {post_login: [{action: nope}]}\nsecrets: {geo: {A: {env: NOT_SET}}}\n",
        )
        (folder / "actions/bad.py").write_bytes(b"a\0b")
        tenant(tmp_path, "other", "a: !x 1\n")
        (tmp_path / "empty").mkdir()
        assert [fault.split(": ")[0] for fault in faults(tmp_path)] == [
            "acme/actions/bad.py:1:2",
            "acme/tenant.yaml:2:7",
            "acme/tenant.yaml:3:23",
            "acme/tenant.yaml:4:17",
            "empty/tenant.yaml",
            "other/tenant.yaml:2:4",
        ]

    def test_no_secret_is_ever_quoted(self, tmp_path: Path) -> None:
        """Whatever is wrong around them, no fault repeats a secret's value."""
        tenant(
            tmp_path, text="oops: 1\nsecrets: {geo: {A: hush1, B: [hush2], C: {env: X, y: hush3}}, no: {A: hush4}}\n"
        )
        listed = faults(tmp_path)
        assert len(listed) == 4
        assert "hush" not in "".join(listed)

    def test_too_many_of_anything(self, tmp_path: Path) -> None:
        """One more than the limits of the reference: bindings, actions and secrets."""
        names = tuple(f"a{at}" for at in range(directory.MAX_ACTIONS + 1))
        bound = "".join(f"    - action: {name}\n" for name in names[:21])
        secrets = "".join(f"    N{at}: v\n" for at in range(31))
        tenant(tmp_path, text=f"flows:\n  post_login:\n{bound}secrets:\n  a0:\n{secrets}", actions=names)
        assert [fault.split(": ", 1)[1] for fault in faults(tmp_path)] == [
            "holds 101 actions; a tenant may have 100",
            "flows.post_login: has 21 entries; at most 20 are allowed",
            "secrets.a0: has 31 secrets; an action may have 30",
        ]

    @pytest.mark.parametrize(
        ("data", "wanted"),
        [
            (b"#" * 100_001, "acme/actions/geo.py: is larger than 100000 bytes, the limit"),
            (b"x\ny\0", "acme/actions/geo.py:2:2: holds a NUL character; remove it"),
            (b"x\ny\xff", "acme/actions/geo.py:2:2: byte 3 is not UTF-8; save the file as UTF-8"),
        ],
    )
    def test_bytes_that_are_no_source(self, tmp_path: Path, data: bytes, wanted: str) -> None:
        """A source is UTF-8 without NUL and at most 100 kB, whether bound or not."""
        folder = tenant(tmp_path)
        (folder / "actions/geo.py").write_bytes(data)
        assert faults(tmp_path) == [wanted]

    @pytest.mark.parametrize("name", ["Geo", "a b", ".hidden", "a.b", "-x", "x" * 65])
    def test_names_of_actions(self, tmp_path: Path, name: str) -> None:
        """An action's file is named as a binding could name it."""
        folder = tenant(tmp_path)
        (folder / f"actions/{name}.py").write_text(SOURCE)
        assert [f"acme/actions/{name}.py: not an action's name" in fault for fault in faults(tmp_path)] == [True]

    @pytest.mark.parametrize("name", ["Acme", "a_b", "a.b", "-x", "x" * 65])
    def test_names_of_tenants(self, tmp_path: Path, name: str) -> None:
        """A tenant's folder is named as a request could name it."""
        tenant(tmp_path, name)
        assert any(fault.startswith(f"{name}: not a tenant's name") for fault in faults(tmp_path))

    def test_a_folder_is_named_after_its_tenant(self, tmp_path: Path) -> None:
        """A copied folder that still names its origin is refused."""
        tenant(tmp_path).rename(tmp_path / "copy")
        assert faults(tmp_path) == [
            "copy/tenant.yaml:1:1: tenant: got 'acme' in folder 'copy'; want the name of its folder"
        ]

    def test_files_that_are_no_files(self, tmp_path: Path) -> None:
        """A named pipe does not hold us, nor does a link to itself or to nothing, nor a folder named like a file."""
        actions = tenant(tmp_path) / "actions"
        os.mkfifo(actions / "a_pipe.py")
        (actions / "b_loop.py").symlink_to("b_loop.py")
        (actions / "c_gone.py").symlink_to("nothing.py")
        (actions / "d_dir.py").mkdir()
        listed = faults(tmp_path)
        assert [fault.split(":")[0] for fault in listed] == [
            f"acme/actions/{name}.py" for name in ("a_pipe", "b_loop", "c_gone", "d_dir")
        ]

    def test_a_directory_that_is_none(self, tmp_path: Path) -> None:
        """An empty, missing or unreadable directory says so."""
        assert "holds no tenant" in faults(tmp_path)[0]
        assert "no such file or directory" in faults(tmp_path / "missing")[0]
        (tmp_path / "file").write_text("")
        assert "is not a directory" in faults(tmp_path / "file")[0]

    def test_a_document_that_is_no_mapping(self, tmp_path: Path) -> None:
        """A tenant file that is a list, a text or empty is one fault."""
        for text, wanted in (("- a\n", "got a list; want a mapping"), ("x\n", "got text 'x'"), ("", "is empty")):
            folder = tmp_path / "acme"
            folder.mkdir(exist_ok=True)
            (folder / "tenant.yaml").write_text(text)
            (listed,) = faults(tmp_path)
            assert wanted in listed


def test_a_tenant_file_has_the_settings_of_the_model() -> None:
    """Each setting about factors is a member of `mfa`, with the default of the model; the others are beside it."""
    defaults = {name: member.default for name, member in tenant_file.MfaSection.model_fields.items()}
    wanted = {member.name: member.default for member in fields(Settings) if member.name not in TOP_SETTINGS}
    assert defaults == wanted | {"factors": None}
    assert tenant_file.TenantFile.model_fields["login_experience"].default is Settings().experience
    assert tenant_file.TenantFile.model_fields["cache"].default is Settings().cache
