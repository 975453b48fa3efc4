/** The OAuth error and the HTTP status of each refusal. Knows reasons; must not know steps or calls. */

import { Denial_Reason } from "./generated/vestibule/v1/decision.js";

export interface OAuthError {
  readonly error: string;
  readonly status: number;
}

export const MFA_REQUIRED: OAuthError = { error: "mfa_required", status: 403 };
export const NO_ANSWER: OAuthError = { error: "temporarily_unavailable", status: 503 };
export const NOT_UNDERSTOOD: OAuthError = { error: "server_error", status: 500 };
export const BEGIN_AGAIN: OAuthError = { error: "invalid_request", status: 400 };
export const NO_PAGES: OAuthError = { error: "interaction_required", status: 403 };

const DENIED: OAuthError = { error: "access_denied", status: 403 };
const OTHERS = new Map<Denial_Reason, OAuthError>([
  [Denial_Reason.REASON_REFRESH_TOKEN_REVOKED, { error: "invalid_grant", status: 400 }],
  [Denial_Reason.REASON_INTERACTION_REQUIRED, NO_PAGES],
  [Denial_Reason.REASON_MFA_GRANT_NOT_ALLOWED, { error: "unauthorized_client", status: 400 }],
  [Denial_Reason.REASON_TOKEN_EXCHANGE_NOT_SUPPORTED, { error: "invalid_request", status: 400 }],
]);

/** Return the OAuth error and the HTTP status of a denial; one of a later version is `access_denied`, too. */
export function denial(reason: Denial_Reason): OAuthError {
  return OTHERS.get(reason) ?? DENIED;
}
