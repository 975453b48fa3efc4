import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
/**
 * The post-login event: what happened, as the identity gateway knows it after the first factor succeeded.
 *
 * It mirrors Auth0's event. Field names are snake_case; where Auth0 spells a member in camelCase (`enrolledFactors`),
 * that is the ProtoJSON name. To send Auth0's own JSON, put it into `auth0_event` of the request instead.
 *
 * Presence: a member that Auth0 documents as optional has presence here, so that an action can tell absent from empty.
 * It is `optional`, a message, or, for a list, a message that wraps it: absent, the list is not known; present without
 * values, it is empty. Lists that Auth0 always sends are plain.
 *
 * Instants are Timestamps. Actions read them as Auth0 writes them, `2024-01-31T12:00:00.000Z`.
 *
 * Texts that Auth0 may extend (protocols, names of methods, strategies, codes, types of factors) are texts, and actions
 * read what the gateway sent. The comments list the values that are known.
 *
 * Secrets are absent on purpose: they belong to an action's revision and come from the catalog, never from a gateway.
 */
export interface PostLoginEvent {
    /** Present only for clients bound to an agent. */
    agent: Agent | undefined;
    /** An anonymous session that preceded this login. */
    anonymousSession: AnonymousSession | undefined;
    /** Authentication methods completed in the current session, and the risk assessment. */
    authentication: Authentication | undefined;
    /** Roles of the user. Absent: not known here, which is not the same as none. */
    authorization: Authorization | undefined;
    /** The application that is being logged in to. */
    client: Client | undefined;
    /** The connection that verified the first factor. */
    connection: Connection | undefined;
    /** The custom domain the login went through. */
    customDomain: CustomDomain | undefined;
    /** Experiment context; `config` is free. */
    experiment: Experiment | undefined;
    /** The organisation of the transaction. */
    organization: Organization | undefined;
    /** Data collected by a rendered prompt. */
    prompt: Prompt | undefined;
    /** The refresh token of the exchange. */
    refreshToken: RefreshToken | undefined;
    /** The HTTP request that started, or resumed, the transaction. */
    request: Request | undefined;
    /** The API (audience) that was requested. */
    resourceServer: ResourceServer | undefined;
    /** TLS fingerprints of the client. */
    securityContext: SecurityContext | undefined;
    /** The browser session. */
    session: Session | undefined;
    /** Native to Web SSO token. */
    sessionTransferToken: SessionTransferToken | undefined;
    /** Counters of the user. */
    stats: Stats | undefined;
    /** The tenant as the gateway names it; the authority is the request's `tenant_id`. */
    tenant: Tenant | undefined;
    /** The authorization transaction. */
    transaction: Transaction | undefined;
    /** The user who logs in. */
    user: User | undefined;
    /**
     * What the gateway looked up for the actions, such as group memberships or a device's state. Any JSON object; at most
     * `limits.facts_bytes` (64 KiB by default) serialized. Actions read it as `event.facts`. Absent reads as empty.
     */
    facts: {
        [key: string]: any;
    } | undefined;
}
/** Texts of a list that may be absent. */
export interface StringList {
    /** The texts; none: the list is there and empty. */
    values: string[];
}
/** Objects of a list that may be absent. */
export interface ObjectList {
    /** The objects; none: the list is there and empty. */
    values: {
        [key: string]: any;
    }[];
}
/** An agent acting for a user. */
export interface Agent {
    /** Stable id, prefix `agt_`. */
    agentId: string;
    /** Free metadata, `{}` when none. */
    agentMetadata: {
        [key: string]: any;
    } | undefined;
    /** Display name. */
    name: string;
}
/** A session before the user was known. */
export interface AnonymousSession {
    /** Anonymous user id. */
    userId?: string | undefined;
    /** Session id. */
    sessionId?: string | undefined;
    /** When it began. */
    createdAt: Date | undefined;
    /** When it ends. */
    expiresAt: Date | undefined;
    /** Free metadata. */
    metadata: {
        [key: string]: any;
    } | undefined;
}
/** What the user has already proved in this session. */
export interface Authentication {
    /** Completed methods of the session, in no promised order. */
    methods: AuthenticationMethod[];
    /** Present when the tenant's risk assessment is on. */
    riskAssessment: RiskAssessment | undefined;
}
/** One completed authentication method. */
export interface AuthenticationMethod {
    /** federated, pwd, passkey, sms, email, phone_number, mock, mfa, or the URL of a recorded method. */
    name: string;
    /** When the method was completed. */
    timestamp: Date | undefined;
    /** Only when name is `mfa`: the factor, in the vocabulary of EnrolledFactor.type. */
    type?: string | undefined;
}
/** Result of the risk assessment. Values are discrete strings; confidence is low, medium, high or neutral. */
export interface RiskAssessment {
    /**
     * Overall score; low confidence means high risk. The policy `adaptive` takes an absent one, and any text but medium, high
     * and neutral, for low; an absent one of a refresh, a device code or a token exchange for good.
     */
    confidence: string;
    /** Version of the assessment algorithm. */
    version: string;
    /** The individual assessors. */
    assessments: RiskAssessment_Assessments | undefined;
    /** Vendor signals. */
    supplemental: RiskAssessment_Supplemental | undefined;
}
/** Individual assessors, each optional. */
export interface RiskAssessment_Assessments {
    /** Is the device known? */
    newDevice: RiskAssessment_NewDevice | undefined;
    /** Could the user have travelled here since the last login? */
    impossibleTravel: RiskAssessment_ImpossibleTravel | undefined;
    /** Is the address on a deny list? */
    untrustedIp: RiskAssessment_UntrustedIp | undefined;
    /** Is the phone number sound? */
    phoneNumber: RiskAssessment_PhoneNumber | undefined;
    /** Is the client an agent? */
    agentDetection: RiskAssessment_AgentDetection | undefined;
}
/** Assessor of the device. */
export interface RiskAssessment_NewDevice {
    /** low, medium, high or neutral. */
    confidence: string;
    /** match, partial_match, no_match, initial_login, unknown_device, no_device_history, assessment_not_available. */
    code: string;
    /** Only for match, partial_match and no_match. */
    details: RiskAssessment_NewDevice_Details | undefined;
}
/** What was recognised. */
export interface RiskAssessment_NewDevice_Details {
    /** known or unknown. */
    device?: string | undefined;
    /** known or unknown. */
    useragent?: string | undefined;
}
/** Assessor of the travel speed. */
export interface RiskAssessment_ImpossibleTravel {
    /** low, medium, high or neutral. */
    confidence: string;
    /**
     * minimal_travel_from_last_login, travel_from_last_login, substantial_travel_from_last_login,
     * impossible_travel_from_last_login, invalid_travel, missing_geoip, anonymous_proxy, unknown_location,
     * initial_login, location_history_not_found, assessment_not_available.
     */
    code: string;
}
/** Assessor of the address. */
export interface RiskAssessment_UntrustedIp {
    /** low, medium, high or neutral. */
    confidence: string;
    /** not_found_on_deny_list, found_on_deny_list, invalid_ip_address, assessment_not_available. */
    code: string;
    /** Only for found_on_deny_list. */
    details: RiskAssessment_UntrustedIp_Details | undefined;
}
/** The deny-list entry. */
export interface RiskAssessment_UntrustedIp_Details {
    /** The address. */
    ip?: string | undefined;
    /** The matching subnet. */
    matches?: string | undefined;
    /** The source of the threat intelligence. */
    source?: string | undefined;
    /** abuse, anonymizer, datacenter, reputation or unroutable. */
    category?: string | undefined;
}
/** Assessor of the phone number. */
export interface RiskAssessment_PhoneNumber {
    /** low, medium, high or neutral. */
    confidence: string;
    /** ok, requires_verification, phone_number_not_provided, assessment_not_available. */
    code: string;
    /** What is known of the number. */
    details: RiskAssessment_PhoneNumber_Details | undefined;
}
/** Facts of the number. */
export interface RiskAssessment_PhoneNumber_Details {
    /**
     * FIXED_LINE, MOBILE, FIXED_LINE_OR_MOBILE, TOLL_FREE, PREMIUM_RATE, SHARED_COST, VOIP, PERSONAL_NUMBER, PAGER,
     * UAN, UNKNOWN.
     */
    lineType?: string | undefined;
    /** Is it a valid number? */
    isValid?: boolean | undefined;
    /** 0 to 999. */
    countryCode?: number | undefined;
    /** With the country code. */
    number?: string | undefined;
}
/** Assessor of automation. */
export interface RiskAssessment_AgentDetection {
    /** low, medium, high or neutral. */
    confidence: string;
    /** unknown or verified_agent. */
    code: string;
    /** Who verified it. */
    details: RiskAssessment_AgentDetection_Details | undefined;
}
/** Facts of the agent. */
export interface RiskAssessment_AgentDetection_Details {
    /** The agent's provider. */
    provider?: string | undefined;
}
/** Signals of other vendors. */
export interface RiskAssessment_Supplemental {
    /** Akamai signals. */
    akamai: RiskAssessment_Akamai | undefined;
}
/** Akamai signals. */
export interface RiskAssessment_Akamai {
    /** Bot Manager. */
    akamaiBot: RiskAssessment_AkamaiBot | undefined;
    /** Account Protector. */
    akamaiUserRisk: RiskAssessment_AkamaiUserRisk | undefined;
}
/** Akamai Bot Manager. */
export interface RiskAssessment_AkamaiBot {
    /** Bot type. */
    type?: string | undefined;
    /** Action taken. */
    action?: string | undefined;
    /** Segment of the score. */
    botScoreResponseSegment?: string | undefined;
    /** Botnet id. */
    botnetId?: string | undefined;
    /** Categories of the bot. */
    botCategory: StringList | undefined;
    /** Score. */
    botScore?: number | undefined;
}
/** Akamai Account Protector. */
export interface RiskAssessment_AkamaiUserRisk {
    /** Action taken. */
    action?: string | undefined;
    /** Domain of the email address. */
    emailDomain?: string | undefined;
    /** Opaque user id. */
    ouid?: string | undefined;
    /** Request id. */
    requestid?: string | undefined;
    /** User name. */
    username?: string | undefined;
    /** User uuid. */
    uuid?: string | undefined;
    /** Was it allowed? */
    allow?: number | undefined;
    /** 0 to 100. */
    score?: number | undefined;
    /** Status code. */
    status?: number | undefined;
    /** General signals. */
    general: {
        [key: string]: any;
    } | undefined;
    /** Risk signals. */
    risk: {
        [key: string]: any;
    } | undefined;
    /** Trust signals. */
    trust: {
        [key: string]: any;
    } | undefined;
}
/** Authorization granted to the user. */
export interface Authorization {
    /** Names, not ids, of the assigned roles. */
    roles: string[];
}
/** An application. */
export interface Client {
    /** Client id. Must be there. */
    clientId: string;
    /** Name in the dashboard. */
    name: string;
    /** String map chosen by the tenant. */
    metadata: {
        [key: string]: any;
    } | undefined;
    /** Refresh token policies of the client. */
    refreshToken: Client_ClientRefreshToken | undefined;
    /** How the client authenticated itself. */
    authentication: Client_ClientAuthentication | undefined;
    /** Id in an external directory. */
    externalClientId?: string | undefined;
    /** Kind of the external directory. */
    externalMetadataType?: string | undefined;
}
/** Refresh token settings. */
export interface Client_ClientRefreshToken {
    /** Multi-resource policies. */
    policies: Client_ClientRefreshToken_Policies | undefined;
}
/** Policies of a list that may be absent. */
export interface Client_ClientRefreshToken_Policies {
    /** The policies; none: the list is there and empty. */
    values: Client_ClientRefreshToken_Policy[];
}
/** One multi-resource policy. */
export interface Client_ClientRefreshToken_Policy {
    /** The API. */
    audience?: string | undefined;
    /** The scopes. */
    scope: StringList | undefined;
}
/** Client authentication. */
export interface Client_ClientAuthentication {
    /** Kind of authentication. */
    type?: string | undefined;
    /** The client's certificate. */
    certificate: Client_ClientAuthentication_Certificate | undefined;
}
/** A client certificate. */
export interface Client_ClientAuthentication_Certificate {
    /** PEM text. */
    raw?: string | undefined;
    /** Distinguished name. */
    subject?: string | undefined;
    /** Alternative names. */
    subjectAltName?: string | undefined;
    /** Thumbprint. */
    thumbprint256?: string | undefined;
}
/** A connection (identity provider). */
export interface Connection {
    /** Connection id. */
    id: string;
    /** Connection name. */
    name: string;
    /**
     * Strategy: auth0 for a database; sms or email for passwordless; such as waad, ad, adfs, samlp, oidc or okta for an
     * enterprise; of a social connection the name of the provider, such as google-oauth2.
     */
    strategy: string;
    /** Connection metadata. */
    metadata: {
        [key: string]: any;
    } | undefined;
}
/** A custom domain. */
export interface CustomDomain {
    /** Domain name. */
    domain: string;
    /** Its metadata. */
    domainMetadata: {
        [key: string]: any;
    } | undefined;
}
/** Experiment context. */
export interface Experiment {
    /** Experiment id. */
    experimentId?: string | undefined;
    /** Variation id. */
    variationId?: string | undefined;
    /** Variation name. */
    variationName?: string | undefined;
    /** Variation description. */
    variationDescription?: string | undefined;
    /** Parameters, each an object with `value`. */
    config: {
        [key: string]: any;
    } | undefined;
    /** Is this the control group? */
    isControl?: boolean | undefined;
}
/** An organisation. */
export interface Organization {
    /** Organisation id. */
    id: string;
    /** Name. */
    name: string;
    /** Display name. */
    displayName: string;
    /** String map. */
    metadata: {
        [key: string]: any;
    } | undefined;
}
/** A rendered prompt's data. */
export interface Prompt {
    /** Prompt (form) id. */
    id: string;
    /** Field data. */
    fields: {
        [key: string]: any;
    } | undefined;
    /** Shared variables. */
    vars: {
        [key: string]: any;
    } | undefined;
}
/** Where a device was first and last seen. */
export interface Device {
    /** First autonomous system number. */
    initialAsn?: string | undefined;
    /** First address. */
    initialIp?: string | undefined;
    /** First user agent. */
    initialUserAgent?: string | undefined;
    /** Last autonomous system number. */
    lastAsn?: string | undefined;
    /** Last address. */
    lastIp?: string | undefined;
    /** Last user agent. */
    lastUserAgent?: string | undefined;
}
/** Native to Web SSO link. */
export interface SessionTransfer {
    /** The parent refresh token. */
    parentRefreshToken: SessionTransfer_ParentRefreshToken | undefined;
}
/** A parent refresh token. */
export interface SessionTransfer_ParentRefreshToken {
    /** Token id. */
    id?: string | undefined;
    /** Token metadata. */
    metadata: {
        [key: string]: any;
    } | undefined;
}
/** A refresh token. */
export interface RefreshToken {
    /** Token id. */
    id: string;
    /** Owner client. */
    clientId?: string | undefined;
    /** When it was issued. */
    createdAt: Date | undefined;
    /** Absolute expiry. */
    expiresAt: Date | undefined;
    /** Idle expiry. */
    idleExpiresAt: Date | undefined;
    /** Last successful exchange. */
    lastExchangedAt: Date | undefined;
    /** Device trail. */
    device: Device | undefined;
    /** Token metadata. */
    metadata: {
        [key: string]: any;
    } | undefined;
    /** Granted audiences. */
    resourceServers: RefreshToken_GrantedResourceServers | undefined;
    /** Is it a rotating token? */
    rotating?: boolean | undefined;
    /** Bound session. */
    sessionId?: string | undefined;
    /** Native to Web SSO parent. */
    sessionTransfer: SessionTransfer | undefined;
    /** Bound user. */
    userId?: string | undefined;
    /** offline or online. */
    access?: string | undefined;
}
/** Granted audiences of a list that may be absent. */
export interface RefreshToken_GrantedResourceServers {
    /** The audiences; none: the list is there and empty. */
    values: RefreshToken_GrantedResourceServer[];
}
/** A granted audience. */
export interface RefreshToken_GrantedResourceServer {
    /** The API. */
    audience?: string | undefined;
    /** Its scopes, space separated. */
    scopes?: string | undefined;
}
/** Location of an address. Every member may be absent. */
export interface GeoIp {
    /** City. */
    cityName?: string | undefined;
    /** Continent, two letters. */
    continentCode?: string | undefined;
    /** Country, two letters. */
    countryCode?: string | undefined;
    /** Country, three letters. */
    countryCode3?: string | undefined;
    /** Country name. */
    countryName?: string | undefined;
    /** Degrees north. */
    latitude?: number | undefined;
    /** Degrees east. */
    longitude?: number | undefined;
    /** Subdivision code. */
    subdivisionCode?: string | undefined;
    /** Subdivision name. */
    subdivisionName?: string | undefined;
    /** IANA time zone. */
    timeZone?: string | undefined;
}
/** The HTTP request of the transaction. */
export interface Request {
    /** Autonomous system number. */
    asn?: string | undefined;
    /** Body of the POST request. */
    body: {
        [key: string]: any;
    } | undefined;
    /** Location of the address. */
    geoip: GeoIp | undefined;
    /** Host that was used. */
    hostname?: string | undefined;
    /**
     * Originating address, IPv4 or IPv6: one address, without port. Actions see an IPv4-mapped one as IPv4, here and in
     * every other address of the event.
     */
    ip: string;
    /** Browser language. */
    language?: string | undefined;
    /** HTTP method. */
    method: string;
    /** Query parameters of the authorization request. */
    query: {
        [key: string]: any;
    } | undefined;
    /** User-Agent header. */
    userAgent?: string | undefined;
}
/** An API. */
export interface ResourceServer {
    /** Audience. */
    identifier: string;
}
/** TLS fingerprints. */
export interface SecurityContext {
    /** JA3 fingerprint. */
    ja3?: string | undefined;
    /** JA4 fingerprint. */
    ja4?: string | undefined;
}
/** A browser session. */
export interface Session {
    /** Session id. */
    id: string;
    /** Actor of a delegated session: `sub` and up to five more members. */
    actor: {
        [key: string]: any;
    } | undefined;
    /** When the user authenticated. */
    authenticatedAt: Date | undefined;
    /** When it began. */
    createdAt: Date | undefined;
    /** When it last changed. */
    updatedAt: Date | undefined;
    /** Absolute expiry. */
    expiresAt: Date | undefined;
    /** Idle expiry. */
    idleExpiresAt: Date | undefined;
    /** When the user was last seen. */
    lastInteractedAt: Date | undefined;
    /** Clients of the session. */
    clients: Session_SessionClients | undefined;
    /** The session cookie. */
    cookie: Session_Cookie | undefined;
    /** Device trail. */
    device: Device | undefined;
    /** Session metadata. */
    metadata: {
        [key: string]: any;
    } | undefined;
    /** Native to Web SSO parent. */
    sessionTransfer: SessionTransfer | undefined;
    /** User of the session. */
    userId?: string | undefined;
}
/** Clients of a list that may be absent. */
export interface Session_SessionClients {
    /** The clients; none: the list is there and empty. */
    values: Session_SessionClient[];
}
/** A client of the session. */
export interface Session_SessionClient {
    /** Client id. */
    clientId: string;
}
/** The session cookie. */
export interface Session_Cookie {
    /** persistent or non-persistent. */
    mode?: string | undefined;
}
/** Native to Web SSO token. */
export interface SessionTransferToken {
    /** Issuing application. */
    clientId: string;
    /** Scopes requested at issue. */
    scope: string[];
    /** The request that issued it. */
    request: SessionTransferToken_IssuingRequest | undefined;
}
/** The issuing request. */
export interface SessionTransferToken_IssuingRequest {
    /** Address. */
    ip: string;
    /** Autonomous system number. */
    asn?: string | undefined;
    /** User agent. */
    userAgent?: string | undefined;
    /** Location. */
    geoip: GeoIp | undefined;
}
/** Counters. */
export interface Stats {
    /** Number of logins of this user. */
    loginsCount: number;
}
/** A tenant as the gateway names it. */
export interface Tenant {
    /** Tenant name: empty, or the request's tenant_id. */
    id: string;
}
/** An authorization transaction. */
export interface Transaction {
    /** Transaction id; set for browser flows. */
    id?: string | undefined;
    /** Requested authentication context classes. */
    acrValues: StringList | undefined;
    /** Actor of a token exchange: `sub`, and nested `act` up to five levels. */
    actor: {
        [key: string]: any;
    } | undefined;
    /** Token exchange type of the actor token. */
    actorTokenType?: string | undefined;
    /** Token exchange type of the subject token. */
    subjectTokenType?: string | undefined;
    /** Value chosen by the application. */
    correlationId?: string | undefined;
    /** Dynamic linking id. */
    linkingId?: string | undefined;
    /** Negotiated locale. */
    locale?: string | undefined;
    /** Login hint. */
    loginHint?: string | undefined;
    /** Transaction metadata. */
    metadata: {
        [key: string]: any;
    } | undefined;
    /** OIDC prompt instructions. */
    prompt: StringList | undefined;
    /**
     * Protocol: oidc-basic-profile, oidc-implicit-profile, oidc-hybrid-profile, oidc-ciba, oidc-ciba-web-link,
     * oauth2-device-code, oauth2-resource-owner, oauth2-resource-owner-jwt-bearer, oauth2-password, oauth2-webauthn,
     * oauth2-access-token, oauth2-refresh-token, oauth2-token-exchange, samlp, wsfed, wstrust-usernamemixed. It says
     * whether there are pages (proto/README.md lists where there are none); absent or another text: there are.
     */
    protocol?: string | undefined;
    /** Final redirect. */
    redirectUri?: string | undefined;
    /** Rich authorization requests: `type` and free members. */
    requestedAuthorizationDetails: ObjectList | undefined;
    /** Requested scopes. */
    requestedScopes: StringList | undefined;
    /** query, fragment, form_post or web_message. */
    responseMode?: string | undefined;
    /** code, token, id_token. */
    responseType: StringList | undefined;
    /** Application state. */
    state?: string | undefined;
    /** Requested UI locales. */
    uiLocales: StringList | undefined;
    /** Scopes of the target of a token exchange. */
    targetScopes: StringList | undefined;
    /**
     * Members of the transaction that this contract does not name. Actions read them as `event.transaction.attributes`.
     * Absent reads as empty.
     */
    attributes: {
        [key: string]: any;
    } | undefined;
}
/** A user. */
export interface User {
    /** Unique id, the only member every connection provides. Must be there. */
    userId: string;
    /** Application metadata. */
    appMetadata: {
        [key: string]: any;
    } | undefined;
    /** When the user was created. */
    createdAt: Date | undefined;
    /** Email address. */
    email?: string | undefined;
    /** Was the address verified? */
    emailVerified: boolean;
    /** Enrolled authentication factors. */
    enrolledFactors: User_EnrolledFactors | undefined;
    /** Family name. */
    familyName?: string | undefined;
    /** Given name. */
    givenName?: string | undefined;
    /** Linked identities. */
    identities: User_Identity[];
    /** When the password was last reset; database connections only. */
    lastPasswordReset: Date | undefined;
    /** Providers the user is enrolled with: empty, or guardian. */
    multifactor: StringList | undefined;
    /** Full name. */
    name?: string | undefined;
    /** Nickname. */
    nickname?: string | undefined;
    /** Phone number. */
    phoneNumber?: string | undefined;
    /** Was the number verified? */
    phoneVerified?: boolean | undefined;
    /** Picture URL. */
    picture?: string | undefined;
    /** When the user was last changed. */
    updatedAt: Date | undefined;
    /** User metadata. */
    userMetadata: {
        [key: string]: any;
    } | undefined;
    /** User name. */
    username?: string | undefined;
    /**
     * What the identity provider sent beyond the members above, such as `groups`. Any JSON object. Actions read it as
     * `event.user.attributes`. Absent reads as empty.
     */
    attributes: {
        [key: string]: any;
    } | undefined;
}
/** Enrolled factors of a list that may be absent. */
export interface User_EnrolledFactors {
    /** The factors; none: the user has none. */
    values: User_EnrolledFactor[];
}
/** An enrolled factor. */
export interface User_EnrolledFactor {
    /** otp, email, phone, push-notification, webauthn-roaming, webauthn-platform, recovery-code or duo. */
    type: string;
    /** Factor options, such as preferredMethod of phone. */
    options: {
        [key: string]: any;
    } | undefined;
}
/** A linked identity. */
export interface User_Identity {
    /** Connection name. */
    connection?: string | undefined;
    /** Is it a social connection? */
    isSocial?: boolean | undefined;
    /** Profile of a secondary identity. */
    profileData: {
        [key: string]: any;
    } | undefined;
    /** Provider name. */
    provider?: string | undefined;
    /** User id at the provider. */
    userId?: string | undefined;
}
export declare const PostLoginEvent: MessageFns<PostLoginEvent>;
export declare const StringList: MessageFns<StringList>;
export declare const ObjectList: MessageFns<ObjectList>;
export declare const Agent: MessageFns<Agent>;
export declare const AnonymousSession: MessageFns<AnonymousSession>;
export declare const Authentication: MessageFns<Authentication>;
export declare const AuthenticationMethod: MessageFns<AuthenticationMethod>;
export declare const RiskAssessment: MessageFns<RiskAssessment>;
export declare const RiskAssessment_Assessments: MessageFns<RiskAssessment_Assessments>;
export declare const RiskAssessment_NewDevice: MessageFns<RiskAssessment_NewDevice>;
export declare const RiskAssessment_NewDevice_Details: MessageFns<RiskAssessment_NewDevice_Details>;
export declare const RiskAssessment_ImpossibleTravel: MessageFns<RiskAssessment_ImpossibleTravel>;
export declare const RiskAssessment_UntrustedIp: MessageFns<RiskAssessment_UntrustedIp>;
export declare const RiskAssessment_UntrustedIp_Details: MessageFns<RiskAssessment_UntrustedIp_Details>;
export declare const RiskAssessment_PhoneNumber: MessageFns<RiskAssessment_PhoneNumber>;
export declare const RiskAssessment_PhoneNumber_Details: MessageFns<RiskAssessment_PhoneNumber_Details>;
export declare const RiskAssessment_AgentDetection: MessageFns<RiskAssessment_AgentDetection>;
export declare const RiskAssessment_AgentDetection_Details: MessageFns<RiskAssessment_AgentDetection_Details>;
export declare const RiskAssessment_Supplemental: MessageFns<RiskAssessment_Supplemental>;
export declare const RiskAssessment_Akamai: MessageFns<RiskAssessment_Akamai>;
export declare const RiskAssessment_AkamaiBot: MessageFns<RiskAssessment_AkamaiBot>;
export declare const RiskAssessment_AkamaiUserRisk: MessageFns<RiskAssessment_AkamaiUserRisk>;
export declare const Authorization: MessageFns<Authorization>;
export declare const Client: MessageFns<Client>;
export declare const Client_ClientRefreshToken: MessageFns<Client_ClientRefreshToken>;
export declare const Client_ClientRefreshToken_Policies: MessageFns<Client_ClientRefreshToken_Policies>;
export declare const Client_ClientRefreshToken_Policy: MessageFns<Client_ClientRefreshToken_Policy>;
export declare const Client_ClientAuthentication: MessageFns<Client_ClientAuthentication>;
export declare const Client_ClientAuthentication_Certificate: MessageFns<Client_ClientAuthentication_Certificate>;
export declare const Connection: MessageFns<Connection>;
export declare const CustomDomain: MessageFns<CustomDomain>;
export declare const Experiment: MessageFns<Experiment>;
export declare const Organization: MessageFns<Organization>;
export declare const Prompt: MessageFns<Prompt>;
export declare const Device: MessageFns<Device>;
export declare const SessionTransfer: MessageFns<SessionTransfer>;
export declare const SessionTransfer_ParentRefreshToken: MessageFns<SessionTransfer_ParentRefreshToken>;
export declare const RefreshToken: MessageFns<RefreshToken>;
export declare const RefreshToken_GrantedResourceServers: MessageFns<RefreshToken_GrantedResourceServers>;
export declare const RefreshToken_GrantedResourceServer: MessageFns<RefreshToken_GrantedResourceServer>;
export declare const GeoIp: MessageFns<GeoIp>;
export declare const Request: MessageFns<Request>;
export declare const ResourceServer: MessageFns<ResourceServer>;
export declare const SecurityContext: MessageFns<SecurityContext>;
export declare const Session: MessageFns<Session>;
export declare const Session_SessionClients: MessageFns<Session_SessionClients>;
export declare const Session_SessionClient: MessageFns<Session_SessionClient>;
export declare const Session_Cookie: MessageFns<Session_Cookie>;
export declare const SessionTransferToken: MessageFns<SessionTransferToken>;
export declare const SessionTransferToken_IssuingRequest: MessageFns<SessionTransferToken_IssuingRequest>;
export declare const Stats: MessageFns<Stats>;
export declare const Tenant: MessageFns<Tenant>;
export declare const Transaction: MessageFns<Transaction>;
export declare const User: MessageFns<User>;
export declare const User_EnrolledFactors: MessageFns<User_EnrolledFactors>;
export declare const User_EnrolledFactor: MessageFns<User_EnrolledFactor>;
export declare const User_Identity: MessageFns<User_Identity>;
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
