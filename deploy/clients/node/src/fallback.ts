/**
 * What happens to a login when there is no answer: refused, unless the gateway chose otherwise in so many words.
 *
 * Must not know the network. A request that the daemon refuses is always refused.
 */

import { type Factor, Multifactor_RememberMode, Provider } from "./generated/vestibule/v1/decision.js";
import type { PostLoginEvent } from "./generated/vestibule/v1/event.js";
import { NO_ANSWER, NO_PAGES } from "./oauth.js";
import { type NextStep, type Refuse, type Requirement, answerMfaRequired, effects, refusal } from "./steps.js";

/** A login: Auth0's JSON of an event, or the contract's message. */
export type Event = { readonly auth0: Readonly<Record<string, unknown>> } | { readonly message: PostLoginEvent };

export type Fallback =
  /** Refuse the login: the user tries again later. */
  | { readonly kind: "deny" }
  /** Require one of these factors of every user. Name factors that every user has, or can be sent. */
  | { readonly kind: "requireMfa"; readonly challenge?: readonly Factor[]; readonly enroll?: readonly Factor[] }
  /** Issue tokens as if no action had an opinion. Anyone who can keep the daemon from answering gets past it. */
  | { readonly kind: "allowWithoutDecision" };

export const DENY: Fallback = { kind: "deny" };

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
export function checked(fallback: Fallback): Fallback {
  if (fallback.kind === "requireMfa" && !fallback.challenge?.length && !fallback.enroll?.length) {
    throw new TypeError("fallback: requireMfa needs a factor to challenge or to enrol");
  }
  return fallback;
}

/** Refuse a login that has no answer. */
export function refuse(): Refuse {
  return refusal(NO_ANSWER, UNAVAILABLE);
}

/** Say what to do with a login that has no answer. */
export function stepWithoutAnswer(fallback: Fallback, event: Event): NextStep {
  switch (fallback.kind) {
    case "allowWithoutDecision":
      return { kind: "issueTokens", ...effects() };
    case "requireMfa": {
      const mfa = requirement(fallback.challenge ?? [], fallback.enroll ?? []);
      const { protocol, prompts } = transaction(event);
      if (BACK_CHANNEL.has(protocol)) {
        return answerMfaRequired(mfa);
      }
      return prompts.includes("none") ? refusal(NO_PAGES, UNAVAILABLE) : { kind: "showFactors", mfa, ...effects() };
    }
    default:
      return refuse();
  }
}

function requirement(challenge: readonly Factor[], enroll: readonly Factor[]): Requirement {
  return {
    challenge,
    enroll,
    choice: false,
    verifyEmailFirst: false,
    recoveryCodeAllowed: false,
    provider: Provider.PROVIDER_ANY,
    remember: Multifactor_RememberMode.REMEMBER_MODE_NONE,
    forgetRememberedBrowser: false,
    recordsAmr: false,
  };
}

/** Return the protocol, and the values of OIDC's `prompt`. */
function transaction(event: Event): { protocol: string; prompts: readonly string[] } {
  if ("message" in event) {
    const { transaction, request } = event.message;
    const prompts = [...(transaction?.prompt?.values ?? []), ...words(request?.query?.["prompt"])];
    return { protocol: transaction?.protocol ?? "", prompts };
  }
  const { protocol, prompt } = object(event.auth0["transaction"]);
  const query = object(object(event.auth0["request"])["query"]);
  return { protocol: String(protocol ?? ""), prompts: [...words(prompt), ...words(query["prompt"])] };
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function words(value: unknown): string[] {
  const found: unknown[] = typeof value === "string" ? value.split(/\s+/) : Array.isArray(value) ? value : [];
  return found.filter((word) => typeof word === "string");
}
