/** The client: requests, and what an answer means. Must not know what a step means. */
import { type Retries } from "./attempts.js";
import { type ApiKey, type Tls } from "./channel.js";
import { VestibuleError } from "./errors.js";
import { type Event, type Fallback } from "./fallback.js";
import type { Decision, Factor } from "./generated/vestibule/v1/decision.js";
import { ContinuePostLoginRequest, ContinuePostLoginResponse, ExecutePostLoginRequest, ExecutePostLoginResponse, type GatewayContext, GetTenantResponse, View } from "./generated/vestibule/v1/runtime_service.js";
import { type NextStep } from "./steps.js";
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
/** Calls a daemon. One client serves the whole process; keep it as long as that lives. */
export declare class Client {
    #private;
    /** Prepare to call the daemon at HOST:PORT or unix:/PATH. Throws where an option is wrong. */
    constructor(target: string, options?: Options);
    /** Say what to do with a login; without an answer, what the fallback says. `event` is Auth0's JSON, or a message. */
    decide(tenantId: string, event: Readonly<Record<string, unknown>> | Event, beside?: Beside): Promise<Decided>;
    /**
     * Say what follows once the user did what a step with `resume` asked for. Without an answer: refuse.
     */
    resume(tenantId: string, event: Readonly<Record<string, unknown>> | Event, continuation: Uint8Array, completed?: readonly Factor[], beside?: Beside): Promise<Decided>;
    /** Make the call of the contract, with retries. Throws: NoAnswer, RequestRefused. */
    executePostLogin(request: ExecutePostLoginRequest): Promise<ExecutePostLoginResponse>;
    /** Make the call of the contract, with retries. Throws: NoAnswer, RequestRefused. */
    continuePostLogin(request: ContinuePostLoginRequest): Promise<ContinuePostLoginResponse>;
    /** Ask what a gateway may want to know of a tenant. Throws: NoAnswer, RequestRefused. */
    getTenant(tenantId: string): Promise<GetTenantResponse>;
    /** Close the connection; calls in flight end. */
    close(): void;
}
