"""The values that the daemon decides with: executions, settings, opinions, suspensions, decisions.

Knows names and shapes only. Must not know protobuf, processes, clocks, logs or storage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

from sandbox.contract.report import Command as Command  # the contract's values, under one roof with the core's own
from sandbox.contract.report import Verdict as Verdict

Origin = Literal["action", "policy", "on_error"]
Outcome = Literal["allow", "mfa_required", "deny", "suspend", "mfa_required_by_token", "suspend_by_token"]
Status = Literal["required", "remembered", "lifted", "failed"]
StepKind = Literal["challenge", "enroll"]


class OnError(StrEnum):
    """What a failed execution counts as. Chosen per binding."""

    REQUIRE_MFA = "require_mfa"
    DENY = "deny"
    CONTINUE = "continue"


class Policy(StrEnum):
    """The tenant's "Require Multi-factor Auth" setting. Source: mfa semantics, section 4."""

    NEVER = "never"
    ADAPTIVE = "adaptive"
    ALWAYS = "always"


class Merge(StrEnum):
    """How several `multifactor.enable` calls of one flow become one."""

    LAST_CALL = "last_call"
    STRICTEST = "strictest"


class Experience(StrEnum):
    """Which login pages the tenant uses; it decides what each provider can offer."""

    NEW = "new"
    CLASSIC = "classic"


class Failure(StrEnum):
    """Why a required factor cannot be presented. None of them ever lets the login through."""

    NO_USABLE_FACTOR = "no_usable_factor"
    PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL = "provider_not_supported_for_protocol"
    INTERACTION_REQUIRED = "interaction_required"
    MFA_GRANT_NOT_ALLOWED = "mfa_grant_not_allowed"
    # Adaptive MFA asks for a verified address before an enrolment.
    EMAIL_MISSING = "email_missing"
    # A password alone must not choose the second factor of an account at risk.
    ENROLLMENT_NOT_POSSIBLE = "enrollment_not_possible"
    # A token exchange for an organization, or with an actor, has no second factor.
    TOKEN_EXCHANGE_NOT_SUPPORTED = "token_exchange_not_supported"
    # Of challenge and enrolment commands only: see `challenges`.
    EXPERIENCE_NOT_SUPPORTED = "experience_not_supported"
    CUSTOMIZATION_OFF = "customization_off"
    TOO_MANY_COMMANDS = "too_many_commands"
    CHALLENGE_FIRST = "challenge_first"


# Why a login is refused.
DenialReason = Literal["denied", "validation_error", "on_error", "session_revoked", "refresh_token_revoked"] | Failure


class ResolutionKind(StrEnum):
    """What the gateway does about a required factor."""

    PROMPT = "prompt"
    SATISFIED_BY_REMEMBERED_BROWSER = "satisfied_by_remembered_browser"
    # There is no page: the token endpoint answers `mfa_required` and the client uses the MFA API.
    MFA_REQUIRED_TOKEN = "mfa_required_token"
    FAILED = "failed"


class RememberMode(StrEnum):
    """How a successful challenge may lead to a remembered browser."""

    NONE = "none"
    CHECKBOX = "checkbox"
    AUTOMATIC = "automatic"


class Ignored(StrEnum):
    """Why a factor of a command does not count; a gateway logs each as a warning."""

    DISABLED = "disabled"
    NOT_ENROLLED = "not_enrolled"
    ALREADY_ENROLLED = "already_enrolled"
    NOT_ENROLABLE = "not_enrolable"
    NOT_SERVABLE = "not_servable"


# The vocabulary of tenant factors, safest first. `duo` is last: it is a provider of its own and never one of several.
FACTOR_NAMES: tuple[str, ...] = (
    "webauthn-roaming",
    "webauthn-platform",
    "push-notification",
    "otp",
    "sms",
    "voice",
    "email",
    "recovery-code",
    "duo",
)


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """What went wrong in tenant code, for its author.

    `line` is 1-based, 0 when unknown. `file` is the shared file that it is in; empty for the action's own source.
    """

    type: str
    message: str
    line: int = 0
    file: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """One run, or non-run, of one binding's revision. `revision` is the SHA-256 of the source, hexadecimal.

    `continued`: the handler for users who come back from a redirect or a form. `earlier`: it ran before the last
    suspension of the flow, and that answer reported its times and output. `covered` says what ran of it, where an
    author's test asked for that: serialized Covered messages of its worker; hostile.
    """

    action: str
    revision: str
    on_error: OnError
    verdict: Verdict
    commands: tuple[Command, ...] = ()
    wall_us: int = 0
    cpu_us: int = 0
    error: ExecutionError | None = None
    output: str = ""
    output_truncated: bool = False
    continued: bool = False
    earlier: bool = False
    covered: bytes = b""


