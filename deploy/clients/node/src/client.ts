/** The client: requests, and what an answer means. Must not know what a step means. */

import { randomUUID } from "node:crypto";
import { Client as GrpcClient, type ServiceError } from "@grpc/grpc-js";
import { type Heard, RETRIES, type Retries, attempted } from "./attempts.js";
import { type ApiKey, type Tls, type Way, metadata, wayTo } from "./channel.js";
import { RequestRefused, VestibuleError, failureOf, isAboutTheContinuation } from "./errors.js";
import { DENY, type Event, type Fallback, checked, refuse, stepWithoutAnswer } from "./fallback.js";
import type { Decision, Factor } from "./generated/vestibule/v1/decision.js";
import {
  ContinuePostLoginRequest,
  ContinuePostLoginResponse,
  ExecutePostLoginRequest,
  ExecutePostLoginResponse,
  type GatewayContext,
  GetTenantRequest,
  GetTenantResponse,
  StreamPostLoginResponse,
  View,
} from "./generated/vestibule/v1/runtime_service.js";
import { BEGIN_AGAIN, NOT_UNDERSTOOD } from "./oauth.js";
import { type NextStep, type Refuse, nextStep, refusal } from "./steps.js";
import { type Login, Stream } from "./stream.js";

const SERVICE = "/vestibule.v1.ActionRuntimeService";

export interface Options {
  /** A target on another machine is called with TLS, unless `insecure` says otherwise. */
  readonly tls?: Tls;
  readonly apiKey?: ApiKey;
  readonly insecure?: boolean;
  /** For one login with all its attempts; 5 by default. */
  readonly deadlineS?: number;
  readonly retries?: Partial<Retries>;
  /** What happens to a login without an answer; it is refused by default. */
  readonly fallback?: Fallback;
  /** How much of a decision is wanted; `VIEW_BASIC` by default. */
  readonly view?: View;
  /** Put all logins on one call, those that wait in one message. */
  readonly stream?: boolean;
  /** Gets a line for each login without a decision; `console.warn` by default. */
  readonly log?: (line: string) => void;
}

/** What a gateway may say beside the event. */
export interface Beside {
  readonly requestId?: string;
  readonly gateway?: Partial<GatewayContext>;
}

/** What the gateway does next, and why. */
export interface Decided {
  readonly step: NextStep;
  /** Log it: the daemon's log line has it, too. */
  readonly requestId: string;
  /** Absent when there is no answer, or the request was refused: `error` says why. */
  readonly decision?: Decision;
  readonly error?: VestibuleError;
}

interface Codec<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

/** Calls a daemon. One client serves the whole process; keep it as long as that lives. */
export class Client {
  readonly #way: Way;
  readonly #channel: GrpcClient;
  readonly #options: Options;
  readonly #retries: Retries;
  readonly #fallback: Fallback;
  readonly #deadlineS: number;
  readonly #stream: Stream | undefined;

  /** Prepare to call the daemon at HOST:PORT or unix:/PATH. Throws where an option is wrong. */
  constructor(target: string, options: Options = {}) {
    this.#options = options;
    this.#fallback = checked(options.fallback ?? DENY);
    this.#retries = { ...RETRIES, ...options.retries };
    this.#deadlineS = options.deadlineS ?? 5;
    if (!(this.#deadlineS > 0)) {
      throw new TypeError(`deadlineS: is ${this.#deadlineS}; give more than 0`);
    }
    if (typeof options.apiKey === "string") {
      metadata(options.apiKey);
    }
    this.#way = wayTo(target, options.tls, options.insecure ?? false);
    this.#channel = new GrpcClient(this.#way.target, this.#way.credentials, this.#way.options);
    this.#stream = options.stream
      ? new Stream(() =>
          this.#channel.makeBidiStreamRequest(
            `${SERVICE}/StreamPostLogin`,
            (message: Buffer) => message,
            (bytes: Buffer) => StreamPostLoginResponse.decode(bytes),
            metadata(options.apiKey),
          ),
        )
      : undefined;
  }

