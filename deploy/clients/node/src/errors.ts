/** Why a call has no decision: `NoAnswer` when the daemon gave none, `RequestRefused` when it refuses the request. */

import { type StatusObject, status } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo, RetryInfo } from "./generated/google/rpc/error_details.js";
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
export class VestibuleError extends Error {
  constructor(
    readonly failure: Failure,
    readonly attempts: number,
  ) {
    const told = Object.entries(failure.fields).map(([name, fault]) => `${name}: ${fault}`);
    const fields = told.filter((one) => !failure.message.includes(one)).map((one) => `; ${one}`);
    super(`${failure.status}${failure.reason && ` ${failure.reason}`}: ${failure.message}${fields.join("")}`);
    this.name = new.target.name;
  }
}

/** The daemon gave no answer in time. */
export class NoAnswer extends VestibuleError {}

/** The daemon refuses the request: a fault of the gateway, its key, its tenant's name or its continuation. */
export class RequestRefused extends VestibuleError {}

const NO_ANSWER = new Set([
  "UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED", "ABORTED", "DATA_LOSS",
]);

/** Say whether another attempt, or another daemon, may answer; otherwise the request itself is refused. */
export function isNoAnswer(failure: Failure): boolean {
  return NO_ANSWER.has(failure.status);
}

/** Say whether a suspended login cannot be continued; it is to begin again. */
export function isAboutTheContinuation(failure: Failure): boolean {
  return failure.reason.startsWith("CONTINUATION_") || failure.reason === "FLOW_GONE";
}

/** Read how an attempt failed. */
export function failureOf(error: Pick<StatusObject, "code" | "details" | "metadata">): Failure {
  return failureWith(error.code, error.details, details(error.metadata));
}

/** Read how a login of a stream failed. */
export function failureOfStatus(error: Status | undefined): Failure {
  return failureWith(error?.code ?? status.UNKNOWN, error?.message ?? "", error?.details ?? []);
}

function failureWith(code: number, message: string, found: Status["details"]): Failure {
  const failure = { status: status[code] ?? "UNKNOWN", message: message || "no further information" };
  let reason = "";
  let facts: Record<string, string> = {};
  const fields: Record<string, string> = {};
  let retryAfterS: number | undefined;
  for (const detail of found) {
    if (detail.typeUrl.endsWith("/google.rpc.ErrorInfo")) {
      ({ reason, metadata: facts } = ErrorInfo.decode(detail.value));
    } else if (detail.typeUrl.endsWith("/google.rpc.BadRequest")) {
      for (const { field, description } of BadRequest.decode(detail.value).fieldViolations) {
        fields[field] = description;
      }
    } else if (detail.typeUrl.endsWith("/google.rpc.RetryInfo")) {
      const { seconds = 0, nanos = 0 } = RetryInfo.decode(detail.value).retryDelay ?? {};
      retryAfterS = Math.max(0, seconds + nanos / 1e9);
    }
  }
  return { ...failure, reason, facts, fields, ...(retryAfterS === undefined ? {} : { retryAfterS }) };
}

function details(metadata: StatusObject["metadata"] | undefined) {
  const [bytes] = metadata?.get("grpc-status-details-bin") ?? [];
  try {
    return bytes instanceof Buffer ? Status.decode(bytes).details : [];
  } catch {
    return []; // what is not readable adds nothing to the status
  }
}
