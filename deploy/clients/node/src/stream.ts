/**
 * Many logins on one call: what waits is sent together, an answer finds its login, a stream that ends is replaced.
 *
 * No timer gathers: a message has what one turn of the event loop has brought. Must not know retries or steps.
 */

import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { ClientDuplexStream, StatusObject } from "@grpc/grpc-js";
import type { Heard } from "./attempts.js";
import { type Failure, failureOf, failureOfStatus } from "./errors.js";
import {
  type ContinuePostLoginRequest,
  type ContinuePostLoginResponse,
  type ExecutePostLoginRequest,
  type ExecutePostLoginResponse,
  StreamPostLoginRequest_Item,
  type StreamPostLoginResponse,
  type StreamPostLoginResponse_Item,
} from "./generated/vestibule/v1/runtime_service.js";

export type Duplex = ClientDuplexStream<Buffer, StreamPostLoginResponse>;
export type Login = { readonly execute: ExecutePostLoginRequest } | { readonly resume: ContinuePostLoginRequest };
export type Answer = ExecutePostLoginResponse | ContinuePostLoginResponse;

// Below what a daemon takes in one message; a single login may be larger.
const LOGINS = 32;
const BYTES = 1 << 20;
// Of StreamPostLoginRequest on the wire: each login is written once, into its message.
const ITEMS = (1 << 3) | 2;
const CANCEL = (2 << 3) | 2;
const LATE: Failure = {
  status: "DEADLINE_EXCEEDED", message: "there was no answer in time", reason: "", facts: {}, fields: {},
};

/** Asks on a stream that is open, or opens one. */
export class Stream {
  readonly #open: () => Duplex;
  #opened: Opened | undefined;

  constructor(open: () => Duplex) {
    this.#open = open;
  }

  /** Ask about one login. */
  ask(login: Login, timeoutS: number): Promise<Heard<Answer>> {
    if (!this.#opened || this.#opened.over) {
      this.#opened = new Opened(this.#open());
    }
    return this.#opened.ask(login, timeoutS);
  }

  /** End the stream; logins without an answer end. */
  close(): void {
    this.#opened?.close();
  }
}

class Opened {
  over = false;
  readonly #call: Duplex;
  readonly #open = new Map<number, (heard: Heard<Answer>) => void>();
  readonly #waiting: { readonly id: number; readonly written: Uint8Array }[] = [];
  readonly #cancel: number[] = [];
  #last = 0;
  #answered = false;
  #asleep = true;

  constructor(call: Duplex) {
    this.#call = call;
    call.on("data", (message: StreamPostLoginResponse) => {
      this.#answered = true;
      for (const item of message.items) {
        this.#open.get(item.id)?.(heardOf(item));
      }
    });
    call.on("error", () => undefined); // the status says it, too
    call.on("status", (status: StatusObject) => this.#end(status));
  }

  ask(login: Login, timeoutS: number): Promise<Heard<Answer>> {
    const id = (this.#last = (this.#last + 1) >>> 0);
    const seconds = Math.floor(timeoutS);
    const timeout = { seconds, nanos: Math.max(1, Math.floor((timeoutS - seconds) * 1e9)) };
    const item = StreamPostLoginRequest_Item.fromPartial({ id, ...login, timeout });
    this.#waiting.push({ id, written: StreamPostLoginRequest_Item.encode(item).finish() });
    this.#wake();
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.#cancel.push(id);
        this.#wake();
        found({ failure: LATE });
      }, timeoutS * 1e3);
      const found = (heard: Heard<Answer>) => {
        clearTimeout(late);
        this.#open.delete(id);
        resolve(heard);
      };
      this.#open.set(id, found);
    });
  }

  close(): void {
    this.#call.cancel();
  }

  #wake(): void {
    if (this.#asleep) {
      this.#asleep = false;
      setImmediate(() => this.#write());
    }
  }

  #write(): void {
    while (!this.over && this.#waiting.length + this.#cancel.length > 0) {
      if (!this.#call.write(this.#message())) {
        this.#call.once("drain", () => this.#write());
        return;
      }
    }
    this.#asleep = true;
  }

  #message(): Buffer {
    const message = new BinaryWriter();
    let size = 0;
    for (let taken = 0; taken < LOGINS && size < BYTES; ) {
      const item = this.#waiting.shift();
      if (!item) {
        break;
      }
      if (this.#open.has(item.id)) {
        message.uint32(ITEMS).bytes(item.written);
        size += item.written.length;
        taken++;
      }
    }
    message.uint32(CANCEL).fork();
    for (const id of this.#cancel.splice(0)) {
      message.uint32(id);
    }
    return Buffer.from(message.join().finish());
  }

  #end(status: StatusObject): void {
    this.over = true;
    const failure = ofEnd(failureOf(status), this.#answered);
    for (const found of [...this.#open.values()]) {
      found({ failure });
    }
  }
}

function heardOf(item: StreamPostLoginResponse_Item): Heard<Answer> {
  const response = item.execute ?? item.resume;
  return response ? { response } : { failure: failureOfStatus(item.error) };
}

/** Say what the end of a stream means for a login without an answer: a new stream may do better, or not. */
function ofEnd(failure: Failure, answered: boolean): Failure {
  const broken = failure.reason === "" && ["OK", "INTERNAL", "UNKNOWN", "CANCELLED"].includes(failure.status);
  const keyEnded = failure.status === "UNAUTHENTICATED" && answered;
  return broken || keyEnded ? { ...failure, status: "UNAVAILABLE" } : failure;
}
