/** Why a call has no decision: `NoAnswer` when the daemon gave none, `RequestRefused` when it refuses the request. */
import { type StatusObject } from "@grpc/grpc-js";
import { Status } from "./generated/google/rpc/status.js";
/** How one attempt failed. */
export interface Failure {
    /** The gRPC status, such as `UNAVAILABLE`. */
    readonly status: string;
    readonly message: string;
    /** The stable word of the daemon's ErrorInfo; empty when gRPC itself failed. */
    readonly reason: string;
    readonly facts: Readonly<Record<string, string>>;
    /** What is wrong with which field of the request. */
    readonly fields: Readonly<Record<string, string>>;
    readonly retryAfterS?: number;
}
/** There is no decision. */
export declare class VestibuleError extends Error {
    readonly failure: Failure;
    readonly attempts: number;
    constructor(failure: Failure, attempts: number);
}
/** The daemon gave no answer in time. */
export declare class NoAnswer extends VestibuleError {
}
/** The daemon refuses the request: a fault of the gateway, its key, its tenant's name or its continuation. */
export declare class RequestRefused extends VestibuleError {
}
/** Say whether another attempt, or another daemon, may answer; otherwise the request itself is refused. */
export declare function isNoAnswer(failure: Failure): boolean;
/** Say whether a suspended login cannot be continued; it is to begin again. */
export declare function isAboutTheContinuation(failure: Failure): boolean;
/** Read how an attempt failed. */
export declare function failureOf(error: Pick<StatusObject, "code" | "details" | "metadata">): Failure;
/** Read how a login of a stream failed. */
export declare function failureOfStatus(error: Status | undefined): Failure;