  /** Say what to do with a login; without an answer, what the fallback says. `event` is Auth0's JSON, or a message. */
  async decide(tenantId: string, event: Readonly<Record<string, unknown>> | Event, beside: Beside = {}): Promise<Decided> {
    const login = read(event);
    const request = ExecutePostLoginRequest.fromPartial({ tenantId, ...this.#common(login, beside) });
    return this.#decided(request.requestId, login, () => this.executePostLogin(request));
  }

  /**
   * Say what follows once the user did what a step with `resume` asked for. Without an answer: refuse.
   */
  async resume(
    tenantId: string,
    event: Readonly<Record<string, unknown>> | Event,
    continuation: Uint8Array,
    completed: readonly Factor[] = [],
    beside: Beside = {},
  ): Promise<Decided> {
    const request = ContinuePostLoginRequest.fromPartial({
      tenantId,
      ...this.#common(read(event), beside),
      continuation,
      completed: [...completed],
    });
    return this.#decided(request.requestId, undefined, () => this.continuePostLogin(request));
  }

  /** Make the call of the contract, with retries. Throws: NoAnswer, RequestRefused. */
  executePostLogin(request: ExecutePostLoginRequest): Promise<ExecutePostLoginResponse> {
    return this.#stream
      ? this.#asked<ExecutePostLoginResponse>(this.#stream, { execute: request })
      : this.#call("ExecutePostLogin", request, ExecutePostLoginRequest, ExecutePostLoginResponse);
  }

  /** Make the call of the contract, with retries. Throws: NoAnswer, RequestRefused. */
  continuePostLogin(request: ContinuePostLoginRequest): Promise<ContinuePostLoginResponse> {
    return this.#stream
      ? this.#asked<ContinuePostLoginResponse>(this.#stream, { resume: request })
      : this.#call("ContinuePostLogin", request, ContinuePostLoginRequest, ContinuePostLoginResponse);
  }

  /** Ask what a gateway may want to know of a tenant. Throws: NoAnswer, RequestRefused. */
  getTenant(tenantId: string): Promise<GetTenantResponse> {
    return this.#call("GetTenant", { tenantId }, GetTenantRequest, GetTenantResponse);
  }

  /** Close the connection; calls in flight end. */
  close(): void {
    this.#stream?.close();
    this.#channel.close();
  }

  #common(event: Event, beside: Beside) {
    return {
      requestId: beside.requestId ?? randomUUID(),
      ...("auth0" in event ? { auth0Event: event.auth0 } : { event: event.message }),
      ...(beside.gateway ? { gateway: beside.gateway } : {}),
      view: this.#options.view ?? View.VIEW_BASIC,
    };
  }

  async #decided(
    requestId: string,
    event: Event | undefined,
    call: () => Promise<ExecutePostLoginResponse | ContinuePostLoginResponse>,
  ): Promise<Decided> {
    try {
      const response = await call();
      if (!response.decision) {
        return { step: refusal(NOT_UNDERSTOOD, "the login could not be decided"), requestId: response.requestId };
      }
      return { step: nextStep(response.decision), requestId: response.requestId, decision: response.decision };
    } catch (error) {
      if (!(error instanceof VestibuleError)) {
        throw error;
      }
      (this.#options.log ?? console.warn)(`vestibule: no decision for request ${requestId}: ${error.message}`);
      return { step: this.#withoutDecision(error, event), requestId, error };
    }
  }

  #withoutDecision(error: VestibuleError, event: Event | undefined): NextStep {
    if (error instanceof RequestRefused) {
      return refused(error);
    }
    return event ? stepWithoutAnswer(this.#fallback, event) : refuse();
  }

  #asked<Response>(stream: Stream, login: Login): Promise<Response> {
    return attempted(
      (timeoutS) => stream.ask(login, timeoutS) as Promise<Heard<Response>>,
      this.#retries,
      this.#deadlineS,
    );
  }

  #call<Request, Response>(
    method: string,
    request: Request,
    requests: Codec<Request>,
    responses: Codec<Response>,
  ): Promise<Response> {
    const attempt = (timeoutS: number): Promise<Heard<Response>> =>
      new Promise((resolve) => {
        this.#channel.makeUnaryRequest(
          `${SERVICE}/${method}`,
          (message: Request) => Buffer.from(requests.encode(message).finish()),
          (bytes: Buffer) => responses.decode(bytes),
          request,
          metadata(this.#options.apiKey),
          { deadline: Date.now() + timeoutS * 1e3 },
          (error: ServiceError | null, response?: Response) =>
            resolve(error ? { failure: failureOf(error) } : { response: response as Response }),
        );
      });
    return attempted(attempt, this.#retries, this.#deadlineS);
  }
}

/** Say what a request that the daemon refuses means for the user. */
function refused(error: RequestRefused): Refuse {
  return isAboutTheContinuation(error.failure)
    ? refusal(BEGIN_AGAIN, "this login cannot be continued; begin again")
    : refusal(NOT_UNDERSTOOD, "the login could not be decided");
}

function read(event: Readonly<Record<string, unknown>> | Event): Event {
  return "message" in event || "auth0" in event ? (event as Event) : { auth0: event };
}
