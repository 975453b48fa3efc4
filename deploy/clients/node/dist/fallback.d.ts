/**
 * What happens to a login when there is no answer: refused, unless the gateway chose otherwise in so many words.
 *
 * Must not know the network. A request that the daemon refuses is always refused.
 */
import { type Factor } from "./generated/vestibule/v1/decision.js";
import type { PostLoginEvent } from "./generated/vestibule/v1/event.js";
import { type NextStep, type Refuse } from "./steps.js";
/** A login: Auth0's JSON of an event, or the contract's message. */
export type Event = {
    readonly auth0: Readonly<Record<string, unknown>>;
} | {
    readonly message: PostLoginEvent;
};
export type Fallback = 
/** Refuse the login: the user tries again later. */
{
    readonly kind: "deny";
}
/** Require one of these factors of every user. Name factors that every user has, or can be sent. */
 | {
    readonly kind: "requireMfa";
    readonly challenge?: readonly Factor[];
    readonly enroll?: readonly Factor[];
}
/** Issue tokens as if no action had an opinion. Anyone who can keep the daemon from answering gets past it. */
 | {
    readonly kind: "allowWithoutDecision";
};
export declare const DENY: Fallback;
/** Refuse a fallback that leads nowhere. */
export declare function checked(fallback: Fallback): Fallback;
/** Refuse a login that has no answer. */
export declare function refuse(): Refuse;
/** Say what to do with a login that has no answer. */
export declare function stepWithoutAnswer(fallback: Fallback, event: Event): NextStep;
