/** When a call is tried again. Knows deadlines and delays; must not know the network. */

import { type Failure, NoAnswer, RequestRefused, isNoAnswer } from "./errors.js";

/** A call is tried again after the delay that the daemon names, otherwise after one that doubles. */
export interface Retries {
  readonly attempts: number;
  readonly firstDelayS: number;
  readonly longestDelayS: number;
  /** A shorter deadline for each attempt: one that hears nothing is given up, and another is made. */
  readonly attemptS?: number;
}

export const RETRIES: Retries = { attempts: 4, firstDelayS: 0.05, longestDelayS: 1 };

/** What one attempt came to. */
export type Heard<Response> = { readonly response: Response } | { readonly failure: Failure };

/** What time is for a call; a test has its own. */
export interface Clock {
  /** Seconds of a clock that never steps back. */
  now(): number;
  sleep(seconds: number): Promise<void>;
  jitter(): number;
}

export const CLOCK: Clock = {
  now: () => performance.now() / 1e3,
  sleep: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1e3)),
  jitter: Math.random,
};

/** Attempt a call until there is a response. Throws: NoAnswer, RequestRefused. */
export async function attempted<Response>(
  attempt: (timeoutS: number) => Promise<Heard<Response>>,
  retries: Retries,
  deadlineS: number,
  clock: Clock = CLOCK,
): Promise<Response> {
  const ends = clock.now() + deadlineS;
  for (let number = 1; ; number++) {
    const left = Math.max(0, ends - clock.now());
    const timeoutS = Math.min(left, retries.attemptS ?? left);
    const heard = await attempt(timeoutS);
    if ("response" in heard) {
      return heard.response;
    }
    if (!isNoAnswer(heard.failure)) {
      throw new RequestRefused(heard.failure, number);
    }
    const delay = delayAfter(heard.failure, retries, number, clock, timeoutS < left);
    if (delay === undefined || number >= retries.attempts || clock.now() + delay >= ends) {
      throw new NoAnswer(heard.failure, number);
    }
    await clock.sleep(delay);
  }
}

/** Return how long to wait before the next attempt; undefined without another one. */
function delayAfter(failure: Failure, retries: Retries, number: number, clock: Clock, gaveUpEarly: boolean) {
  if (failure.retryAfterS !== undefined) {
    return failure.retryAfterS;
  }
  if (failure.status === "DEADLINE_EXCEEDED") {
    return gaveUpEarly ? 0 : undefined;
  }
  // RESOURCE_EXHAUSTED without a delay is a message over gRPC's own limit.
  if (failure.status !== "UNAVAILABLE") {
    return undefined;
  }
  const longest = Math.min(retries.longestDelayS, retries.firstDelayS * 2 ** (number - 1));
  return longest * (0.5 + clock.jitter() / 2);
}
