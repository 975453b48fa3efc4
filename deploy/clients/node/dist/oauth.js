"use strict";
/** The OAuth error and the HTTP status of each refusal. Knows reasons; must not know steps or calls. */
Object.defineProperty(exports, "__esModule", { value: true });
exports.NO_PAGES = exports.BEGIN_AGAIN = exports.NOT_UNDERSTOOD = exports.NO_ANSWER = exports.MFA_REQUIRED = void 0;
exports.denial = denial;
const decision_js_1 = require("./generated/vestibule/v1/decision.js");
exports.MFA_REQUIRED = { error: "mfa_required", status: 403 };
exports.NO_ANSWER = { error: "temporarily_unavailable", status: 503 };
exports.NOT_UNDERSTOOD = { error: "server_error", status: 500 };
exports.BEGIN_AGAIN = { error: "invalid_request", status: 400 };
exports.NO_PAGES = { error: "interaction_required", status: 403 };
const DENIED = { error: "access_denied", status: 403 };
const OTHERS = new Map([
    [decision_js_1.Denial_Reason.REASON_REFRESH_TOKEN_REVOKED, { error: "invalid_grant", status: 400 }],
    [decision_js_1.Denial_Reason.REASON_INTERACTION_REQUIRED, exports.NO_PAGES],
    [decision_js_1.Denial_Reason.REASON_MFA_GRANT_NOT_ALLOWED, { error: "unauthorized_client", status: 400 }],
    [decision_js_1.Denial_Reason.REASON_TOKEN_EXCHANGE_NOT_SUPPORTED, { error: "invalid_request", status: 400 }],
]);
/** Return the OAuth error and the HTTP status of a denial; one of a later version is `access_denied`, too. */
function denial(reason) {
    return OTHERS.get(reason) ?? DENIED;
}
