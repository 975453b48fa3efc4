/**
 * Many logins on one call: what waits is sent together, an answer finds its login, a stream that ends is replaced.
 *
 * No timer gathers: a message has what one turn of the event loop has brought. Must not know retries or steps.
 */
import type { ClientDuplexStream } from "@grpc/grpc-js";
import type { Heard } from "./attempts.js";
import { type ContinuePostLoginRequest, type ContinuePostLoginResponse, type ExecutePostLoginRequest, type ExecutePostLoginResponse, type StreamPostLoginResponse } from "./generated/vestibule/v1/runtime_service.js";
export type Duplex = ClientDuplexStream<Buffer, StreamPostLoginResponse>;
export type Login = {
    readonly execute: ExecutePostLoginRequest;
} | {
    readonly resume: ContinuePostLoginRequest;
};
export type Answer = ExecutePostLoginResponse | ContinuePostLoginResponse;
/** Asks on a stream that is open, or opens one. */
export declare class Stream {
    #private;
    constructor(open: () => Duplex);
    /** Ask about one login. */
    ask(login: Login, timeoutS: number): Promise<Heard<Answer>>;
    /** End the stream; logins without an answer end. */
    close(): void;
}
