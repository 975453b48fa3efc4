import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { Duration } from "../../google/protobuf/duration.js";
import { Status } from "../../google/rpc/status.js";
import { BrowserMemory, Decision, Factor, Provider } from "./decision.js";
import { PostLoginEvent } from "./event.js";
/** How much of a decision is answered. */
export declare enum View {
    /** VIEW_UNSPECIFIED - The same as FULL. */
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
     * The caller's id of this login, printable, at most 128 characters; another one for each login. Send one to be able to
     * retry: the decision's id, the randomness of the actions and their clock, which may stand up to ten seconds back,
     * follow from it and from the content. Empty lets the daemon choose, and then no two requests are the same.
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
    /** Who verified it: multifactor.provider of the decision that required it; ANY after the steps of a suspension. */
    provider: Provider;
    /** When it was presented. */
    issuedAt: Date | undefined;
    /** When the browser was last seen; not before it was presented. */
    lastSeenAt: Date | undefined;
    /** The only factor that was presented was an email. */
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
    /** As in ExecutePostLoginRequest: of this leg, not of the one before. The clock is the real one. */
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
/** A tenant to ask about. */
export interface GetTenantRequest {
    /** The tenant. */
    tenantId: string;
}
/** What a gateway may want to know of a tenant. */
export interface GetTenantResponse {
    /** The tenant. */
    tenantId: string;
    /** Which login pages it uses. */
    experience: GetTenantResponse_Experience;
    /** Factors that its users may present, safest first. */
    factors: Factor[];
    /** When it requires a factor by itself. */
    policy: GetTenantResponse_Policy;
    /** Names what decides its logins: bindings, sources, settings, secrets. Equal on replicas that decide alike. */
    flowFingerprint: string;
    /** Revision of the catalog that this was read from. */
    catalogRevision: number;
    /** How long a browser is remembered. */
    memory: BrowserMemory | undefined;
    /** The names of its actions, in flow order. */
    actions: string[];
    /** Logins of this tenant can be decided now. */
    ready: boolean;
}
/** Which login pages a tenant uses. */
export declare enum GetTenantResponse_Experience {
    /** EXPERIENCE_UNSPECIFIED - Never sent. */
    EXPERIENCE_UNSPECIFIED = "EXPERIENCE_UNSPECIFIED",
    /** EXPERIENCE_NEW - The new ones. */
    EXPERIENCE_NEW = "EXPERIENCE_NEW",
    /** EXPERIENCE_CLASSIC - The classic ones. */
    EXPERIENCE_CLASSIC = "EXPERIENCE_CLASSIC",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function getTenantResponse_ExperienceFromJSON(object: any): GetTenantResponse_Experience;
export declare function getTenantResponse_ExperienceToNumber(object: GetTenantResponse_Experience): number;
/** When a tenant requires a factor by itself. */
export declare enum GetTenantResponse_Policy {
    /** POLICY_UNSPECIFIED - Never sent. */
    POLICY_UNSPECIFIED = "POLICY_UNSPECIFIED",
    /** POLICY_NEVER - Only its actions do. */
    POLICY_NEVER = "POLICY_NEVER",
    /** POLICY_ADAPTIVE - At low confidence. */
    POLICY_ADAPTIVE = "POLICY_ADAPTIVE",
    /** POLICY_ALWAYS - At every login. */
    POLICY_ALWAYS = "POLICY_ALWAYS",
    UNRECOGNIZED = "UNRECOGNIZED"
}
export declare function getTenantResponse_PolicyFromJSON(object: any): GetTenantResponse_Policy;
export declare function getTenantResponse_PolicyToNumber(object: GetTenantResponse_Policy): number;
/** Logins to decide, and logins whose answer the caller wants no more. */
export interface StreamPostLoginRequest {
    /** Logins; each is answered by itself. */
    items: StreamPostLoginRequest_Item[];
    /**
     * Ids of open logins. They are given up, and answered with CANCELLED unless they were answered already. Ids that are
     * not open are passed over. What a message cancels is read after its items.
     */
    cancel: number[];
}
/** A login. */
export interface StreamPostLoginRequest_Item {
    /** Chosen by the caller; the answer has it. No two logins that are open on a stream may have the same. */
    id: number;
    /** As ExecutePostLogin has it. */
    execute?: ExecutePostLoginRequest | undefined;
    /** As ContinuePostLogin has it. */
    resume?: ContinuePostLoginRequest | undefined;
    /**
     * How long the caller waits for this login, from when the daemon reads it. Absent: as long as the stream's own
     * deadline allows. More than 0.
     */
    timeout: Duration | undefined;
    /** W3C traceparent of this login, for the log; the stream's own metadata is not looked at for one. */
    traceparent: string;
}
/** Answers, as they were ready. */
export interface StreamPostLoginResponse {
    /** One for each login. */
    items: StreamPostLoginResponse_Item[];
}
/** The answer to a login. */
export interface StreamPostLoginResponse_Item {
    /** The login's. */
    id: number;
    /** The login in `execute` is decided. */
    execute?: ExecutePostLoginResponse | undefined;
    /** The login in `resume` is decided. */
    resume?: ContinuePostLoginResponse | undefined;
    /** There is no decision: what the call for one login would end with, details included. */
    error?: Status | undefined;
}
export declare const ExecutePostLoginRequest: MessageFns<ExecutePostLoginRequest>;
export declare const GatewayContext: MessageFns<GatewayContext>;
export declare const RememberedBrowser: MessageFns<RememberedBrowser>;
export declare const ExecutePostLoginResponse: MessageFns<ExecutePostLoginResponse>;
export declare const ContinuePostLoginRequest: MessageFns<ContinuePostLoginRequest>;
export declare const ContinuePostLoginResponse: MessageFns<ContinuePostLoginResponse>;
export declare const GetTenantRequest: MessageFns<GetTenantRequest>;
export declare const GetTenantResponse: MessageFns<GetTenantResponse>;
export declare const StreamPostLoginRequest: MessageFns<StreamPostLoginRequest>;
export declare const StreamPostLoginRequest_Item: MessageFns<StreamPostLoginRequest_Item>;
export declare const StreamPostLoginResponse: MessageFns<StreamPostLoginResponse>;
export declare const StreamPostLoginResponse_Item: MessageFns<StreamPostLoginResponse_Item>;
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
