import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { Decision, Factor, Provider } from "./decision.js";
import { PostLoginEvent } from "./event.js";
/** How much of a decision is answered. */
export declare enum View {
    /** VIEW_UNSPECIFIED - FULL. */
    VIEW_UNSPECIFIED = "VIEW_UNSPECIFIED",
    /** VIEW_BASIC - Without contributions and executions. */
    VIEW_BASIC = "VIEW_BASIC",
    /** VIEW_FULL - Everything. */
    VIEW_FULL = "VIEW_FULL",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function viewFromJSON(object: any): View;
export declare function viewToNumber(object: View): number;
/** A login to decide. */
export interface ExecutePostLoginRequest {
    /** The tenant: lower-case letters, digits and hyphens, at most 64 characters. */
    tenantId: string;
    /**
     * The caller's id of this login, printable, at most 128 characters. Send one to be able to retry: the daemon derives
     * its clock and its randomness from it. Empty lets the daemon choose.
     */
    requestId: string;
    /** As this contract has it. */
    event?: PostLoginEvent | undefined;
    /**
     * As Auth0's JSON has it, in both spellings (`user_id`, `userId`); members that the event does not have are left out,
     * and those of the user and the transaction are kept in their `attributes`.
     */
    auth0Event?: {
        [key: string]: any;
    } | undefined;
    /** What the gateway knows beside the event. Absent: each of its fields has its default. */
    gateway: GatewayContext | undefined;
    /** How much of the decision is wanted. */
    view: View;
}
/** The gateway's side of a login. */
export interface GatewayContext {
    /** What the browser's cookie says, once it was found authentic and not invalidated. Absent: no browser is remembered. */
    rememberedBrowser: RememberedBrowser | undefined;
    /** May the application use the MFA grant types? Absent: yes. */
    mfaGrantAllowed?: boolean | undefined;
    /** Can the browser run WebAuthn? Absent: yes. */
    webauthn?: boolean | undefined;
    /** The token exchange names an actor. One that the event names counts too. */
    actor: boolean;
    /** Duo remembers browsers for 30 days unless an action says otherwise. */
    duoRemembersWhenUnset: boolean;
    /** Are challenges and enrolments by actions switched on? Absent: yes. */
    customizeMfa?: boolean | undefined;
}
/** A browser in which a factor was presented before. */
export interface RememberedBrowser {
    /** The user who presented it. */
    userId: string;
    /** Who verified it: multifactor.provider of the decision that required it. */
    provider: Provider;
    /** When it was presented. */
    issuedAt: Date | undefined;
    /** When the browser was last seen; not before it was presented. */
    lastSeenAt: Date | undefined;
    /** The factor was an email. */
    emailOnly: boolean;
}
/** A decided login. */
export interface ExecutePostLoginResponse {
    /** The decision. */
    decision: Decision | undefined;
    /** The request id, given or chosen. */
    requestId: string;
}
/** A suspended flow to continue. */
export interface ContinuePostLoginRequest {
    /** The tenant of the suspended flow. */
    tenantId: string;
    /** As in ExecutePostLoginRequest: of this leg, not of the one before. */
    requestId: string;
    /** As in ExecutePostLoginRequest. */
    event?: PostLoginEvent | undefined;
    /** As in ExecutePostLoginRequest. */
    auth0Event?: {
        [key: string]: any;
    } | undefined;
    /** As in ExecutePostLoginRequest. */
    gateway: GatewayContext | undefined;
    /** As in ExecutePostLoginRequest. */
    view: View;
    /** Decision.suspension.continuation of the answer that suspended the flow. */
    continuation: Uint8Array;
    /**
     * What satisfied each step of the suspension, in order; empty after a redirect or a form. What the user did not pass
     * is not continued: refuse the login.
     */
    completed: Factor[];
}
/** A continued flow. */
export interface ContinuePostLoginResponse {
    /** The decision; it covers the whole flow. */
    decision: Decision | undefined;
    /** The request id, given or chosen. */
    requestId: string;
}
export declare const ExecutePostLoginRequest: MessageFns<ExecutePostLoginRequest>;
export declare const GatewayContext: MessageFns<GatewayContext>;
export declare const RememberedBrowser: MessageFns<RememberedBrowser>;
export declare const ExecutePostLoginResponse: MessageFns<ExecutePostLoginResponse>;
export declare const ContinuePostLoginRequest: MessageFns<ContinuePostLoginRequest>;
export declare const ContinuePostLoginResponse: MessageFns<ContinuePostLoginResponse>;
type Builtin = Date | Function | Uint8Array | string | number | boolean | undefined;
type DeepPartial<T> = T extends Builtin ? T : T extends globalThis.Array<infer U> ? globalThis.Array<DeepPartial<U>> : T extends ReadonlyArray<infer U> ? ReadonlyArray<DeepPartial<U>> : T extends {} ? {
    [K in keyof T]?: DeepPartial<T[K]>;
} : Partial<T>;
type KeysOfUnion<T> = T extends T ? keyof T : never;
type Exact<P, I extends P> = P extends Builtin ? P : P & {
    [K in keyof P]: Exact<P[K], I[K]>;
} & {
    [K in Exclude<keyof I, KeysOfUnion<P>>]: never;
};
interface MessageFns<T> {
    encode(message: T, writer?: BinaryWriter): BinaryWriter;
    decode(input: BinaryReader | Uint8Array, length?: number): T;
    create<I extends Exact<DeepPartial<T>, I>>(base?: I): T;
    fromPartial<I extends Exact<DeepPartial<T>, I>>(object: I): T;
}
export {};
