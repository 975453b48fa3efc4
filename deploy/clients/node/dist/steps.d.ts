/**
 * What a gateway does next, as one tagged union: `nextStep` turns a decision into exactly one step.
 *
 * A decision that this version does not understand is refused. Must not know calls, retries or the network.
 */
import { Decision, Denial_Reason, EffectsOnAnyOutcome, EffectsOnSuccess, Factor, type IgnoredFactor, Multifactor_RememberMode, PhoneMethod, Provider, type ProviderOptions } from "./generated/vestibule/v1/decision.js";
import { type OAuthError } from "./oauth.js";
/** What is remembered of a browser: send it back as GatewayContext.rememberedBrowser. */
export interface Memory {
    readonly lifetimeS: number;
    readonly idleLifetimeS: number;
    readonly expiresAt?: Date;
}
/** A second factor that is required: what to show, and what a passed challenge leads to. */
export interface Requirement {
    /** Factors to present one of, safest first. This or `enroll` has at least one. */
    readonly challenge: readonly Factor[];
    /** Factors to enrol one of, safest first. Beside a challenge: for a user who is enrolled in nothing. */
    readonly enroll: readonly Factor[];
    readonly choice: boolean;
    readonly verifyEmailFirst: boolean;
    readonly recoveryCodeAllowed: boolean;
    readonly provider: Provider;
    readonly providerOptions?: ProviderOptions;
    readonly remember: Multifactor_RememberMode;
    readonly memory?: Memory;
    readonly forgetRememberedBrowser: boolean;
    readonly recordsAmr: boolean;
}
/** What `resume` needs, to be kept with the transaction. */
export interface Resume {
    readonly continuation: Uint8Array;
    readonly expiresAt: Date;
    readonly action: string;
}
/** One factor of a step. */
export interface Option {
    readonly factor: Factor;
    readonly preferredMethod: PhoneMethod;
    readonly otpFallback: boolean;
}
/** The user presents, or enrols, any one of the factors. */
export interface MfaStep {
    readonly kind: "challenge" | "enroll";
    readonly factors: readonly Option[];
    readonly choice: boolean;
    /** Log each as a warning. */
    readonly ignored: readonly IgnoredFactor[];
}
/** Apply both kinds of effects and issue tokens. */
export interface IssueTokens {
    readonly kind: "issueTokens";
    readonly onAnyOutcome: EffectsOnAnyOutcome;
    readonly onSuccess: EffectsOnSuccess;
    /** The remembered browser satisfied the requirement: renew what is remembered. */
    readonly renew?: Memory;
}
/**
 * Apply `onAnyOutcome`, show the pages. Once the user passed, apply `onSuccess` and issue tokens. Nothing is sent back
 * to the daemon.
 */
export interface ShowFactors {
    readonly kind: "showFactors";
    readonly mfa: Requirement;
    readonly onAnyOutcome: EffectsOnAnyOutcome;
    readonly onSuccess: EffectsOnSuccess;
}
/** As showFactors without pages: answer `oauthError` with a token for the MFA API. */
export interface AnswerMfaRequired {
    readonly kind: "answerMfaRequired";
    readonly mfa: Requirement;
    readonly onAnyOutcome: EffectsOnAnyOutcome;
    readonly onSuccess: EffectsOnSuccess;
    readonly oauthError: string;
    readonly httpStatus: number;
}
/** Apply `onAnyOutcome` and refuse the login. */
export interface Refuse {
    readonly kind: "refuse";
    readonly oauthError: string;
    readonly httpStatus: number;
    readonly description: string;
    readonly reason: Denial_Reason;
    /** The code that an action chose, for the page that the user sees. */
    readonly validationCode?: string;
    readonly onAnyOutcome: EffectsOnAnyOutcome;
}
/** Apply nothing yet. The user passes each step in order; then `resume` with what satisfied each. */
export interface ShowSteps {
    readonly kind: "showSteps";
    readonly steps: readonly MfaStep[];
    readonly hideRememberBrowser: boolean;
    readonly verifyEmailFirst: boolean;
    readonly resume: Resume;
}
/** As showSteps without pages: answer `oauthError` with the steps as requirements; `resume` once they are done. */
export interface AnswerMfaRequiredWithSteps {
    readonly kind: "answerMfaRequiredWithSteps";
    readonly steps: readonly MfaStep[];
    readonly verifyEmailFirst: boolean;
    readonly resume: Resume;
    readonly oauthError: string;
    readonly httpStatus: number;
}
/** Apply nothing yet. Send the user to `url` with a `state` of yours; `resume` with the request that came back. */
export interface RedirectUser {
    readonly kind: "redirectUser";
    readonly url: string;
    readonly resume: Resume;
}
/** Apply nothing yet. Show the form; `resume` with what was filled in. */
export interface ShowForm {
    readonly kind: "showForm";
    readonly id: string;
    readonly fields: Readonly<Record<string, unknown>>;
    readonly vars: Readonly<Record<string, unknown>>;
    readonly resume: Resume;
}
export type NextStep = IssueTokens | ShowFactors | AnswerMfaRequired | Refuse | ShowSteps | AnswerMfaRequiredWithSteps | RedirectUser | ShowForm;
/** Say what the gateway does with a decision. What is not understood is refused. */
export declare function nextStep(decision: Decision): NextStep;
/** Refuse a login that no decision refuses. */
export declare function refusal(error: OAuthError, description: string, decision?: Decision): Refuse;
/** What a login without a decision applies: nothing. */
export declare function effects(decision?: Decision): {
    onAnyOutcome: EffectsOnAnyOutcome;
    onSuccess: EffectsOnSuccess;
};
/** Ask a client without pages for a factor. */
export declare function answerMfaRequired(mfa: Requirement, decision?: Decision): AnswerMfaRequired;
