"use strict";
/** When a call is tried again. Knows deadlines and delays; must not know the network. */
Object.defineProperty(exports, "__esModule", { value: true });
exports.CLOCK = exports.RETRIES = void 0;
exports.attempted = attempted;
const errors_js_1 = require("./errors.js");
exports.RETRIES = { attempts: 4, firstDelayS: 0.05, longestDelayS: 1 };
exports.CLOCK = {
    now: () => performance.now() / 1e3,
    sleep: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1e3)),
    jitter: Math.random,
};
/** Attempt a call until there is a response. Throws: NoAnswer, RequestRefused. */
async function attempted(attempt, retries, deadlineS, clock = exports.CLOCK) {
    const ends = clock.now() + deadlineS;
    for (let number = 1;; number++) {
        const left = Math.max(0, ends - clock.now());
        const timeoutS = Math.min(left, retries.attemptS ?? left);
        const heard = await attempt(timeoutS);
        if ("response" in heard) {
            return heard.response;
        }
        if (!(0, errors_js_1.isNoAnswer)(heard.failure)) {
            throw new errors_js_1.RequestRefused(heard.failure, number);
        }
        const delay = delayAfter(heard.failure, retries, number, clock, timeoutS < left);
        if (delay === undefined || number >= retries.attempts || clock.now() + delay >= ends) {
            throw new errors_js_1.NoAnswer(heard.failure, number);
        }
        await clock.sleep(delay);
    }
}
/** Return how long to wait before the next attempt; undefined without another one. */
function delayAfter(failure, retries, number, clock, gaveUpEarly) {
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
