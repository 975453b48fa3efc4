"""A small gateway, as the conformance kit drives it: `vestibule-gateway-test -- python gateway.py`.

What a real gateway stores, shows and answers, this one writes down: one line for each line that it reads."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb
from vestibule_client import (
    AnswerMfaRequired,
    AnswerMfaRequiredWithSteps,
    Challenge,
    Client,
    Decided,
    Enroll,
    IssueTokens,
    Memory,
    OnAnyOutcome,
    OnSuccess,
    RedirectUser,
    Refuse,
    Requirement,
    Resume,
    ShowFactors,
    ShowForm,
    ShowSteps,
)

Did = dict[str, Any]
Waiting = ShowFactors | AnswerMfaRequired | ShowSteps | AnswerMfaRequiredWithSteps | RedirectUser | ShowForm


class Login:
    """One login: what Vestibule was asked, and what is waited for."""

    def __init__(self, vestibule: Client, tenant_id: str, event: dict[str, Any]) -> None:
        self.vestibule, self.tenant_id, self.event = vestibule, tenant_id, event
        self.waiting: Waiting | None = None
        self.state = ""
        self.verifies_email = False
        self.passed: list[str] = []
        self.presented = False
        """A step that an action asked for was passed on a page."""

    def begin(self) -> Iterator[Did]:
        """Ask Vestibule, and do what it says."""
        yield from self.follow(self.vestibule.decide(self.tenant_id, self.event))

    def follow(self, decided: Decided) -> Iterator[Did]:
        """Do the next step, up to where the user is needed."""
        self.waiting, self.passed = None, []
        match decided.step:
            case IssueTokens(on_any_outcome=now, on_success=then, renew=memory):
                yield from written(now)
                yield from remembered(memory)
                yield from tokens(then, amr=self.presented)
            case Refuse() as step:
                yield from written(step.on_any_outcome)
                refused: Did = {"error": step.oauth_error, "status": step.http_status, "description": step.description}
                yield {"answer": "error", **refused, "validation_code": step.validation_code}
            case ShowFactors() as step:
                self.waiting = step
                yield from written(step.on_any_outcome)
                self.verifies_email = step.mfa.verify_email_first
                yield {"show": "verify_email"} if self.verifies_email else {}
                yield from () if self.verifies_email else factors(step.mfa)
            case AnswerMfaRequired(mfa=mfa) as step:
                self.waiting = step
                yield from written(step.on_any_outcome)
                asked = {"challenge": names(mfa.challenge), "enroll": names(mfa.enroll)}
                yield {"answer": "mfa_required", "status": step.http_status, **asked}
            case ShowSteps() as step:
                self.waiting = step
                self.verifies_email = step.verify_email_first
                yield {"show": "verify_email"} if self.verifies_email else shown(step, 0)
            case AnswerMfaRequiredWithSteps() as step:
                self.waiting = step
                yield {"answer": "mfa_required", "status": step.http_status, "steps": [required(s) for s in step.steps]}
            case RedirectUser(url=url) as step:
                self.waiting, self.state = step, secrets.token_urlsafe()
                yield {"show": "redirect", "url": with_state(url, self.state)}
            case ShowForm() as step:
                self.waiting = step
                yield {"show": "form", "id": step.id, "fields": step.fields, "vars": step.vars}

    def user(self, did: Mapping[str, Any]) -> Iterator[Did]:
        """Do what follows from what the user did."""
        match self.waiting:
            case None:
                return
            case _ if did.get("failed"):
                self.waiting = None
                yield error("access_denied", 403)
            case ShowFactors(mfa=mfa) if did.get("verified_email"):
                yield from factors(mfa)
            case ShowSteps() as step if did.get("verified_email"):
                yield shown(step, 0)
            case ShowFactors(mfa=mfa, on_success=then):
                automatic = mfa.remember == pb.Multifactor.REMEMBER_MODE_AUTOMATIC
                ticked = mfa.remember == pb.Multifactor.REMEMBER_MODE_CHECKBOX and did.get("remember", False)
                email = did["passed"] == ["FACTOR_EMAIL"]
                yield from remembered(mfa.memory if automatic or ticked else None, mfa.provider, email=email)
                yield from tokens(then, amr=mfa.records_amr)
            case AnswerMfaRequired(on_success=then):
                yield from tokens(then)
            case ShowSteps(steps=steps, resume=resume) as step:
                self.passed += did["passed"]
                if len(self.passed) < len(steps):
                    yield shown(step, len(self.passed))
                else:
                    self.presented = True
                    yield from self.resume(resume, self.event)
            case AnswerMfaRequiredWithSteps(resume=resume):
                self.passed += did["passed"]
                yield from self.resume(resume, self.event)
            case RedirectUser(resume=resume):
                if not secrets.compare_digest(did["returned"]["state"], self.state):
                    yield error("invalid_request", 400)
                    return
                request = {**self.event["request"], "query": did["returned"].get("query", {})}
                yield from self.resume(resume, {**self.event, "request": request})
            case ShowForm(id=form, resume=resume):
                yield from self.resume(resume, {**self.event, "prompt": {"id": form, **did["filled"]}})

    def resume(self, resume: Resume, event: dict[str, Any]) -> Iterator[Did]:
        """Continue the suspended login."""
        yield from self.follow(self.vestibule.resume(self.tenant_id, event, resume.continuation, self.passed))


def written(effects: OnAnyOutcome) -> Iterator[Did]:
    """Write what is written whatever follows."""
    for name in ("user_metadata", "app_metadata", "transaction_metadata"):
        yield {"write": name, "members": getattr(effects, name)}
    for name, changes in (("session", effects.session), ("refresh_token", effects.refresh_token)):
        members = {member: plain(value) for member, value in asdict(changes).items() if value} if changes else {}
        if cookie := members.get("cookie_mode"):
            members["cookie_mode"] = pb.CookieMode.Name(cookie)
        yield {"write": name, "members": members}


def plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def remembered(memory: Memory | None, provider: pb.Provider | None = None, *, email: bool = False) -> Iterator[Did]:
    """Remember the browser, or renew that: then the provider, and whether it was an email, stay as they are."""
    if memory is not None:
        lifetimes = {
            "lifetime_s": memory.lifetime.total_seconds(),
            "idle_lifetime_s": memory.idle_lifetime.total_seconds(),
        }
        verified = {} if provider is None else {"provider": pb.Provider.Name(provider), "email_only": email}
        yield {"remember": "browser", **lifetimes, **verified}


def factors(mfa: Requirement) -> Iterator[Did]:
    """Show the pages of a required factor."""
    if mfa.forget_remembered_browser:
        yield {"forget": "browsers"}
    yield {
        "show": "factors",
        "provider": pb.Provider.Name(mfa.provider),
        "provider_options": json_format.MessageToDict(mfa.provider_options) if mfa.provider_options else None,
        "challenge": names(mfa.challenge),
        "enroll": names(mfa.enroll),
        "choice": mfa.choice,
        "recovery_code_allowed": mfa.recovery_code_allowed,
        "remember": pb.Multifactor.RememberMode.Name(mfa.remember),
    }


def shown(step: ShowSteps, number: int) -> Did:
    """Show one of the steps that an action asked for."""
    this = step.steps[number]
    methods = [pb.PhoneMethod.Name(option.preferred_method) for option in this.factors if option.preferred_method]
    return {
        "show": "challenge" if isinstance(this, Challenge) else "enroll",
        "factors": names(option.factor for option in this.factors),
        "choice": this.choice,
        "otp_fallback": all(option.otp_fallback for option in this.factors),
        "preferred_method": methods[0] if methods else None,
        "hide_remember_browser": step.hide_remember_browser,
    }


def required(step: Challenge | Enroll) -> Did:
    kind = "challenge" if isinstance(step, Challenge) else "enroll"
    return {kind: names(option.factor for option in step.factors)}


def tokens(effects: OnSuccess, *, amr: bool = False) -> Iterator[Did]:
    """Apply what is applied on success, and issue tokens."""
    yield {"write": "recorded_methods", "members": effects.recorded_methods}
    yield {"write": "primary_user_id", "members": effects.primary_user_id}
    yield {
        "answer": "tokens",
        "id_token_claims": effects.id_token_claims,
        "access_token_claims": effects.access_token_claims,
        "scopes_added": effects.scopes_added,
        "scopes_removed": effects.scopes_removed,
        "amr": ["mfa"] if amr else None,
    }


def with_state(url: str, state: str) -> str:
    """Append the state to the query of a page's address."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=f"{parts.query}&state={state}".lstrip("&")))


def error(name: str, status: int) -> Did:
    return {"answer": "error", "error": name, "status": status}


def names(which: Any) -> list[str]:
    return [pb.Factor.Name(factor) for factor in which]


class Gateway:
    """What the kit drives: one login at a time."""

    def __init__(self, vestibule: Client, logins: type[Login] = Login) -> None:
        self.vestibule, self.logins = vestibule, logins
        self.login: Login | None = None

    def turn(self, said: Mapping[str, Any]) -> list[Did]:
        """Do what follows from a login, or from what its user did."""
        if "login" in said:
            self.login = self.logins(self.vestibule, said["login"]["tenant_id"], said["login"]["event"])
            return [each for each in self.login.begin() if each]
        assert self.login is not None
        return [each for each in self.login.user(said["user"]) if each]


def main() -> None:
    """Read what the user does; write what this gateway did."""
    with Client(os.environ["VESTIBULE_TARGET"], deadline_s=float(os.environ["VESTIBULE_DEADLINE_S"])) as vestibule:
        gateway = Gateway(vestibule)
        for line in sys.stdin:
            print(json.dumps({"did": gateway.turn(json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
