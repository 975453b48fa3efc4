/**
 * What a gateway does next, as one tagged union: `nextStep` turns a decision into exactly one step.
 *
 * A decision that this version does not understand is refused. Must not know calls, retries or the network.
 */

import {
  type BrowserMemory,
  Decision,
  Denial_Reason,
  EffectsOnAnyOutcome,
  EffectsOnSuccess,
  Factor,
  type FactorOption,
  type IgnoredFactor,
  type Multifactor,
  Multifactor_RememberMode,
  Multifactor_Status,
  MfaSteps_Kind,
  type MfaSteps_MfaStep,
  Outcome,
  PhoneMethod,
  Provider,
  type ProviderOptions,
} from "./generated/vestibule/v1/decision.js";
import { MFA_REQUIRED, NOT_UNDERSTOOD, type OAuthError, denial } from "./oauth.js";

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

export type NextStep =
  | IssueTokens
  | ShowFactors
  | AnswerMfaRequired
  | Refuse
  | ShowSteps
  | AnswerMfaRequiredWithSteps
  | RedirectUser
  | ShowForm;

const FACTORS = known(Factor, Factor.FACTOR_UNSPECIFIED, Factor.UNRECOGNIZED);
const VERIFIERS = known(Provider, Provider.PROVIDER_UNSPECIFIED, Provider.PROVIDER_NONE, Provider.UNRECOGNIZED);

/** Say what the gateway does with a decision. What is not understood is refused. */
export function nextStep(decision: Decision): NextStep {
  switch (decision.outcome) {
    case Outcome.OUTCOME_ALLOW:
      return {
        kind: "issueTokens",
        ...effects(decision),
        ...(decision.multifactor?.status === Multifactor_Status.STATUS_REMEMBERED && decision.multifactor.memory
          ? { renew: memory(decision.multifactor.memory) }
          : {}),
      };
    case Outcome.OUTCOME_MFA_REQUIRED:
    case Outcome.OUTCOME_MFA_REQUIRED_BY_TOKEN:
      return required(decision);
    case Outcome.OUTCOME_SUSPEND:
    case Outcome.OUTCOME_SUSPEND_BY_TOKEN:
      return suspended(decision);
    case Outcome.OUTCOME_DENY: {
      const reason = decision.denial?.reason ?? Denial_Reason.REASON_UNSPECIFIED;
      const code = decision.denial?.validationCode;
      return {
        ...refusal(denial(reason), decision.denial?.description ?? "", decision),
        reason,
        ...(code === undefined ? {} : { validationCode: code }),
      };
    }
    default:
      return notUnderstood(decision);
  }
}

/** Refuse a login that no decision refuses. */
export function refusal(error: OAuthError, description: string, decision?: Decision): Refuse {
  return {
    kind: "refuse",
    oauthError: error.error,
    httpStatus: error.status,
    description,
    reason: Denial_Reason.REASON_UNSPECIFIED,
    onAnyOutcome: decision?.onAnyOutcome ?? EffectsOnAnyOutcome.create(),
  };
}

function notUnderstood(decision: Decision): Refuse {
  return refusal(NOT_UNDERSTOOD, "the login could not be decided", decision);
}

/** What a login without a decision applies: nothing. */
export function effects(decision: Decision = Decision.create()) {
  return {
    onAnyOutcome: decision.onAnyOutcome ?? EffectsOnAnyOutcome.create(),
    onSuccess: decision.onSuccess ?? EffectsOnSuccess.create(),
  };
}

function required(decision: Decision): NextStep {
  const said = decision.multifactor;
  const mfa = said && requirement(said);
  if (!mfa || mfa.challenge.length + mfa.enroll.length === 0 || !VERIFIERS.has(mfa.provider)) {
    return notUnderstood(decision);
  }
  if (decision.outcome === Outcome.OUTCOME_MFA_REQUIRED) {
    return { kind: "showFactors", mfa, ...effects(decision) };
  }
  return answerMfaRequired(mfa, decision);
}

/** Ask a client without pages for a factor. */
export function answerMfaRequired(mfa: Requirement, decision?: Decision): AnswerMfaRequired {
  return { kind: "answerMfaRequired", mfa, ...effects(decision), ...MFA_REQUIRED_ANSWER };
}

const MFA_REQUIRED_ANSWER = { oauthError: MFA_REQUIRED.error, httpStatus: MFA_REQUIRED.status };

function requirement(said: Multifactor): Requirement {
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

function memory(said: BrowserMemory): Memory {
  return {
    lifetimeS: said.lifetime?.seconds ?? 0,
    idleLifetimeS: said.idleLifetime?.seconds ?? 0,
    ...(said.expiresAt ? { expiresAt: said.expiresAt } : {}),
  };
}

function suspended(decision: Decision): NextStep {
  const said = decision.suspension;
  if (!said || said.continuation.length === 0) {
    return notUnderstood(decision);
  }
  const resume = { continuation: said.continuation, expiresAt: said.expiresAt ?? new Date(0), action: said.action };
  const byToken = decision.outcome === Outcome.OUTCOME_SUSPEND_BY_TOKEN;
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
function mfaStep(said: MfaSteps_MfaStep): MfaStep | undefined {
  const kinds = new Map([
    [MfaSteps_Kind.KIND_CHALLENGE, "challenge"],
    [MfaSteps_Kind.KIND_ENROLL, "enroll"],
  ] as const);
  const kind = kinds.get(said.kind as MfaSteps_Kind.KIND_CHALLENGE);
  const factors = said.factors.filter(({ factor }) => FACTORS.has(factor)).map(option);
  return kind && factors.length > 0 ? { kind, factors, choice: said.choice, ignored: said.ignored } : undefined;
}

function option(said: FactorOption): Option {
  return { factor: said.factor, preferredMethod: said.preferredMethod, otpFallback: said.otpFallback ?? true };
}

function known<Value extends string>(values: Record<string, Value>, ...but: Value[]): ReadonlySet<Value> {
  return new Set(Object.values(values).filter((value) => !but.includes(value)));
}
