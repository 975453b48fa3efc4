import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { Duration } from "../../google/protobuf/duration.js";
/** What happens to the login. */
export declare enum Outcome {
    /** OUTCOME_UNSPECIFIED - Never sent. */
    OUTCOME_UNSPECIFIED = "OUTCOME_UNSPECIFIED",
    /** OUTCOME_ALLOW - Apply on_any_outcome and on_success, issue tokens. */
    OUTCOME_ALLOW = "OUTCOME_ALLOW",
    /**
     * OUTCOME_MFA_REQUIRED - Apply on_any_outcome, show the pages that `multifactor` describes; when the user passed, apply on_success and issue
     * tokens. Nothing is sent back to the daemon.
     */
    OUTCOME_MFA_REQUIRED = "OUTCOME_MFA_REQUIRED",
    /** OUTCOME_DENY - Apply on_any_outcome, refuse with what `denial` says. */
    OUTCOME_DENY = "OUTCOME_DENY",
    /** OUTCOME_SUSPEND - Apply nothing yet. Show what `suspension` asks for, then call ContinuePostLogin. */
    OUTCOME_SUSPEND = "OUTCOME_SUSPEND",
    /** OUTCOME_MFA_REQUIRED_BY_TOKEN - As MFA_REQUIRED, for a client without pages: answer error=mfa_required with a token for the MFA API. */
    OUTCOME_MFA_REQUIRED_BY_TOKEN = "OUTCOME_MFA_REQUIRED_BY_TOKEN",
    /**
     * OUTCOME_SUSPEND_BY_TOKEN - As SUSPEND, for a client without pages: answer error=mfa_required with the steps as its requirements, then call
     * ContinuePostLogin.
     */
    OUTCOME_SUSPEND_BY_TOKEN = "OUTCOME_SUSPEND_BY_TOKEN",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function outcomeFromJSON(object: any): Outcome;
export declare function outcomeToNumber(object: Outcome): number;
/** Who verifies the second factor. */
export declare enum Provider {
    /** PROVIDER_UNSPECIFIED - Never sent. */
    PROVIDER_UNSPECIFIED = "PROVIDER_UNSPECIFIED",
    /** PROVIDER_ANY - Every factor the tenant has configured. */
    PROVIDER_ANY = "PROVIDER_ANY",
    /** PROVIDER_GUARDIAN - Legacy: Guardian. */
    PROVIDER_GUARDIAN = "PROVIDER_GUARDIAN",
    /** PROVIDER_GOOGLE_AUTHENTICATOR - Legacy: Google Authenticator. */
    PROVIDER_GOOGLE_AUTHENTICATOR = "PROVIDER_GOOGLE_AUTHENTICATOR",
    /** PROVIDER_DUO - Duo. */
    PROVIDER_DUO = "PROVIDER_DUO",
    /** PROVIDER_NONE - No challenge. */
    PROVIDER_NONE = "PROVIDER_NONE",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function providerFromJSON(object: any): Provider;
export declare function providerToNumber(object: Provider): number;
/** What a user presents or enrols; the one vocabulary of factors. */
export declare enum Factor {
    /** FACTOR_UNSPECIFIED - Never sent. */
    FACTOR_UNSPECIFIED = "FACTOR_UNSPECIFIED",
    /** FACTOR_PUSH_NOTIFICATION - Push notification. In an event: push-notification. */
    FACTOR_PUSH_NOTIFICATION = "FACTOR_PUSH_NOTIFICATION",
    /** FACTOR_SMS - Text message. In an event: phone. */
    FACTOR_SMS = "FACTOR_SMS",
    /** FACTOR_VOICE - Voice call. In an event: phone. */
    FACTOR_VOICE = "FACTOR_VOICE",
    /** FACTOR_OTP - One-time password. In an event: otp. */
    FACTOR_OTP = "FACTOR_OTP",
    /** FACTOR_EMAIL - Email. In an event: email. */
    FACTOR_EMAIL = "FACTOR_EMAIL",
    /** FACTOR_WEBAUTHN_ROAMING - Security key. In an event: webauthn-roaming. */
    FACTOR_WEBAUTHN_ROAMING = "FACTOR_WEBAUTHN_ROAMING",
    /** FACTOR_WEBAUTHN_PLATFORM - Device biometrics. In an event: webauthn-platform. */
    FACTOR_WEBAUTHN_PLATFORM = "FACTOR_WEBAUTHN_PLATFORM",
    /** FACTOR_RECOVERY_CODE - Recovery code. In an event: recovery-code. */
    FACTOR_RECOVERY_CODE = "FACTOR_RECOVERY_CODE",
    /** FACTOR_DUO - Duo. In an event: duo. */
    FACTOR_DUO = "FACTOR_DUO",
    /**
     * FACTOR_PHONE - Text message or voice call, as the phone allows: of steps that an action asked for. In `completed` it is PHONE too,
     * however the code travelled. In an event: phone.
     */
    FACTOR_PHONE = "FACTOR_PHONE",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function factorFromJSON(object: any): Factor;
export declare function factorToNumber(object: Factor): number;
/** How a code reaches a phone. */
export declare enum PhoneMethod {
    /** PHONE_METHOD_UNSPECIFIED - Not said: the gateway's default. */
    PHONE_METHOD_UNSPECIFIED = "PHONE_METHOD_UNSPECIFIED",
    /** PHONE_METHOD_SMS - Text message. */
    PHONE_METHOD_SMS = "PHONE_METHOD_SMS",
    /** PHONE_METHOD_VOICE - Voice call. */
    PHONE_METHOD_VOICE = "PHONE_METHOD_VOICE",
    /** PHONE_METHOD_BOTH - The user picks. */
    PHONE_METHOD_BOTH = "PHONE_METHOD_BOTH",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function phoneMethodFromJSON(object: any): PhoneMethod;
export declare function phoneMethodToNumber(object: PhoneMethod): number;
/** How long a session's cookie lives. */
export declare enum CookieMode {
    /** COOKIE_MODE_UNSPECIFIED - Not said: as it is. */
    COOKIE_MODE_UNSPECIFIED = "COOKIE_MODE_UNSPECIFIED",
    /** COOKIE_MODE_PERSISTENT - It outlives the browser. */
    COOKIE_MODE_PERSISTENT = "COOKIE_MODE_PERSISTENT",
    /** COOKIE_MODE_NON_PERSISTENT - It ends with the browser. */
    COOKIE_MODE_NON_PERSISTENT = "COOKIE_MODE_NON_PERSISTENT",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function cookieModeFromJSON(object: any): CookieMode;
export declare function cookieModeToNumber(object: CookieMode): number;
/** How an execution ended. */
export declare enum Verdict {
    /** VERDICT_UNSPECIFIED - Never sent. */
    VERDICT_UNSPECIFIED = "VERDICT_UNSPECIFIED",
    /** VERDICT_COMPLETED - The action returned. */
    VERDICT_COMPLETED = "VERDICT_COMPLETED",
    /** VERDICT_RAISED - The action raised. */
    VERDICT_RAISED = "VERDICT_RAISED",
    /** VERDICT_REJECTED - The source is not an action: syntax, language policy, entry point. */
    VERDICT_REJECTED = "VERDICT_REJECTED",
    /** VERDICT_TIMED_OUT - The budget was used up. */
    VERDICT_TIMED_OUT = "VERDICT_TIMED_OUT",
    /** VERDICT_EXHAUSTED - A limit other than time was used up: memory, output, reply, commands. */
    VERDICT_EXHAUSTED = "VERDICT_EXHAUSTED",
    /** VERDICT_VIOLATED - The worker broke its protocol or its seccomp filter. */
    VERDICT_VIOLATED = "VERDICT_VIOLATED",
    /** VERDICT_CRASHED - The worker died. */
    VERDICT_CRASHED = "VERDICT_CRASHED",
    /** VERDICT_SKIPPED - Not run: an earlier action ended the flow, or no time was left. */
    VERDICT_SKIPPED = "VERDICT_SKIPPED",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function verdictFromJSON(object: any): Verdict;
export declare function verdictToNumber(object: Verdict): number;
/**
 * The answer to a login: one aggregated decision of every action of the flow and of the tenant's policy.
 *
 * `outcome` alone says what the gateway does. Everything else is how to do it, and why.
 */
export interface Decision {
    /** What the gateway does with the login. Refuse a login whose outcome you do not know. */
    outcome: Outcome;
    /**
     * The second factor: what to show when outcome is MFA_REQUIRED or MFA_REQUIRED_BY_TOKEN; otherwise what happened to a
     * requirement (see `status`). Absent when no factor was required, and when the steps of a suspension satisfied it.
     */
    multifactor: Multifactor | undefined;
    /** Why the login is refused: set when outcome is DENY. */
    denial: Denial | undefined;
    /**
     * Side effects that are applied whatever follows, also when the login is refused. None while the flow is suspended:
     * the decision that ends it has those of all its parts.
     */
    onAnyOutcome: EffectsOnAnyOutcome | undefined;
    /**
     * Side effects that are applied when tokens are issued, after the factor if one is required. None when outcome is
     * DENY, none while the flow is suspended.
     */
    onSuccess: EffectsOnSuccess | undefined;
    /** What the user does before the flow is continued: set when outcome is SUSPEND or SUSPEND_BY_TOKEN. */
    suspension: Suspension | undefined;
    /**
     * True when an execution failed, so that on_error took part in this decision. The outcome already counts it: alert on
     * it, do not act on it.
     */
    degraded: boolean;
    /** Why it is degraded, one line for each failed execution. */
    degradedReasons: string[];
    /** Unique id of this decision. */
    decisionId: string;
    /** Revision of the catalog that the flow was read from. */
    catalogRevision: number;
    /** Duration seen by the daemon, queue included. Of a continued flow: since it was continued. */
    wallTime: Duration | undefined;
    /** Which action asked for what, in call order, and which request won. Not in the basic view. */
    contributions: Contribution[];
    /**
     * One report for each binding of the flow, in flow order. A binding whose action was continued after a redirect or a
     * form has two; those that a suspended flow has not reached have none. Not in the basic view.
     */
    executions: ExecutionReport[];
    /** Version of the tenant whose flow decided, as its author's tools number it: not always the newest one. 0 if unknown. */
    tenantVersion: number;
}
/** A requirement of a second factor over the whole flow, and what is done about it. */
export interface Multifactor {
    /** Where the requirement stands. */
    status: Multifactor_Status;
    /** Who verifies the factor. */
    provider: Provider;
    /** Who required it. */
    origin: Multifactor_Origin;
    /**
     * Factors that the user may present, safest first. With outcome MFA_REQUIRED or MFA_REQUIRED_BY_TOKEN this or `enroll`
     * has at least one.
     */
    challenge: Factor[];
    /** The user picks one of `challenge`; otherwise the first is shown. */
    choice: boolean;
    /**
     * Factors to enrol one of, safest first. Beside a non-empty `challenge`: the event did not say what the user is
     * enrolled in, so challenge a user who is enrolled and let any other enrol.
     */
    enroll: Factor[];
    /** Prove the user's email address before anything is enrolled. Only where there are pages. */
    verifyEmailFirst: boolean;
    /** A recovery code may be enrolled too. */
    recoveryCodeAllowed: boolean;
    /** How a passed challenge leads to a remembered browser; NONE where there are no pages. */
    remember: Multifactor_RememberMode;
    /**
     * What is remembered of the browser: send it back as GatewayContext.remembered_browser. Set when `remember` is
     * CHECKBOX or AUTOMATIC, and when status is REMEMBERED, to renew it.
     */
    memory: BrowserMemory | undefined;
    /** Browsers remembered earlier are forgotten when the user reaches the challenge. */
    forgetRememberedBrowser: boolean;
    /** The ID token says amr `mfa`, and acr the PAPE multi-factor class, once the factor is presented. */
    recordsAmr: boolean;
    /** Options of the provider; Duo only. */
    providerOptions: ProviderOptions | undefined;
    /** For the developers of the pages. */
    notes: string[];
}
/** Where a requirement stands. */
export declare enum Multifactor_Status {
    /** STATUS_UNSPECIFIED - Never sent. */
    STATUS_UNSPECIFIED = "STATUS_UNSPECIFIED",
    /** STATUS_REQUIRED - The user presents a factor now. */
    STATUS_REQUIRED = "STATUS_REQUIRED",
    /** STATUS_REMEMBERED - The remembered browser satisfies it. */
    STATUS_REMEMBERED = "STATUS_REMEMBERED",
    /** STATUS_LIFTED - An action lifted the tenant's policy: enable("none"). */
    STATUS_LIFTED = "STATUS_LIFTED",
    /** STATUS_FAILED - It cannot be satisfied: outcome is DENY, and `denial` says why. */
    STATUS_FAILED = "STATUS_FAILED",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function multifactor_StatusFromJSON(object: any): Multifactor_Status;
export declare function multifactor_StatusToNumber(object: Multifactor_Status): number;
/** Who required the factor. */
export declare enum Multifactor_Origin {
    /** ORIGIN_UNSPECIFIED - Never sent. */
    ORIGIN_UNSPECIFIED = "ORIGIN_UNSPECIFIED",
    /** ORIGIN_ACTION - An action, through api.multifactor.enable. */
    ORIGIN_ACTION = "ORIGIN_ACTION",
    /** ORIGIN_POLICY - The tenant's policy. */
    ORIGIN_POLICY = "ORIGIN_POLICY",
    /** ORIGIN_ON_ERROR - A failed execution whose binding says on_error: require_mfa. */
    ORIGIN_ON_ERROR = "ORIGIN_ON_ERROR",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function multifactor_OriginFromJSON(object: any): Multifactor_Origin;
export declare function multifactor_OriginToNumber(object: Multifactor_Origin): number;
/** How a passed challenge leads to a remembered browser. */
export declare enum Multifactor_RememberMode {
    /** REMEMBER_MODE_UNSPECIFIED - Never sent. */
    REMEMBER_MODE_UNSPECIFIED = "REMEMBER_MODE_UNSPECIFIED",
    /** REMEMBER_MODE_NONE - It does not. */
    REMEMBER_MODE_NONE = "REMEMBER_MODE_NONE",
    /** REMEMBER_MODE_CHECKBOX - The user is asked. */
    REMEMBER_MODE_CHECKBOX = "REMEMBER_MODE_CHECKBOX",
    /** REMEMBER_MODE_AUTOMATIC - Without asking. */
    REMEMBER_MODE_AUTOMATIC = "REMEMBER_MODE_AUTOMATIC",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function multifactor_RememberModeFromJSON(object: any): Multifactor_RememberMode;
export declare function multifactor_RememberModeToNumber(object: Multifactor_RememberMode): number;
/** How long a browser is remembered. */
export interface BrowserMemory {
    /** Forget it this long after the factor was presented. */
    lifetime: Duration | undefined;
    /** Forget it when the browser was not seen for this long. */
    idleLifetime: Duration | undefined;
    /** When it is forgotten if it is not seen again: set when status is REMEMBERED. */
    expiresAt: Date | undefined;
}
/** Options of the Duo provider. Absent members come from the tenant's own Duo settings. */
export interface ProviderOptions {
    /** API host name. */
    host?: string | undefined;
    /** Integration key. */
    ikey?: string | undefined;
    /** Secret key: keep it out of logs. */
    skey?: string | undefined;
    /** Name of the user at Duo. */
    username?: string | undefined;
}
/** Why a login is refused. */
export interface Denial {
    /**
     * What refused it. proto/README.md has the OAuth error and the HTTP status of each. One that you do not know is as
     * DENIED.
     */
    reason: Denial_Reason;
    /** For the user: error_description. */
    description: string;
    /** VALIDATION_ERROR only: the code that the action chose. */
    validationCode?: string | undefined;
}
/** What refused the login. */
export declare enum Denial_Reason {
    /** REASON_UNSPECIFIED - Never sent. */
    REASON_UNSPECIFIED = "REASON_UNSPECIFIED",
    /** REASON_DENIED - api.access.deny. */
    REASON_DENIED = "REASON_DENIED",
    /** REASON_VALIDATION_ERROR - api.validation.error. */
    REASON_VALIDATION_ERROR = "REASON_VALIDATION_ERROR",
    /** REASON_ON_ERROR - A failed execution whose binding says on_error: deny. */
    REASON_ON_ERROR = "REASON_ON_ERROR",
    /** REASON_SESSION_REVOKED - api.session.revoke: the session ends, see EffectsOnAnyOutcome.session. */
    REASON_SESSION_REVOKED = "REASON_SESSION_REVOKED",
    /** REASON_REFRESH_TOKEN_REVOKED - api.refresh_token.revoke: the token of the exchange is revoked, see EffectsOnAnyOutcome.refresh_token. */
    REASON_REFRESH_TOKEN_REVOKED = "REASON_REFRESH_TOKEN_REVOKED",
    /** REASON_INTERACTION_REQUIRED - The user is needed and there is no page: the application asked for none, or an action needs one. */
    REASON_INTERACTION_REQUIRED = "REASON_INTERACTION_REQUIRED",
    /** REASON_NO_USABLE_FACTOR - The user has no factor that can be presented here, and none can be enrolled. */
    REASON_NO_USABLE_FACTOR = "REASON_NO_USABLE_FACTOR",
    /** REASON_PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL - Duo without a browser. */
    REASON_PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL = "REASON_PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL",
    /** REASON_MFA_GRANT_NOT_ALLOWED - The application may not use the MFA grant types. */
    REASON_MFA_GRANT_NOT_ALLOWED = "REASON_MFA_GRANT_NOT_ALLOWED",
    /** REASON_EMAIL_MISSING - An enrolment at low confidence needs an address to prove. */
    REASON_EMAIL_MISSING = "REASON_EMAIL_MISSING",
    /** REASON_ENROLLMENT_NOT_POSSIBLE - Low confidence, nothing enrolled, no browser. */
    REASON_ENROLLMENT_NOT_POSSIBLE = "REASON_ENROLLMENT_NOT_POSSIBLE",
    /** REASON_TOKEN_EXCHANGE_NOT_SUPPORTED - A token exchange for an organization, or with an actor. */
    REASON_TOKEN_EXCHANGE_NOT_SUPPORTED = "REASON_TOKEN_EXCHANGE_NOT_SUPPORTED",
    /** REASON_EXPERIENCE_NOT_SUPPORTED - Challenges and enrolments by actions need the new experience. */
    REASON_EXPERIENCE_NOT_SUPPORTED = "REASON_EXPERIENCE_NOT_SUPPORTED",
    /** REASON_CUSTOMIZATION_OFF - Challenges and enrolments by actions are switched off. */
    REASON_CUSTOMIZATION_OFF = "REASON_CUSTOMIZATION_OFF",
    /** REASON_TOO_MANY_COMMANDS - More challenges and enrolments than one flow may ask for. */
    REASON_TOO_MANY_COMMANDS = "REASON_TOO_MANY_COMMANDS",
    /** REASON_CHALLENGE_FIRST - A user who has a factor presents it before another is enrolled. */
    REASON_CHALLENGE_FIRST = "REASON_CHALLENGE_FIRST",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function denial_ReasonFromJSON(object: any): Denial_Reason;
export declare function denial_ReasonToNumber(object: Denial_Reason): number;
/** What the user does before the gateway calls ContinuePostLogin. */
export interface Suspension {
    /** Factors to present or to enrol; the next action runs then. */
    mfa?: MfaSteps | undefined;
    /** A page elsewhere; the same action's on_continue_post_login runs when the user is back. */
    redirect?: Redirect | undefined;
    /** A form; the same action's on_continue_post_login runs once it is filled in. */
    prompt?: RenderPrompt | undefined;
    /** The action that asked. */
    action: string;
    /** Sealed state of the flow: keep it with the transaction and send it to ContinuePostLogin. Opaque. */
    continuation: Uint8Array;
    /** The continuation is refused from then on. */
    expiresAt: Date | undefined;
}
/** Factors to present or to enrol, one step after the other. */
export interface MfaSteps {
    /** In this order; every one must succeed. At least one. */
    steps: MfaSteps_MfaStep[];
    /** The pages offer no way to remember the browser. */
    hideRememberBrowser: boolean;
    /** The first step is an enrolment at low confidence: prove the address before it. Only where there are pages. */
    verifyEmailFirst: boolean;
}
/** What a step does. */
export declare enum MfaSteps_Kind {
    /** KIND_UNSPECIFIED - Never sent. */
    KIND_UNSPECIFIED = "KIND_UNSPECIFIED",
    /** KIND_CHALLENGE - Present a factor that is enrolled. */
    KIND_CHALLENGE = "KIND_CHALLENGE",
    /** KIND_ENROLL - Enrol a new factor. */
    KIND_ENROLL = "KIND_ENROLL",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function mfaSteps_KindFromJSON(object: any): MfaSteps_Kind;
export declare function mfaSteps_KindToNumber(object: MfaSteps_Kind): number;
/** One step. */
export interface MfaSteps_MfaStep {
    /** What is done. */
    kind: MfaSteps_Kind;
    /** Any one of them satisfies the step. The first is shown, with a way to the others. At least one. */
    factors: FactorOption[];
    /** Let the user pick one at once, in this order. */
    choice: boolean;
    /** Factors that the action named and that do not count; log each as a warning. */
    ignored: IgnoredFactor[];
}
/** One factor of a step. */
export interface FactorOption {
    /** What the user presents. */
    factor: Factor;
    /** PHONE only. */
    preferredMethod: PhoneMethod;
    /** PUSH_NOTIFICATION only: false forbids typing the one-time password of the same application. */
    otpFallback?: boolean | undefined;
}
/** A factor that does not count. */
export interface IgnoredFactor {
    /** The factor. */
    factor: Factor;
    /** Why. */
    reason: IgnoredFactor_Reason;
}
/** Why a factor does not count. */
export declare enum IgnoredFactor_Reason {
    /** REASON_UNSPECIFIED - Never sent. */
    REASON_UNSPECIFIED = "REASON_UNSPECIFIED",
    /** REASON_DISABLED - The tenant does not use it. */
    REASON_DISABLED = "REASON_DISABLED",
    /** REASON_NOT_ENROLLED - The user is not enrolled in it. */
    REASON_NOT_ENROLLED = "REASON_NOT_ENROLLED",
    /** REASON_ALREADY_ENROLLED - The user is enrolled in it. */
    REASON_ALREADY_ENROLLED = "REASON_ALREADY_ENROLLED",
    /** REASON_NOT_ENROLABLE - It cannot be enrolled by an action. */
    REASON_NOT_ENROLABLE = "REASON_NOT_ENROLABLE",
    /** REASON_NOT_SERVABLE - It cannot be presented here. */
    REASON_NOT_SERVABLE = "REASON_NOT_SERVABLE",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function ignoredFactor_ReasonFromJSON(object: any): IgnoredFactor_Reason;
export declare function ignoredFactor_ReasonToNumber(object: IgnoredFactor_Reason): number;
/** A page elsewhere. */
export interface Redirect {
    /** Absolute, with the query that the action asked for; the gateway appends `state`. */
    url: string;
}
/** A form. */
export interface RenderPrompt {
    /** Prompt (form) id. */
    id: string;
    /** Field data. */
    fields: {
        [key: string]: any;
    } | undefined;
    /** Shared variables. */
    vars: {
        [key: string]: any;
    } | undefined;
}
/** What the gateway writes whatever follows: when the login is allowed, when it is refused, and before a factor is shown. */
export interface EffectsOnAnyOutcome {
    /** user_metadata members to set; null deletes. */
    userMetadata: {
        [key: string]: any;
    } | undefined;
    /** app_metadata members to set; null deletes. */
    appMetadata: {
        [key: string]: any;
    } | undefined;
    /** Members of the transaction's metadata to set; null deletes. It lives as long as the transaction. */
    transactionMetadata: {
        [key: string]: any;
    } | undefined;
    /** Changes to the session. */
    session: SessionChanges | undefined;
    /** Changes to the refresh token that is issued or exchanged. */
    refreshToken: RefreshTokenChanges | undefined;
}
/** What the gateway writes when tokens are issued, and only then: after the factor if one is required. */
export interface EffectsOnSuccess {
    /** Claims of the ID token. */
    idTokenClaims: {
        [key: string]: any;
    } | undefined;
    /** Claims of the access token. */
    accessTokenClaims: {
        [key: string]: any;
    } | undefined;
    /** Scopes to add to the access token. */
    scopesAdded: string[];
    /** Scopes to remove from the access token; none of them is in scopes_added. */
    scopesRemoved: string[];
    /** The user whom the authenticating identity is a secondary identity of, and who logs in instead. */
    primaryUserId?: string | undefined;
    /** URLs of methods to record in event.authentication.methods of the session's later logins. */
    recordedMethods: string[];
    /** What the SAML response is made of. */
    samlResponse: SamlResponse | undefined;
}
/** Members of a SAML response. Absent: the gateway's default. */
export interface SamlResponse {
    /** Attributes to set: text, a number, a truth value or a list of them; null removes one. */
    attributes: {
        [key: string]: any;
    } | undefined;
    /** Audience of the assertion. */
    audience?: string | undefined;
    /** Recipient of the assertion. */
    recipient?: string | undefined;
    /** Destination of the response. */
    destination?: string | undefined;
    /** Is a UPN claim made? */
    createUpnClaim?: boolean | undefined;
    /** Do claims without a mapping pass? */
    passthroughClaimsWithNoMapping?: boolean | undefined;
    /** Do unknown claims keep their names? */
    mapUnknownClaimsAsIs?: boolean | undefined;
    /** Are identities mapped? */
    mapIdentities?: boolean | undefined;
    /** Signature algorithm. */
    signatureAlgorithm: SamlResponse_SignatureAlgorithm;
    /** Digest algorithm. */
    digestAlgorithm: SamlResponse_DigestAlgorithm;
    /** Encryption algorithm. */
    encryptionAlgorithm: SamlResponse_EncryptionAlgorithm;
    /** Lifetime of the assertion in seconds. */
    lifetimeInSeconds?: number | undefined;
    /** Is the response signed instead of the assertion? */
    signResponse?: boolean | undefined;
    /** Format of the name identifier. */
    nameIdentifierFormat?: string | undefined;
    /** Claims that may give the name identifier; the first that is present does. */
    nameIdentifierProbes: string[];
    /** Authentication context class of the assertion. */
    authnContextClassRef?: string | undefined;
    /** Certificate, as PEM, that requests must be signed with. */
    signingCert?: string | undefined;
    /** Do attributes say their name format? */
    includeAttributeNameFormat?: boolean | undefined;
    /** Do attributes say their type? */
    typedAttributes?: boolean | undefined;
    /** Certificate, as PEM, to encrypt with, beside encryption_public_key. */
    encryptionCert?: string | undefined;
    /** Public key, as PEM, to encrypt with, beside encryption_cert. */
    encryptionPublicKey?: string | undefined;
    /** Certificate, as PEM, to sign with, beside key. */
    cert?: string | undefined;
    /** Private key, as PEM, to sign with: keep it out of logs. */
    key?: string | undefined;
    /** Relay state of the response. */
    relayState?: string | undefined;
    /** Issuer of the assertion. */
    issuer?: string | undefined;
}
/** How it is signed. */
export declare enum SamlResponse_SignatureAlgorithm {
    /** SIGNATURE_ALGORITHM_UNSPECIFIED - Not said: the gateway's default. */
    SIGNATURE_ALGORITHM_UNSPECIFIED = "SIGNATURE_ALGORITHM_UNSPECIFIED",
    /** SIGNATURE_ALGORITHM_RSA_SHA256 - rsa-sha256. */
    SIGNATURE_ALGORITHM_RSA_SHA256 = "SIGNATURE_ALGORITHM_RSA_SHA256",
    /** SIGNATURE_ALGORITHM_RSA_SHA1 - rsa-sha1. */
    SIGNATURE_ALGORITHM_RSA_SHA1 = "SIGNATURE_ALGORITHM_RSA_SHA1",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function samlResponse_SignatureAlgorithmFromJSON(object: any): SamlResponse_SignatureAlgorithm;
export declare function samlResponse_SignatureAlgorithmToNumber(object: SamlResponse_SignatureAlgorithm): number;
/** How the signed part is hashed. */
export declare enum SamlResponse_DigestAlgorithm {
    /** DIGEST_ALGORITHM_UNSPECIFIED - Not said: the gateway's default. */
    DIGEST_ALGORITHM_UNSPECIFIED = "DIGEST_ALGORITHM_UNSPECIFIED",
    /** DIGEST_ALGORITHM_SHA256 - sha256. */
    DIGEST_ALGORITHM_SHA256 = "DIGEST_ALGORITHM_SHA256",
    /** DIGEST_ALGORITHM_SHA1 - sha1. */
    DIGEST_ALGORITHM_SHA1 = "DIGEST_ALGORITHM_SHA1",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function samlResponse_DigestAlgorithmFromJSON(object: any): SamlResponse_DigestAlgorithm;
export declare function samlResponse_DigestAlgorithmToNumber(object: SamlResponse_DigestAlgorithm): number;
/** How it is encrypted. */
export declare enum SamlResponse_EncryptionAlgorithm {
    /** ENCRYPTION_ALGORITHM_UNSPECIFIED - Not said: the gateway's default. */
    ENCRYPTION_ALGORITHM_UNSPECIFIED = "ENCRYPTION_ALGORITHM_UNSPECIFIED",
    /** ENCRYPTION_ALGORITHM_AES256_GCM - aes256-gcm. */
    ENCRYPTION_ALGORITHM_AES256_GCM = "ENCRYPTION_ALGORITHM_AES256_GCM",
    /** ENCRYPTION_ALGORITHM_AES256_CBC - aes256-cbc. */
    ENCRYPTION_ALGORITHM_AES256_CBC = "ENCRYPTION_ALGORITHM_AES256_CBC",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function samlResponse_EncryptionAlgorithmFromJSON(object: any): SamlResponse_EncryptionAlgorithm;
export declare function samlResponse_EncryptionAlgorithmToNumber(object: SamlResponse_EncryptionAlgorithm): number;
/** Changes to the session. The gateway caps expiries by what is configured. */
export interface SessionChanges {
    /** End the session. The login is denied too. */
    revoke: boolean;
    /** When it is revoked: leave its refresh tokens valid. */
    preserveRefreshTokens: boolean;
    /** It ends by then. */
    expiresAt: Date | undefined;
    /** It ends by then unless it is used. */
    idleExpiresAt: Date | undefined;
    /** How long its cookie lives. Unspecified: as it is. */
    cookieMode: CookieMode;
    /** Delete all of its metadata, before metadata below is set. */
    evictMetadata: boolean;
    /** Members of its metadata to set; null deletes. */
    metadata: {
        [key: string]: any;
    } | undefined;
}
/** Changes to the refresh token. The gateway caps expiries by what is configured. */
export interface RefreshTokenChanges {
    /** Revoke it. The login is denied too. */
    revoke: boolean;
    /** It ends by then. */
    expiresAt: Date | undefined;
    /** It ends by then unless it is used. */
    idleExpiresAt: Date | undefined;
    /** Delete all of its metadata, before metadata below is set. */
    evictMetadata: boolean;
    /** Members of its metadata to set; null deletes. */
    metadata: {
        [key: string]: any;
    } | undefined;
}
/** One request of one action, and whether the decision follows it. */
export interface Contribution {
    /** The action. Empty where none asked: for the tenant's policy, and for how a required factor was resolved. */
    action: string;
    /** The api call, such as multifactor.enable; without an action policy.always, mfa.remembered and the like. */
    operation: string;
    /** True when the decision follows this request. */
    won: boolean;
    /** What was asked for, in a few words; never event content. */
    summary: string;
}
/** How one execution went. */
export interface ExecutionReport {
    /** The action. */
    action: string;
    /** SHA-256 of the source, hexadecimal. */
    revisionSha256: string;
    /** How it ended. */
    verdict: Verdict;
    /** Time on the clock. */
    wallTime: Duration | undefined;
    /** Time on a processor, as the worker reports it. */
    cpuTime: Duration | undefined;
    /** What went wrong, for the author. */
    error: ExecutionError | undefined;
    /** What the action printed or logged, capped. */
    output: string;
    /** True when the output was cut. */
    outputTruncated: boolean;
    /** The action's on_continue_post_login ran. */
    continued: boolean;
    /** It ran before the flow was suspended: its times and output were in that answer. */
    earlier: boolean;
}
/** An error in an action, for its author. */
export interface ExecutionError {
    /** Kind, such as ValueError or TimeoutError. */
    type: string;
    /** One line, escaped and capped. */
    message: string;
    /** Line of the innermost of the author's own functions that ran, 1-based; 0 when unknown. */
    line: number;
    /** The shared file that the line is in, such as lib/helpers.py; empty for the action's own source. */
    file: string;
}
export declare const Decision: MessageFns<Decision>;
export declare const Multifactor: MessageFns<Multifactor>;
export declare const BrowserMemory: MessageFns<BrowserMemory>;
export declare const ProviderOptions: MessageFns<ProviderOptions>;
export declare const Denial: MessageFns<Denial>;
export declare const Suspension: MessageFns<Suspension>;
export declare const MfaSteps: MessageFns<MfaSteps>;
export declare const MfaSteps_MfaStep: MessageFns<MfaSteps_MfaStep>;
export declare const FactorOption: MessageFns<FactorOption>;
export declare const IgnoredFactor: MessageFns<IgnoredFactor>;
export declare const Redirect: MessageFns<Redirect>;
export declare const RenderPrompt: MessageFns<RenderPrompt>;
export declare const EffectsOnAnyOutcome: MessageFns<EffectsOnAnyOutcome>;
export declare const EffectsOnSuccess: MessageFns<EffectsOnSuccess>;
export declare const SamlResponse: MessageFns<SamlResponse>;
export declare const SessionChanges: MessageFns<SessionChanges>;
export declare const RefreshTokenChanges: MessageFns<RefreshTokenChanges>;
export declare const Contribution: MessageFns<Contribution>;
export declare const ExecutionReport: MessageFns<ExecutionReport>;
export declare const ExecutionError: MessageFns<ExecutionError>;
type Builtin = Date | Function | Uint8Array | string | number | boolean | undefined;
type DeepPartial<T> = T extends Builtin ? T : T extends globalThis.Array<infer U> ? globalThis.Array<DeepPartial<U>> : T extends ReadonlyArray<infer U> ? ReadonlyArray<DeepPartial<U>> : T extends {} ? {
    [K in keyof T]?: DeepPartial<T[K]>;
} : Partial<T>;
type KeysOfUnion<T> = T extends T ? keyof T : never;
type Exact<P, I extends P> = P extends Builtin ? P : P & {
    [K in keyof P]: Exact<P[K], I[K]>;
} & {
    [K in Exclude<keyof I, KeysOfUnion<P>>]: never;
};
interface MessageFns<T> {
    encode(message: T, writer?: BinaryWriter): BinaryWriter;
    decode(input: BinaryReader | Uint8Array, length?: number): T;
    create<I extends Exact<DeepPartial<T>, I>>(base?: I): T;
    fromPartial<I extends Exact<DeepPartial<T>, I>>(object: I): T;
}
export {};
