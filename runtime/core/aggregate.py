"""Fold the executions of one flow into one decision.

It knows what each recorded command means and what a failed execution counts as. It must not know where executions
come from: a worker, a fake or a test. Called by the flow runner, once per login, on the hot path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from runtime.core import effects, mfa, policy
from runtime.core.model import (
    Access,
    Command,
    Contribution,
    Decision,
    DenialKind,
    Effects,
    Execution,
    Facts,
    Multifactor,
    OnError,
    Settings,
    Verdict,
)

# Commands that end the flow: the current action runs to its end, later ones do not run. Source: reference, 2.16.
DENIALS = frozenset({"access.deny", "validation.error", "session.revoke", "refresh_token.revoke"})
CLAIMS = frozenset({"id_token.set_custom_claim", "access_token.set_custom_claim"})
METADATA = frozenset({"user.set_user_metadata", "user.set_app_metadata"})
# Every command that has a fold rule here; a test holds it equal to the surface table.
FOLDED = frozenset({"multifactor.enable"}) | DENIALS | CLAIMS | METADATA | frozenset(effects.RULES)

# Becomes error_description at the application, so it names no action and no cause: those are in the reports.
_FAILED_REASON = "The login rules could not be evaluated."

_REMEMBER = {None: "", True: ", may remember the browser", False: ", never remember the browser"}


def ends_flow(execution: Execution) -> bool:
    """Tell whether no later action of the flow may run after this execution.

    A completed one ends it by denying; a failed one by its binding's `on_error: deny`, which decides the login. After
    any other failure the later actions still run: they may deny, or ask for more.
    """
    if execution.verdict is Verdict.COMPLETED:
        return any(command.op in DENIALS for command in execution.commands)
    return execution.on_error is OnError.DENY


class Fold:
    """What a flow has asked for so far. Feeding executions one by one or all at once gives the same state."""

    __slots__ = (
        "access",
        "access_token_claims",
        "app_metadata",
        "asked",
        "claims",
        "denied_by",
        "effects",
        "failed",
        "id_token_claims",
        "reasons",
        "requests",
        "user_metadata",
    )

    def __init__(self) -> None:
        self.user_metadata: dict[str, object] = {}
        self.app_metadata: dict[str, object] = {}
        self.id_token_claims: dict[str, object] = {}
        self.access_token_claims: dict[str, object] = {}
        # Every opinion, in call order: action, operation, summary. A position in it identifies an opinion.
        self.asked: list[tuple[str, str, str]] = []
        self.requests: list[policy.Request] = []
        # Positions of failures that count as a requirement.
        self.failed: list[int] = []
        self.effects: Effects | None = None
        self.access: Access | None = None
        self.denied_by = -1
        self.reasons: list[str] = []
        # How many claims each action set, for the trace of a denied login.
        self.claims: dict[tuple[str, str], int] = {}

    def add(self, executions: Iterable[Execution]) -> None:
        """Feed executions in flow order. What follows one that ended the flow is ignored: it should not have run."""
        for execution in executions:
            if self.access is not None:
                return
            if execution.verdict is Verdict.COMPLETED:
                for command in execution.commands:
                    self._command(execution.action, command)
            else:
                # Its commands are dropped: nobody knows which ones are missing.
                self._failure(execution)

    def _command(self, action: str, command: Command) -> None:
        op, args = command.op, command.args
        if op == "multifactor.enable":
            provider = args["provider"]
            remember = args.get("allow_remember_browser")
            options = args.get("provider_options") if provider == "duo" else None
            self.requests.append(policy.Request(len(self.asked), provider, remember, options))
            verb = "lift" if provider == "none" else f"require {provider}"
            extra = ", own provider options" if options else ""
            self.asked.append((action, op, f"{verb}{_REMEMBER[remember]}{extra}"))
        elif op == "id_token.set_custom_claim":
            self.id_token_claims[args["name"]] = args["value"]
            self.claims[action, op] = self.claims.get((action, op), 0) + 1
        elif op == "access_token.set_custom_claim":
            self.access_token_claims[args["name"]] = args["value"]
            self.claims[action, op] = self.claims.get((action, op), 0) + 1
        elif op == "user.set_user_metadata":
            self.user_metadata[args["key"]] = args["value"]
        elif op == "user.set_app_metadata":
            self.app_metadata[args["key"]] = args["value"]
        elif op == "access.deny":
            # The last reason given in the denying action counts; later actions have no say.
            self.access, self.denied_by = Access(args["reason"], "denied"), len(self.asked)
            self.asked.append((action, op, "deny"))
        elif op == "validation.error":
            self.access = Access(args["error_message"], "validation_error", args["error_code"])
            self.denied_by = len(self.asked)
            self.asked.append((action, op, "deny with a code of its own"))
        else:
            self._effect(action, op, args)

    def _effect(self, action: str, op: str, args: dict[str, Any]) -> None:
        rule = effects.RULES.get(op)
        if rule is None:
            raise ValueError(f"no fold rule for command {op!r}")
        if self.effects is None:
            self.effects = Effects()
        rule(self.effects, args)
        if op in DENIALS:
            kind: DenialKind = "session_revoked" if op == "session.revoke" else "refresh_token_revoked"
            self.access, self.denied_by = Access(args["reason"], kind), len(self.asked)
            self.asked.append((action, op, "deny and revoke"))

    def _failure(self, execution: Execution) -> None:
        # A skipped execution that is reached here was skipped for want of time, which is a failure like any other.
        verdict = execution.verdict.name.lower()
        on_error = execution.on_error
        self.reasons.append(f"{execution.action}: {verdict}, counts as {on_error.value}")
        if on_error is OnError.CONTINUE:
            return
        position = len(self.asked)
        if on_error is OnError.DENY:
            self.access, self.denied_by = Access(_FAILED_REASON, "on_error"), position
            self.asked.append((execution.action, "on_error.deny", f"deny, the action {verdict}"))
        else:
            self.failed.append(position)
            self.asked.append((execution.action, "on_error.require_mfa", f"require any, the action {verdict}"))

    def decide(self, executions: tuple[Execution, ...], settings: Settings, facts: Callable[[], Facts]) -> Decision:
        """Apply the tenant's settings to what was asked for: deny, then multifactor, then policy."""
        if self.access is not None:
            return self._denied(executions)
        winner = policy.merge(self.requests, settings.merge) if self.requests else None
        multifactor = mfa.resolve(winner, bool(self.failed), settings, facts)
        required = multifactor is not None and multifactor.provider != "none"
        return Decision(
            "mfa_required" if required else "allow",
            multifactor,
            None,
            self.user_metadata,
            self.app_metadata,
            self.id_token_claims,
            self.access_token_claims,
            bool(self.reasons),
            tuple(self.reasons),
            self._contributions(winner, multifactor, settings),
            executions,
            self.effects,
        )

    def _denied(self, executions: tuple[Execution, ...]) -> Decision:
        # Metadata survives a denial, multifactor and claims do not. Source: MFA semantics, section 14, row 13.
        trace = [
            Contribution(action, op, at == self.denied_by, what) for at, (action, op, what) in enumerate(self.asked)
        ]
        trace += [
            Contribution(action, op, False, f"{count} dropped, the login is denied")
            for (action, op), count in self.claims.items()
        ]
        return Decision(
            "deny",
            None,
            self.access,
            self.user_metadata,
            self.app_metadata,
            {},
            {},
            bool(self.reasons),
            tuple(self.reasons),
            tuple(trace),
            executions,
            effects.of_denied(self.effects),
        )

    def _contributions(
        self, winner: policy.Request | None, multifactor: Multifactor | None, settings: Settings
    ) -> tuple[Contribution, ...]:
        if multifactor is None:
            return ()
        origin = multifactor.origin
        chosen = winner.position if winner is not None and origin == "action" else -1
        trace = [
            # Every failure that requires a factor is honoured whenever there is one, whoever chose the provider.
            Contribution(action, op, at == chosen or at in self.failed, what)
            for at, (action, op, what) in enumerate(self.asked)
        ]
        if origin == "policy":
            trace.append(Contribution("", f"policy.{settings.policy.value}", True, "require any"))
        if not multifactor.factors and multifactor.provider != "none":
            trace.append(Contribution("", "mfa.factors", False, "no factor can be offered, the login cannot complete"))
        return tuple(trace)


def aggregate(executions: Sequence[Execution], settings: Settings, facts: Callable[[], Facts]) -> Decision:
    """Decide one login from the executions of its flow, in flow order.

    `facts` reads the event: it is called only when the decision depends on it. The decision owns its dictionaries, but
    values inside them, and provider options, are those of the commands.

    Raises: ValueError for a command that has no rule here, which is a fault of ours.
    """
    fold = Fold()
    fold.add(executions)
    return fold.decide(tuple(executions), settings, facts)
