"use strict";
/** The client: requests, and what an answer means. Must not know what a step means. */
Object.defineProperty(exports, "__esModule", { value: true });
exports.Client = void 0;
const node_crypto_1 = require("node:crypto");
const grpc_js_1 = require("@grpc/grpc-js");
const attempts_js_1 = require("./attempts.js");
const channel_js_1 = require("./channel.js");
const errors_js_1 = require("./errors.js");
const fallback_js_1 = require("./fallback.js");
const runtime_service_js_1 = require("./generated/vestibule/v1/runtime_service.js");
const oauth_js_1 = require("./oauth.js");
const steps_js_1 = require("./steps.js");
const stream_js_1 = require("./stream.js");
const SERVICE = "/vestibule.v1.ActionRuntimeService";
/** Calls a daemon. One client serves the whole process; keep it as long as that lives. */
class Client {
    #way;
    #channel;
    #options;
    #retries;
    #fallback;
    #deadlineS;
    #stream;
    /** Prepare to call the daemon at HOST:PORT or unix:/PATH. Throws where an option is wrong. */
    constructor(target, options = {}) {
        this.#options = options;
        this.#fallback = (0, fallback_js_1.checked)(options.fallback ?? fallback_js_1.DENY);
        this.#retries = { ...attempts_js_1.RETRIES, ...options.retries };
        this.#deadlineS = options.deadlineS ?? 5;
        if (!(this.#deadlineS > 0)) {
            throw new TypeError(`deadlineS: is ${this.#deadlineS}; give more than 0`);
        }
        if (typeof options.apiKey === "string") {
            (0, channel_js_1.metadata)(options.apiKey);
        }
        this.#way = (0, channel_js_1.wayTo)(target, options.tls, options.insecure ?? false);
        this.#channel = new grpc_js_1.Client(this.#way.target, this.#way.credentials, this.#way.options);
        this.#stream = options.stream
            ? new stream_js_1.Stream(() => this.#channel.makeBidiStreamRequest(`${SERVICE}/StreamPostLogin`, (message) => message, (bytes) => runtime_service_js_1.StreamPostLoginResponse.decode(bytes), (0, channel_js_1.metadata)(options.apiKey)))
            : undefined;
    }
    /** Say what to do with a login; without an answer, what the fallback says. `event` is Auth0's JSON, or a message. */
    async decide(tenantId, event, beside = {}) {
        const login = read(event);
        const request = runtime_service_js_1.ExecutePostLoginRequest.fromPartial({ tenantId, ...this.#common(login, beside) });
        return this.#decided(request.requestId, login, () => this.executePostLogin(request));
    }
    /**
     * Say what follows once the user did what a step with `resume` asked for. Without an answer: refuse.
     */
    async resume(tenantId, event, continuation, completed = [], beside = {}) {
        const request = runtime_service_js_1.ContinuePostLoginRequest.fromPartial({
            tenantId,
            ...this.#common(read(event), beside),
            continuation,
            completed: [...completed],
        });
        return this.#decided(request.requestId, undefined, () => this.continuePostLogin(request));
    }
    /** Make the call of the contract, with retries. Throws: NoAnswer, RequestRefused. */
    executePostLogin(request) {
        return this.#stream
            ? this.#asked(this.#stream, { execute: request })
            : this.#call("ExecutePostLogin", request, runtime_service_js_1.ExecutePostLoginRequest, runtime_service_js_1.ExecutePostLoginResponse);
    }
    /** Make the call of the contract, with retries. Throws: NoAnswer, RequestRefused. */
    continuePostLogin(request) {
        return this.#stream
            ? this.#asked(this.#stream, { resume: request })
            : this.#call("ContinuePostLogin", request, runtime_service_js_1.ContinuePostLoginRequest, runtime_service_js_1.ContinuePostLoginResponse);
    }
    /** Ask what a gateway may want to know of a tenant. Throws: NoAnswer, RequestRefused. */
    getTenant(tenantId) {
        return this.#call("GetTenant", { tenantId }, runtime_service_js_1.GetTenantRequest, runtime_service_js_1.GetTenantResponse);
    }
    /** Close the connection; calls in flight end. */
    close() {
        this.#stream?.close();
        this.#channel.close();
    }
    #common(event, beside) {
        return {
            requestId: beside.requestId ?? (0, node_crypto_1.randomUUID)(),
            ...("auth0" in event ? { auth0Event: event.auth0 } : { event: event.message }),
            ...(beside.gateway ? { gateway: beside.gateway } : {}),
            view: this.#options.view ?? runtime_service_js_1.View.VIEW_BASIC,
        };
    }
    async #decided(requestId, event, call) {
        try {
            const response = await call();
            if (!response.decision) {
                return { step: (0, steps_js_1.refusal)(oauth_js_1.NOT_UNDERSTOOD, "the login could not be decided"), requestId: response.requestId };
            }
            return { step: (0, steps_js_1.nextStep)(response.decision), requestId: response.requestId, decision: response.decision };
        }
        catch (error) {
            if (!(error instanceof errors_js_1.VestibuleError)) {
                throw error;
            }
            (this.#options.log ?? console.warn)(`vestibule: no decision for request ${requestId}: ${error.message}`);
            return { step: this.#withoutDecision(error, event), requestId, error };
        }
    }
    #withoutDecision(error, event) {
        if (error instanceof errors_js_1.RequestRefused) {
            return refused(error);
        }
        return event ? (0, fallback_js_1.stepWithoutAnswer)(this.#fallback, event) : (0, fallback_js_1.refuse)();
    }
    #asked(stream, login) {
        return (0, attempts_js_1.attempted)((timeoutS) => stream.ask(login, timeoutS), this.#retries, this.#deadlineS);
    }
    #call(method, request, requests, responses) {
        const attempt = (timeoutS) => new Promise((resolve) => {
            this.#channel.makeUnaryRequest(`${SERVICE}/${method}`, (message) => Buffer.from(requests.encode(message).finish()), (bytes) => responses.decode(bytes), request, (0, channel_js_1.metadata)(this.#options.apiKey), { deadline: Date.now() + timeoutS * 1e3 }, (error, response) => resolve(error ? { failure: (0, errors_js_1.failureOf)(error) } : { response: response }));
        });
        return (0, attempts_js_1.attempted)(attempt, this.#retries, this.#deadlineS);
    }
}
exports.Client = Client;
/** Say what a request that the daemon refuses means for the user. */
function refused(error) {
    return (0, errors_js_1.isAboutTheContinuation)(error.failure)
        ? (0, steps_js_1.refusal)(oauth_js_1.BEGIN_AGAIN, "this login cannot be continued; begin again")
        : (0, steps_js_1.refusal)(oauth_js_1.NOT_UNDERSTOOD, "the login could not be decided");
}
function read(event) {
    return "message" in event || "auth0" in event ? event : { auth0: event };
}
