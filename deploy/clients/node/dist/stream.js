"use strict";
/**
 * Many logins on one call: what waits is sent together, an answer finds its login, a stream that ends is replaced.
 *
 * No timer gathers: a message has what one turn of the event loop has brought. Must not know retries or steps.
 */
Object.defineProperty(exports, "__esModule", { value: true });
exports.Stream = void 0;
const wire_1 = require("@bufbuild/protobuf/wire");
const errors_js_1 = require("./errors.js");
const runtime_service_js_1 = require("./generated/vestibule/v1/runtime_service.js");
// Below what a daemon takes in one message; a single login may be larger.
const LOGINS = 32;
const BYTES = 1 << 20;
// Of StreamPostLoginRequest on the wire: each login is written once, into its message.
const ITEMS = (1 << 3) | 2;
const CANCEL = (2 << 3) | 2;
const LATE = {
    status: "DEADLINE_EXCEEDED", message: "there was no answer in time", reason: "", facts: {}, fields: {},
};
/** Asks on a stream that is open, or opens one. */
class Stream {
    #open;
    #opened;
    constructor(open) {
        this.#open = open;
    }
    /** Ask about one login. */
    ask(login, timeoutS) {
        if (!this.#opened || this.#opened.over) {
            this.#opened = new Opened(this.#open());
        }
        return this.#opened.ask(login, timeoutS);
    }
    /** End the stream; logins without an answer end. */
    close() {
        this.#opened?.close();
    }
}
exports.Stream = Stream;
class Opened {
    over = false;
    #call;
    #open = new Map();
    #waiting = [];
    #cancel = [];
    #last = 0;
    #answered = false;
    #asleep = true;
    constructor(call) {
        this.#call = call;
        call.on("data", (message) => {
            this.#answered = true;
            for (const item of message.items) {
                this.#open.get(item.id)?.(heardOf(item));
            }
        });
        call.on("error", () => undefined); // the status says it, too
        call.on("status", (status) => this.#end(status));
    }
    ask(login, timeoutS) {
        const id = (this.#last = (this.#last + 1) >>> 0);
        const seconds = Math.floor(timeoutS);
        const timeout = { seconds, nanos: Math.max(1, Math.floor((timeoutS - seconds) * 1e9)) };
        const item = runtime_service_js_1.StreamPostLoginRequest_Item.fromPartial({ id, ...login, timeout });
        this.#waiting.push({ id, written: runtime_service_js_1.StreamPostLoginRequest_Item.encode(item).finish() });
        this.#wake();
        return new Promise((resolve) => {
            const late = setTimeout(() => {
                this.#cancel.push(id);
                this.#wake();
                found({ failure: LATE });
            }, timeoutS * 1e3);
            const found = (heard) => {
                clearTimeout(late);
                this.#open.delete(id);
                resolve(heard);
            };
            this.#open.set(id, found);
        });
    }
    close() {
        this.#call.cancel();
    }
    #wake() {
        if (this.#asleep) {
            this.#asleep = false;
            setImmediate(() => this.#write());
        }
    }
    #write() {
        while (!this.over && this.#waiting.length + this.#cancel.length > 0) {
            if (!this.#call.write(this.#message())) {
                this.#call.once("drain", () => this.#write());
                return;
            }
        }
        this.#asleep = true;
    }
    #message() {
        const message = new wire_1.BinaryWriter();
        let size = 0;
        for (let taken = 0; taken < LOGINS && size < BYTES;) {
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
    #end(status) {
        this.over = true;
        const failure = ofEnd((0, errors_js_1.failureOf)(status), this.#answered);
        for (const found of [...this.#open.values()]) {
            found({ failure });
        }
    }
}
function heardOf(item) {
    const response = item.execute ?? item.resume;
    return response ? { response } : { failure: (0, errors_js_1.failureOfStatus)(item.error) };
}
/** Say what the end of a stream means for a login without an answer: a new stream may do better, or not. */
function ofEnd(failure, answered) {
    const broken = failure.reason === "" && ["OK", "INTERNAL", "UNKNOWN", "CANCELLED"].includes(failure.status);
    const keyEnded = failure.status === "UNAUTHENTICATED" && answered;
    return broken || keyEnded ? { ...failure, status: "UNAVAILABLE" } : failure;
}
