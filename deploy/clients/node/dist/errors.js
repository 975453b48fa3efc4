"use strict";
/** Why a call has no decision: `NoAnswer` when the daemon gave none, `RequestRefused` when it refuses the request. */
Object.defineProperty(exports, "__esModule", { value: true });
exports.RequestRefused = exports.NoAnswer = exports.VestibuleError = void 0;
exports.isNoAnswer = isNoAnswer;
exports.isAboutTheContinuation = isAboutTheContinuation;
exports.failureOf = failureOf;
exports.failureOfStatus = failureOfStatus;
const grpc_js_1 = require("@grpc/grpc-js");
const error_details_js_1 = require("./generated/google/rpc/error_details.js");
const status_js_1 = require("./generated/google/rpc/status.js");
/** There is no decision. */
class VestibuleError extends Error {
    failure;
    attempts;
    constructor(failure, attempts) {
        const told = Object.entries(failure.fields).map(([name, fault]) => `${name}: ${fault}`);
        const fields = told.filter((one) => !failure.message.includes(one)).map((one) => `; ${one}`);
        super(`${failure.status}${failure.reason && ` ${failure.reason}`}: ${failure.message}${fields.join("")}`);
        this.failure = failure;
        this.attempts = attempts;
        this.name = new.target.name;
    }
}
exports.VestibuleError = VestibuleError;
/** The daemon gave no answer in time. */
class NoAnswer extends VestibuleError {
}
exports.NoAnswer = NoAnswer;
/** The daemon refuses the request: a fault of the gateway, its key, its tenant's name or its continuation. */
class RequestRefused extends VestibuleError {
}
exports.RequestRefused = RequestRefused;
const NO_ANSWER = new Set([
    "UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED", "ABORTED", "DATA_LOSS",
]);
/** Say whether another attempt, or another daemon, may answer; otherwise the request itself is refused. */
function isNoAnswer(failure) {
    return NO_ANSWER.has(failure.status);
}
/** Say whether a suspended login cannot be continued; it is to begin again. */
function isAboutTheContinuation(failure) {
    return failure.reason.startsWith("CONTINUATION_") || failure.reason === "FLOW_GONE";
}
/** Read how an attempt failed. */
function failureOf(error) {
    return failureWith(error.code, error.details, details(error.metadata));
}
/** Read how a login of a stream failed. */
function failureOfStatus(error) {
    return failureWith(error?.code ?? grpc_js_1.status.UNKNOWN, error?.message ?? "", error?.details ?? []);
}
function failureWith(code, message, found) {
    const failure = { status: grpc_js_1.status[code] ?? "UNKNOWN", message: message || "no further information" };
    let reason = "";
    let facts = {};
    const fields = {};
    let retryAfterS;
    for (const detail of found) {
        if (detail.typeUrl.endsWith("/google.rpc.ErrorInfo")) {
            ({ reason, metadata: facts } = error_details_js_1.ErrorInfo.decode(detail.value));
        }
        else if (detail.typeUrl.endsWith("/google.rpc.BadRequest")) {
            for (const { field, description } of error_details_js_1.BadRequest.decode(detail.value).fieldViolations) {
                fields[field] = description;
            }
        }
        else if (detail.typeUrl.endsWith("/google.rpc.RetryInfo")) {
            const { seconds = 0, nanos = 0 } = error_details_js_1.RetryInfo.decode(detail.value).retryDelay ?? {};
            retryAfterS = Math.max(0, seconds + nanos / 1e9);
        }
    }
    return { ...failure, reason, facts, fields, ...(retryAfterS === undefined ? {} : { retryAfterS }) };
}
function details(metadata) {
    const [bytes] = metadata?.get("grpc-status-details-bin") ?? [];
    try {
        return bytes instanceof Buffer ? status_js_1.Status.decode(bytes).details : [];
    }
    catch {
        return []; // what is not readable adds nothing to the status
    }
}
