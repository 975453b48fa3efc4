/** The OAuth error and the HTTP status of each refusal. Knows reasons; must not know steps or calls. */
import { Denial_Reason } from "./generated/vestibule/v1/decision.js";
export interface OAuthError {
    readonly error: string;
    readonly status: number;
}
export declare const MFA_REQUIRED: OAuthError;
export declare const NO_ANSWER: OAuthError;
export declare const NOT_UNDERSTOOD: OAuthError;
export declare const BEGIN_AGAIN: OAuthError;
export declare const NO_PAGES: OAuthError;
/** Return the OAuth error and the HTTP status of a denial; one of a later version is `access_denied`, too. */
export declare function denial(reason: Denial_Reason): OAuthError;
