"use strict";
/**
 * What a gateway does next, as one tagged union: `nextStep` turns a decision into exactly one step.
 *
 * A decision that this version does not understand is refused. Must not know calls, retries or the network.
 */
Object.defineProperty(exports, "__esModule", { value: true });
exports.nextStep = nextStep;
exports.refusal = refusal;
exports.effects = effects;
exports.answerMfaRequired = answerMfaRequired;
const decision_js_1 = require("./generated/vestibule/v1/decision.js");
const oauth_js_1 = require("./oauth.js");
const FACTORS = known(decision_js_1.Factor, decision_js_1.Factor.FACTOR_UNSPECIFIED, decision_js_1.Factor.UNRECOGNIZED);
const VERIFIERS = known(decision_js_1.Provider, decision_js_1.Provider.PROVIDER_UNSPECIFIED, decision_js_1.Provider.PROVIDER_NONE, decision_js_1.Provider.UNRECOGNIZED);
/** Say what the gateway does with a decision. What is not understood is refused. */
function nextStep(decision) {
    switch (decision.outcome) {
        case decision_js_1.Outcome.OUTCOME_ALLOW:
            return {
                kind: "issueTokens",
                ...effects(decision),
                ...(decision.multifactor?.status === decision_js_1.Multifactor_Status.STATUS_REMEMBERED && decision.multifactor.memory
                    ? { renew: memory(decision.multifactor.memory) }
                    : {}),
            };
        case decision_js_1.Outcome.OUTCOME_MFA_REQUIRED:
        case decision_js_1.Outcome.OUTCOME_MFA_REQUIRED_BY_TOKEN:
            return required(decision);
        case decision_js_1.Outcome.OUTCOME_SUSPEND:
        case decision_js_1.Outcome.OUTCOME_SUSPEND_BY_TOKEN:
            return suspended(decision);
        case decision_js_1.Outcome.OUTCOME_DENY: {
            const reason = decision.denial?.reason ?? decision_js_1.Denial_Reason.REASON_UNSPECIFIED;
            const code = decision.denial?.validationCode;
            return {
                ...refusal((0, oauth_js_1.denial)(reason), decision.denial?.description ?? "", decision),
                reason,
                ...(code === undefined ? {} : { validationCode: code }),
            };
        }
        default:
            return notUnderstood(decision);
    }
}
/** Refuse a login that no decision refuses. */
function refusal(error, description, decision) {
    return {
        kind: "refuse",
        oauthError: error.error,
        httpStatus: error.status,
        description,
        reason: decision_js_1.Denial_Reason.REASON_UNSPECIFIED,
        onAnyOutcome: decision?.onAnyOutcome ?? decision_js_1.EffectsOnAnyOutcome.create(),
    };
}
function notUnderstood(decision) {
    return refusal(oauth_js_1.NOT_UNDERSTOOD, "the login could not be decided", decision);
}
/** What a login without a decision applies: nothing. */
function effects(decision = decision_js_1.Decision.create()) {
    return {
        onAnyOutcome: decision.onAnyOutcome ?? decision_js_1.EffectsOnAnyOutcome.create(),
        onSuccess: decision.onSuccess ?? decision_js_1.EffectsOnSuccess.create(),
    };
}
function required(decision) {
    const said = decision.multifactor;
    const mfa = said && requirement(said);
    if (!mfa || mfa.challenge.length + mfa.enroll.length === 0 || !VERIFIERS.has(mfa.provider)) {
        return notUnderstood(decision);
    }
    if (decision.outcome === decision_js_1.Outcome.OUTCOME_MFA_REQUIRED) {
        return { kind: "showFactors", mfa, ...effects(decision) };
    }
    return answerMfaRequired(mfa, decision);
}
/** Ask a client without pages for a factor. */
function answerMfaRequired(mfa, decision) {
    return { kind: "answerMfaRequired", mfa, ...effects(decision), ...MFA_REQUIRED_ANSWER };
}
const MFA_REQUIRED_ANSWER = { oauthError: oauth_js_1.MFA_REQUIRED.error, httpStatus: oauth_js_1.MFA_REQUIRED.status };
function requirement(said) {
    return {
        challenge: said.challenge.filter((factor) => FACTORS.has(factor)),
        enroll: said.enroll.filter((factor) => FACTORS.has(factor)),
        choice: said.choice,
        verifyEmailFirst: said.verifyEmailFirst,
        recoveryCodeAllowed: said.recoveryCodeAllowed,
        provider: said.provider,
        ...(said.providerOptions ? { providerOptions: said.providerOptions } : {}),
        remember: said.remember,
        ...(said.memory ? { memory: memory(said.memory) } : {}),
        forgetRememberedBrowser: said.forgetRememberedBrowser,
        recordsAmr: said.recordsAmr,
    };
}
function memory(said) {
    return {
        lifetimeS: said.lifetime?.seconds ?? 0,
        idleLifetimeS: said.idleLifetime?.seconds ?? 0,
        ...(said.expiresAt ? { expiresAt: said.expiresAt } : {}),
    };
}
function suspended(decision) {
    const said = decision.suspension;
    if (!said || said.continuation.length === 0) {
        return notUnderstood(decision);
    }
    const resume = { continuation: said.continuation, expiresAt: said.expiresAt ?? new Date(0), action: said.action };
    const byToken = decision.outcome === decision_js_1.Outcome.OUTCOME_SUSPEND_BY_TOKEN;
    if (said.mfa) {
        const { hideRememberBrowser, verifyEmailFirst } = said.mfa;
        const steps = said.mfa.steps.map(mfaStep).filter((step) => step !== undefined);
        if (steps.length === 0 || steps.length < said.mfa.steps.length) {
            return notUnderstood(decision);
        }
        return byToken
            ? { kind: "answerMfaRequiredWithSteps", steps, verifyEmailFirst, resume, ...MFA_REQUIRED_ANSWER }
            : { kind: "showSteps", steps, hideRememberBrowser, verifyEmailFirst, resume };
    }
    if (said.redirect && !byToken) {
        return { kind: "redirectUser", url: said.redirect.url, resume };
    }
    if (said.prompt && !byToken) {
        return { kind: "showForm", id: said.prompt.id, fields: said.prompt.fields ?? {}, vars: said.prompt.vars ?? {}, resume };
    }
    return notUnderstood(decision);
}
/** Read one step; undefined if this gateway cannot show it. */
function mfaStep(said) {
    const kinds = new Map([
        [decision_js_1.MfaSteps_Kind.KIND_CHALLENGE, "challenge"],
        [decision_js_1.MfaSteps_Kind.KIND_ENROLL, "enroll"],
    ]);
    const kind = kinds.get(said.kind);
    const factors = said.factors.filter(({ factor }) => FACTORS.has(factor)).map(option);
    return kind && factors.length > 0 ? { kind, factors, choice: said.choice, ignored: said.ignored } : undefined;
}
function option(said) {
    return { factor: said.factor, preferredMethod: said.preferredMethod, otpFallback: said.otpFallback ?? true };
}
function known(values, ...but) {
    return new Set(Object.values(values).filter((value) => !but.includes(value)));
}
