"use strict";
/**
 * What happens to a login when there is no answer: refused, unless the gateway chose otherwise in so many words.
 *
 * Must not know the network. A request that the daemon refuses is always refused.
 */
Object.defineProperty(exports, "__esModule", { value: true });
exports.DENY = void 0;
exports.checked = checked;
exports.refuse = refuse;
exports.stepWithoutAnswer = stepWithoutAnswer;
const decision_js_1 = require("./generated/vestibule/v1/decision.js");
const oauth_js_1 = require("./oauth.js");
const steps_js_1 = require("./steps.js");
exports.DENY = { kind: "deny" };
const UNAVAILABLE = "the login cannot be decided at the moment; try again later";
const BACK_CHANNEL = new Set([
    "oauth2-password",
    "oauth2-resource-owner",
    "oauth2-resource-owner-jwt-bearer",
    "oauth2-refresh-token",
    "oauth2-access-token",
    "oauth2-token-exchange",
    "oauth2-webauthn",
    "wstrust-usernamemixed",
    "oidc-ciba",
    "oidc-ciba-web-link",
]);
/** Refuse a fallback that leads nowhere. */
function checked(fallback) {
    if (fallback.kind === "requireMfa" && !fallback.challenge?.length && !fallback.enroll?.length) {
        throw new TypeError("fallback: requireMfa needs a factor to challenge or to enrol");
    }
    return fallback;
}
/** Refuse a login that has no answer. */
function refuse() {
    return (0, steps_js_1.refusal)(oauth_js_1.NO_ANSWER, UNAVAILABLE);
}
/** Say what to do with a login that has no answer. */
function stepWithoutAnswer(fallback, event) {
    switch (fallback.kind) {
        case "allowWithoutDecision":
            return { kind: "issueTokens", ...(0, steps_js_1.effects)() };
        case "requireMfa": {
            const mfa = requirement(fallback.challenge ?? [], fallback.enroll ?? []);
            const { protocol, prompts } = transaction(event);
            if (BACK_CHANNEL.has(protocol)) {
                return (0, steps_js_1.answerMfaRequired)(mfa);
            }
            return prompts.includes("none") ? (0, steps_js_1.refusal)(oauth_js_1.NO_PAGES, UNAVAILABLE) : { kind: "showFactors", mfa, ...(0, steps_js_1.effects)() };
        }
        default:
            return refuse();
    }
}
function requirement(challenge, enroll) {
    return {
        challenge,
        enroll,
        choice: false,
        verifyEmailFirst: false,
        recoveryCodeAllowed: false,
        provider: decision_js_1.Provider.PROVIDER_ANY,
        remember: decision_js_1.Multifactor_RememberMode.REMEMBER_MODE_NONE,
        forgetRememberedBrowser: false,
        recordsAmr: false,
    };
}
/** Return the protocol, and the values of OIDC's `prompt`. */
function transaction(event) {
    if ("message" in event) {
        const { transaction, request } = event.message;
        const prompts = [...(transaction?.prompt?.values ?? []), ...words(request?.query?.["prompt"])];
        return { protocol: transaction?.protocol ?? "", prompts };
    }
    const { protocol, prompt } = object(event.auth0["transaction"]);
    const query = object(object(event.auth0["request"])["query"]);
    return { protocol: String(protocol ?? ""), prompts: [...words(prompt), ...words(query["prompt"])] };
}
function object(value) {
    return typeof value === "object" && value !== null ? value : {};
}
function words(value) {
    const found = typeof value === "string" ? value.split(/\s+/) : Array.isArray(value) ? value : [];
    return found.filter((word) => typeof word === "string");
}
