/** When a call is tried again. Knows deadlines and delays; must not know the network. */
import { type Failure } from "./errors.js";
/** A call is tried again after the delay that the daemon names, otherwise after one that doubles. */
export interface Retries {
    readonly attempts: number;
    readonly firstDelayS: number;
    readonly longestDelayS: number;
    /** A shorter deadline for each attempt: one that hears nothing is given up, and another is made. */
    readonly attemptS?: number;
}
export declare const RETRIES: Retries;
/** What one attempt came to. */
export type Heard<Response> = {
    readonly response: Response;
} | {
    readonly failure: Failure;
};
/** What time is for a call; a test has its own. */
export interface Clock {
    /** Seconds of a clock that never steps back. */
    now(): number;
    sleep(seconds: number): Promise<void>;
    jitter(): number;
}
export declare const CLOCK: Clock;
/** Attempt a call until there is a response. Throws: NoAnswer, RequestRefused. */
export declare function attempted<Response>(attempt: (timeoutS: number) => Promise<Heard<Response>>, retries: Retries, deadlineS: number, clock?: Clock): Promise<Response>;
