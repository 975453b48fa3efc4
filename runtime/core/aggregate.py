"""Fold the executions of one flow into one decision.

Knows what each recorded command means and what a failed execution counts as. Must not know where executions come
from: a worker, a fake or a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runtime.core import challenges, effects, mfa, policy, trace
from runtime.core.model import (
    Command,
    Contribution,
    Decision,
    Denial,
    DenialReason,
    Effects,
    Execution,
    Facts,
    Failure,
    Multifactor,
    OnError,
    Refused,
    Settings,
    Suspension,
    Verdict,
)
from runtime.core.trace import Opinion

# Commands that end the flow: the current action runs to its end, later ones do not run. Source: reference, 2.16.
DENIALS = frozenset({"access.deny", "validation.error", "session.revoke", "refresh_token.revoke"})
# Commands that take the user to a page; the same action continues when the user is back. Source: reference, 2.16.
INTERACTIONS = frozenset({"redirect.send_user_to", "prompt.render"})
# They are of the trigger and not of the login: the daemon applies them, whatever is decided.
CACHE = frozenset({"cache.set", "cache.delete"})
CLAIMS = frozenset({"id_token.set_custom_claim", "access_token.set_custom_claim"})

# Contributions list these always, and other commands where a denial dropped them.
_OPINIONS = frozenset({"multifactor.enable", *challenges.OPS}) | DENIALS | INTERACTIONS

# Becomes error_description at the application, so it names no action and no cause: those are in the reports.
_FAILED_REASON = "The login rules could not be evaluated."
_NO_FACTOR = "The second factor that this login needs cannot be presented."
_NO_PAGE = "This login needs the user, and no page can be shown."

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
    """The requests of a flow so far. Feeding executions one by one or all at once gives the same state."""

    def __init__(self) -> None:
        # Every opinion, in call order. A position in it identifies an opinion.
        self.asked: list[Opinion] = []
        self.requests: list[policy.EnableCall] = []
        # Positions of failures that count as a requirement.
        self.failed: list[int] = []
        # Failures, in words.
        self.reasons: list[str] = []
        self.denial: Denial | None = None
        self.denied_by = -1
        # Did an execution wait for the user?
        self.suspended = False
        self.user_metadata: dict[str, Any] = {}
        self.app_metadata: dict[str, Any] = {}
        self.id_token_claims: dict[str, Any] = {}
        self.access_token_claims: dict[str, Any] = {}
        self.effects: Effects | None = None

    def add(self, executions: Iterable[Execution]) -> None:
        """Feed executions in flow order. What follows one that ended the flow is ignored: it should not have run."""
        for execution in executions:
            if self.denial is not None:
                return
            if execution.verdict is Verdict.COMPLETED:
                for command in execution.commands:
                    self._command(execution.action, command)
            else:
                # Its commands are dropped: it cannot be known which ones are missing.
                self._failure(execution)

    def _command(self, action: str, command: Command) -> None:
        op, args = command.op, command.args
        if op == "multifactor.enable":
            provider = args["provider"]
            remember = args.get("allow_remember_browser")
            options = args.get("provider_options") if provider == "duo" else None
            self.requests.append(policy.EnableCall(len(self.asked), provider, remember, options))
            verb = "lift" if provider == "none" else f"require {provider}"
            extra = ", own provider options" if options else ""
            self.asked.append((action, op, f"{verb}{_REMEMBER[remember]}{extra}"))
        elif op == "id_token.set_custom_claim":
            self.id_token_claims[args["name"]] = args["value"]
        elif op == "access_token.set_custom_claim":
            self.access_token_claims[args["name"]] = args["value"]
        elif op == "user.set_user_metadata":
            self.user_metadata[args["key"]] = args["value"]
        elif op == "user.set_app_metadata":
            self.app_metadata[args["key"]] = args["value"]
        elif op == "access.deny":
            self._deny((action, op, "deny"), Denial("denied", args["reason"]))
        elif op == "validation.error":
            denial = Denial("validation_error", args["error_message"], args["error_code"])
            self._deny((action, op, "deny with a code of its own"), denial)
        elif op in challenges.OPS or op in INTERACTIONS:
            self.suspended = True
            self.asked.append((action, op, trace.waits_for(command)))
        elif op not in CACHE:
            if self.effects is None:
                self.effects = Effects()
            effects.apply(self.effects, op, args)
            if op in DENIALS:
                reason: DenialReason = "session_revoked" if op == "session.revoke" else "refresh_token_revoked"
                self._deny((action, op, "deny and revoke"), Denial(reason, args["reason"]))

    def _deny(self, opinion: Opinion, denial: Denial) -> None:
        # The last reason given in the denying action counts; later actions have no say.
        self.denial, self.denied_by = denial, len(self.asked)
        self.asked.append(opinion)

    def _failure(self, execution: Execution) -> None:
        # A skipped execution that is reached here was skipped for want of time, which is a failure like any other.
        verdict, on_error = execution.verdict.name.lower(), execution.on_error
        self.reasons.append(f"{execution.action}: {verdict}, counts as {on_error.value}")
        if on_error is OnError.DENY:
            opinion = (execution.action, "on_error.deny", f"deny, the action {verdict}")
            self._deny(opinion, Denial("on_error", _FAILED_REASON))
        elif on_error is OnError.REQUIRE_MFA:
            self.failed.append(len(self.asked))
            self.asked.append((execution.action, "on_error.require_mfa", f"require any, the action {verdict}"))

    def decide(
        self,
        executions: tuple[Execution, ...],
        settings: Settings,
        facts: Facts,
        suspension: Suspension | Refused | None = None,
        completed: tuple[str, ...] = (),
    ) -> Decision:
        """Apply the tenant's settings to what was asked for: deny, then suspend, then multifactor, then policy."""
        if self.denial is not None:
            return self._denied(executions, self.denial)
        if isinstance(suspension, Suspension):
            return self._waiting(executions, suspension)
        if suspension is not None:
            return self._refused(executions, suspension)
        if self.suspended or completed:
            _check_resumed(executions, completed)
        if completed:
            # A factor was presented or enrolled in this login, as an action asked: that overrides enable and the
            # policy. It also is what a failed action under `require_mfa` counts as, before or after it: a challenge
            # that really happened. Source: reference, 2.3, rule 9, and 3.3.
            met = {at for at, (_, op, _) in enumerate(self.asked) if op in challenges.OPS}
            action = self.asked[max(met)][0] if met else ""
            done = Contribution(action, "mfa.completed", True, f"completed {', '.join(completed)}")
            return self._granted(executions, None, trace.contributions(self.asked, met.union(self.failed), done))
        winner = policy.merge(self.requests, settings.merge) if self.requests else None
        multifactor = mfa.resolve(winner, bool(self.failed), settings, facts)
        if multifactor is None:
            return self._granted(executions, None, trace.contributions(self.asked, ()) if self.asked else ())
        # Every failure that requires a factor is honoured whenever there is one, whatever chose the provider.
        won = set(self.failed)
        if winner is not None and multifactor.origin == "action":
            won.add(winner.position)
        more = trace.of_settings(multifactor, settings)
        return self._granted(executions, multifactor, trace.contributions(self.asked, won, *more))

    def _granted(
        self,
        executions: tuple[Execution, ...],
        multifactor: Multifactor | None,
        contributions: tuple[Contribution, ...],
    ) -> Decision:
        return Decision(
            "mfa_required" if multifactor is not None and multifactor.provider != "none" else "allow",
            executions,
            tuple(self.reasons),
            contributions,
            multifactor,
            None,
            self.user_metadata,
            self.app_metadata,
            self.id_token_claims,
            self.access_token_claims,
            self.effects,
        )

    def _denied(self, executions: tuple[Execution, ...], denial: Denial) -> Decision:
        # Metadata survives a denial, multifactor and claims do not. Source: MFA semantics, section 14, row 13.
        return Decision(
            "deny",
            executions,
            tuple(self.reasons),
            trace.contributions(self.asked, (self.denied_by,), *dropped(executions)),
            denial=denial,
            user_metadata=self.user_metadata,
            app_metadata=self.app_metadata,
            effects=effects.of_denied(self.effects),
        )

    def _refused(self, executions: tuple[Execution, ...], refused: Refused) -> Decision:
        """Refuse the login, because what its last execution needs of the user cannot be done."""
        denial = denial_of(refused.failure)
        op = "interaction.required" if refused.failure is Failure.INTERACTION_REQUIRED else "mfa.failed"
        self._deny((_begun(executions)[-1].action, op, trace.why(refused)), denial)
        return self._denied(executions, denial)

    def _waiting(self, executions: tuple[Execution, ...], suspension: Suspension) -> Decision:
        """Decide nothing before the user is back, so nothing takes effect: the flow's last decision has it all."""
        last = sum(command.op in _OPINIONS for command in executions[-1].commands)
        waited_for = {
            at for at in range(len(self.asked) - last, len(self.asked)) if self.asked[at][1] != "multifactor.enable"
        }
        return Decision(
            "suspend_by_token" if suspension.by_token else "suspend",
            executions,
            tuple(self.reasons),
            trace.contributions(self.asked, waited_for),
            suspension=suspension,
        )