class CacheScope(StrEnum):
    """Who has the same trigger's cache of a tenant: one daemon process, or every daemon of a store."""

    OWN = "own"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the tenant decided: about second factors, and where its cache is."""

    experience: Experience = Experience.NEW
    policy: Policy = Policy.NEVER
    # Duo is asked for by actions, and recovery codes are off until a tenant lists them. Source: mfa semantics, 2 and 9.
    factors: tuple[str, ...] = tuple(name for name in FACTOR_NAMES if name not in ("recovery-code", "duo"))
    merge: Merge = Merge.LAST_CALL
    # Whether an action's `enable("none")` also lifts the adaptive policy; it always lifts the policy `always`.
    none_lifts_adaptive: bool = True
    # Whether the application can require a factor too, by the PAPE class in `acr_values`. Otherwise that class only
    # overrides a remembered browser. Source: mfa semantics, section 11.
    step_up: bool = False
    # Whether the policy leaves refresh token exchanges alone. Source: mfa semantics, section 14, row 11.
    exempt_refresh: bool = False
    # Whether a remembered browser satisfies the adaptive policy where an action allows remembering by an explicit True.
    remember_satisfies_adaptive: bool = False
    # How long a browser is remembered after a challenge, and how long without being seen. Source: mfa semantics, 5.
    remember_lifetime_h: int = 30 * 24
    remember_idle_h: int = 7 * 24
    cache: CacheScope = CacheScope.OWN


TOP_SETTINGS: Final = ("experience", "cache")
"""Settings that are not about factors: `tenant.yaml` has them beside `mfa`."""


class Facts(Protocol):
    """The few members of the event that a decision may depend on; a reader may fetch each when it is asked for."""

    @property
    def protocol(self) -> str | None: ...
    @property
    def prompt(self) -> tuple[str, ...]: ...
    @property
    def acr_values(self) -> tuple[str, ...]: ...
    @property
    def risk_confidence(self) -> str | None: ...
    @property
    def enrolled(self) -> tuple[str, ...] | None:
        """Types of the user's factors; None when the gateway did not say."""

    @property
    def email_verified(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Contribution:
    """One request and whether the decision follows it. `action` is empty when the tenant's settings asked.

    `summary` never holds event content, secrets or text chosen by tenant code: it may be logged.
    """

    action: str
    op: str
    won: bool
    summary: str


@dataclass(frozen=True, slots=True)
class Multifactor:
    """The second factor required, or (provider `none`) its lifting by an action."""

    provider: str
    allow_remember_browser: bool | None = None
    # Holds Duo's secret key: goes to the gateway and nowhere else.
    provider_options: dict[str, str] | None = field(default=None, repr=False)
    factors: tuple[str, ...] = ()
    origin: Origin = "action"
    # The adaptive policy demands a factor of this login too, even if an action required this one: an unknown user
    # proves the address before an enrolment.
    adaptive: bool = False
    # The tenant lets a remembered browser satisfy the adaptive policy, and an action explicitly allowed remembering.
    memory_satisfies_adaptive: bool = False

    @property
    def ignore_remembered_browser(self) -> bool:
        """Does a challenge happen whatever the browser remembers?"""
        return self.adaptive and not self.memory_satisfies_adaptive


@dataclass(frozen=True, slots=True)
class Resolution:
    """What to do about one required factor."""

    kind: ResolutionKind
    failure: Failure | None = None
    # Factors that the user may present, safest first; `choice` says whether the user picks or the first one is shown.
    challenge: tuple[str, ...] = ()
    choice: bool = False
    # Factors to enrol one of, safest first. Beside a non-empty `challenge`: the gateway knows the user's enrolments.
    enroll: tuple[str, ...] = ()
    verify_email_first: bool = False
    recovery_code_allowed: bool = False
    remember: RememberMode = RememberMode.NONE
    # How long a browser is remembered; 0 when none may be.
    lifetime_h: int = 0
    idle_h: int = 0
    # When the remembered browser is forgotten at the latest, if this login renews it; 0 when it does not.
    remembered_until_ms: int = 0
    forget_remembered_browser: bool = False
    # Does the ID token say `amr: ["mfa"]` once this is done?
    records_amr: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Denial:
    """Why the login is refused. `description` is for the user; `validation_code` is the action's own."""

    reason: DenialReason
    description: str
    validation_code: str | None = None


@dataclass(frozen=True, slots=True)
class FactorRequest:
    """One factor that a command names, in the vocabulary of challenges."""

    type: str
    # Phones only: sms, voice or both.
    preferred_method: str | None = None
    # Push only: False forbids typing the one-time code of the application.
    otp_fallback: bool | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One screen. Without `picker` the first of `usable` is shown, with a way to the others if there are any."""

    kind: StepKind
    usable: tuple[FactorRequest, ...]
    picker: bool
    ignored: tuple[tuple[str, Ignored], ...] = ()


@dataclass(frozen=True, slots=True)
class Suspension:
    """What the user does before the flow continues. `action`: the one that asked, and that continues after a page."""

    kind: Literal["mfa", "redirect", "prompt"]
    action: str
    # Of kind `mfa`: one screen after the other, and every one must be passed.
    steps: tuple[Step, ...] = ()
    # There is no page: the token endpoint answers `mfa_required` with the steps as its requirements.
    by_token: bool = False
    hide_remember_browser: bool = False
    # The first step is an enrolment, and the user proves the address before it.
    verify_email_first: bool = False
    # Of kind `redirect`: absolute, the action's query merged in. May hold a token of the action's: it is not logged.
    url: str = field(default="", repr=False)
    # Of kind `prompt`.
    prompt_id: str = ""
    fields: dict[str, Any] | None = field(default=None, repr=False)
    vars: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an action cannot have of the user what it asks for. `ignored`: factors that were named and do not count."""

    failure: Failure
    ignored: tuple[tuple[str, Ignored], ...] = ()


@dataclass(slots=True)
class TokenChanges:
    """Changes of the session, or of the refresh token. Instants are milliseconds since the epoch, 0 is unset."""

    revoked: bool = False
    expires_at_ms: int = 0
    idle_expires_at_ms: int = 0
    # All stored metadata goes before the members below are set.
    evict_metadata: bool = False
    metadata: dict[str, str | None] = field(default_factory=dict)
    # The last two are of sessions only.
    cookie_mode: str = ""
    preserve_refresh_tokens: bool = False


@dataclass(slots=True)
class Effects:
    """Side effects that few flows have."""

    # Scope -> added (True) or removed.
    scopes: dict[str, bool] = field(default_factory=dict)
    session: TokenChanges | None = None
    refresh_token: TokenChanges | None = None
    transaction_metadata: dict[str, Any] = field(default_factory=dict)
    primary_user_id: str = ""
    # URLs that become methods of the session's later logins, each once.
    recorded_methods: list[str] = field(default_factory=list)
    # By the setters' names without `set_`; the attributes, where None removes, are one member of it. May hold a
    # private key: goes to the gateway and nowhere else.
    saml_response: dict[str, Any] = field(default_factory=dict, repr=False)


_STATUS: dict[ResolutionKind, Status] = {
    ResolutionKind.PROMPT: "required",
    ResolutionKind.MFA_REQUIRED_TOKEN: "required",
    ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER: "remembered",
    ResolutionKind.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one login. Its dictionaries are not changed.

    Without a `resolution` an outcome of `mfa_required` says that a factor is required, and not yet what follows.
    """

    outcome: Outcome
    executions: tuple[Execution, ...]
    # Failures of executions, in words; a decision that has any is degraded.
    degraded_reasons: tuple[str, ...]
    contributions: tuple[Contribution, ...]
    multifactor: Multifactor | None = None
    denial: Denial | None = None
    user_metadata: dict[str, Any] = field(default_factory=dict)
    app_metadata: dict[str, Any] = field(default_factory=dict)
    id_token_claims: dict[str, Any] = field(default_factory=dict)
    access_token_claims: dict[str, Any] = field(default_factory=dict)
    effects: Effects | None = None
    suspension: Suspension | None = None
    resolution: Resolution | None = None

    @property
    def status(self) -> Status | None:
        """Where the requirement of a factor stands; None when there is none."""
        if self.multifactor is None:
            return None
        if self.multifactor.provider == "none":
            return "lifted"
        return "required" if self.resolution is None else _STATUS[self.resolution.kind]

    @property
    def degraded(self) -> bool:
        """Did an execution fail?"""
        return bool(self.degraded_reasons)