def denial_of(failure: Failure) -> Denial:
    """Return the denial of a login whose second factor cannot be presented."""
    return Denial(failure, _NO_PAGE if failure is Failure.INTERACTION_REQUIRED else _NO_FACTOR)


def dropped(executions: Iterable[Execution]) -> list[Contribution]:
    """List the claims that each action set before the flow ended, and that a denial drops."""
    counts: dict[tuple[str, str], int] = {}
    for execution in executions:
        if execution.verdict is Verdict.COMPLETED:
            for command in execution.commands:
                if command.op in CLAIMS:
                    key = execution.action, command.op
                    counts[key] = counts.get(key, 0) + 1
        if ends_flow(execution):
            break
    return [Contribution(*key, False, f"{count} dropped, the login is denied") for key, count in counts.items()]


def _begun(executions: Sequence[Execution]) -> Sequence[Execution]:
    """Leave out what was skipped because the flow ended before it."""
    end = len(executions)
    while end and executions[end - 1].verdict is Verdict.SKIPPED:
        end -= 1
    return executions[:end]


def _check_resumed(executions: Sequence[Execution], completed: tuple[str, ...]) -> None:
    """Check that a resumed flow has had what its actions waited for.

    Raises: ValueError when a factor was not presented, or when an action that sent the user to a page did not continue.
    """
    for at, execution in enumerate(executions):
        if execution.verdict is not Verdict.COMPLETED:
            continue
        for command in execution.commands:
            if command.op in INTERACTIONS:
                after = executions[at + 1] if at + 1 < len(executions) else None
                if after is None or not after.continued or after.action != execution.action:
                    raise ValueError(f"{command.op} was not continued")
            elif command.op in challenges.OPS and not any(
                factor.type in completed for factor in challenges.read(command).factors
            ):
                raise ValueError(f"{command.op} was not completed")


def aggregate(
    executions: Sequence[Execution],
    settings: Settings,
    facts: Facts,
    *,
    suspension: Suspension | Refused | None = None,
    completed: tuple[str, ...] = (),
) -> Decision:
    """Decide one login from the executions of its flow, in flow order.

    The decision owns its dictionaries, but values inside them, and provider options, are those of the commands.

    Args:
        executions: of the whole flow, those before earlier suspensions included.
        settings: the tenant's.
        facts: of the event; read only where the decision depends on them.
        suspension: what `pending` said of the last execution that ran, when the flow stops there.
        completed: types of factors that the user presented or enrolled in this flow.

    Raises: ValueError for a command that has no rule here, or a suspension that was passed over: faults of ours.
    """
    fold = Fold()
    fold.add(executions if suspension is None else _begun(executions))
    return fold.decide(tuple(executions), settings, facts, suspension, completed)
