import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PostLoginEvent(_message.Message):
    __slots__ = ("agent", "anonymous_session", "authentication", "authorization", "client", "connection", "custom_domain", "experiment", "organization", "prompt", "refresh_token", "request", "resource_server", "security_context", "session", "session_transfer_token", "stats", "tenant", "transaction", "user", "facts")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_SESSION_FIELD_NUMBER: _ClassVar[int]
    AUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_SERVER_FIELD_NUMBER: _ClassVar[int]
    SECURITY_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SESSION_TRANSFER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    agent: Agent
    anonymous_session: AnonymousSession
    authentication: Authentication
    authorization: Authorization
    client: Client
    connection: Connection
    custom_domain: CustomDomain
    experiment: Experiment
    organization: Organization
    prompt: Prompt
    refresh_token: RefreshToken
    request: Request
    resource_server: ResourceServer
    security_context: SecurityContext
    session: Session
    session_transfer_token: SessionTransferToken
    stats: Stats
    tenant: Tenant
    transaction: Transaction
    user: User
    facts: _struct_pb2.Struct
    def __init__(self, agent: _Optional[_Union[Agent, _Mapping]] = ..., anonymous_session: _Optional[_Union[AnonymousSession, _Mapping]] = ..., authentication: _Optional[_Union[Authentication, _Mapping]] = ..., authorization: _Optional[_Union[Authorization, _Mapping]] = ..., client: _Optional[_Union[Client, _Mapping]] = ..., connection: _Optional[_Union[Connection, _Mapping]] = ..., custom_domain: _Optional[_Union[CustomDomain, _Mapping]] = ..., experiment: _Optional[_Union[Experiment, _Mapping]] = ..., organization: _Optional[_Union[Organization, _Mapping]] = ..., prompt: _Optional[_Union[Prompt, _Mapping]] = ..., refresh_token: _Optional[_Union[RefreshToken, _Mapping]] = ..., request: _Optional[_Union[Request, _Mapping]] = ..., resource_server: _Optional[_Union[ResourceServer, _Mapping]] = ..., security_context: _Optional[_Union[SecurityContext, _Mapping]] = ..., session: _Optional[_Union[Session, _Mapping]] = ..., session_transfer_token: _Optional[_Union[SessionTransferToken, _Mapping]] = ..., stats: _Optional[_Union[Stats, _Mapping]] = ..., tenant: _Optional[_Union[Tenant, _Mapping]] = ..., transaction: _Optional[_Union[Transaction, _Mapping]] = ..., user: _Optional[_Union[User, _Mapping]] = ..., facts: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class StringList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class ObjectList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Struct]
    def __init__(self, values: _Optional[_Iterable[_Union[_struct_pb2.Struct, _Mapping]]] = ...) -> None: ...

class Agent(_message.Message):
    __slots__ = ("agent_id", "agent_metadata", "name")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_METADATA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    agent_metadata: _struct_pb2.Struct
    name: str
    def __init__(self, agent_id: _Optional[str] = ..., agent_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class AnonymousSession(_message.Message):
    __slots__ = ("user_id", "session_id", "created_at", "expires_at", "metadata")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    session_id: str
    created_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    metadata: _struct_pb2.Struct
    def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Authentication(_message.Message):
    __slots__ = ("methods", "risk_assessment")
    METHODS_FIELD_NUMBER: _ClassVar[int]
    RISK_ASSESSMENT_FIELD_NUMBER: _ClassVar[int]
    methods: _containers.RepeatedCompositeFieldContainer[AuthenticationMethod]
    risk_assessment: RiskAssessment
    def __init__(self, methods: _Optional[_Iterable[_Union[AuthenticationMethod, _Mapping]]] = ..., risk_assessment: _Optional[_Union[RiskAssessment, _Mapping]] = ...) -> None: ...

class AuthenticationMethod(_message.Message):
    __slots__ = ("name", "timestamp", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    timestamp: _timestamp_pb2.Timestamp
    type: str
    def __init__(self, name: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., type: _Optional[str] = ...) -> None: ...

class RiskAssessment(_message.Message):
    __slots__ = ("confidence", "version", "assessments", "supplemental")
    class Assessments(_message.Message):
        __slots__ = ("new_device", "impossible_travel", "untrusted_ip", "phone_number", "agent_detection")
        NEW_DEVICE_FIELD_NUMBER: _ClassVar[int]
        IMPOSSIBLE_TRAVEL_FIELD_NUMBER: _ClassVar[int]
        UNTRUSTED_IP_FIELD_NUMBER: _ClassVar[int]
        PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
        AGENT_DETECTION_FIELD_NUMBER: _ClassVar[int]
        new_device: RiskAssessment.NewDevice
        impossible_travel: RiskAssessment.ImpossibleTravel
        untrusted_ip: RiskAssessment.UntrustedIp
        phone_number: RiskAssessment.PhoneNumber
        agent_detection: RiskAssessment.AgentDetection
        def __init__(self, new_device: _Optional[_Union[RiskAssessment.NewDevice, _Mapping]] = ..., impossible_travel: _Optional[_Union[RiskAssessment.ImpossibleTravel, _Mapping]] = ..., untrusted_ip: _Optional[_Union[RiskAssessment.UntrustedIp, _Mapping]] = ..., phone_number: _Optional[_Union[RiskAssessment.PhoneNumber, _Mapping]] = ..., agent_detection: _Optional[_Union[RiskAssessment.AgentDetection, _Mapping]] = ...) -> None: ...
    class NewDevice(_message.Message):
        __slots__ = ("confidence", "code", "details")
        class Details(_message.Message):
            __slots__ = ("device", "useragent")
            DEVICE_FIELD_NUMBER: _ClassVar[int]
            USERAGENT_FIELD_NUMBER: _ClassVar[int]
            device: str
            useragent: str
            def __init__(self, device: _Optional[str] = ..., useragent: _Optional[str] = ...) -> None: ...
        CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
        CODE_FIELD_NUMBER: _ClassVar[int]
        DETAILS_FIELD_NUMBER: _ClassVar[int]
        confidence: str
        code: str
        details: RiskAssessment.NewDevice.Details
        def __init__(self, confidence: _Optional[str] = ..., code: _Optional[str] = ..., details: _Optional[_Union[RiskAssessment.NewDevice.Details, _Mapping]] = ...) -> None: ...
    class ImpossibleTravel(_message.Message):
        __slots__ = ("confidence", "code")
        CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
        CODE_FIELD_NUMBER: _ClassVar[int]
        confidence: str
        code: str
        def __init__(self, confidence: _Optional[str] = ..., code: _Optional[str] = ...) -> None: ...
    class UntrustedIp(_message.Message):
        __slots__ = ("confidence", "code", "details")
        class Details(_message.Message):
            __slots__ = ("ip", "matches", "source", "category")
            IP_FIELD_NUMBER: _ClassVar[int]
            MATCHES_FIELD_NUMBER: _ClassVar[int]
            SOURCE_FIELD_NUMBER: _ClassVar[int]
            CATEGORY_FIELD_NUMBER: _ClassVar[int]
            ip: str
            matches: str
            source: str
            category: str
            def __init__(self, ip: _Optional[str] = ..., matches: _Optional[str] = ..., source: _Optional[str] = ..., category: _Optional[str] = ...) -> None: ...
        CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
        CODE_FIELD_NUMBER: _ClassVar[int]
        DETAILS_FIELD_NUMBER: _ClassVar[int]
        confidence: str
        code: str
        details: RiskAssessment.UntrustedIp.Details
        def __init__(self, confidence: _Optional[str] = ..., code: _Optional[str] = ..., details: _Optional[_Union[RiskAssessment.UntrustedIp.Details, _Mapping]] = ...) -> None: ...
    class PhoneNumber(_message.Message):
        __slots__ = ("confidence", "code", "details")
        class Details(_message.Message):
            __slots__ = ("line_type", "is_valid", "country_code", "number")
            LINE_TYPE_FIELD_NUMBER: _ClassVar[int]
            IS_VALID_FIELD_NUMBER: _ClassVar[int]
            COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
            NUMBER_FIELD_NUMBER: _ClassVar[int]
            line_type: str
            is_valid: bool
            country_code: int
            number: str
            def __init__(self, line_type: _Optional[str] = ..., is_valid: _Optional[bool] = ..., country_code: _Optional[int] = ..., number: _Optional[str] = ...) -> None: ...
        CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
        CODE_FIELD_NUMBER: _ClassVar[int]
        DETAILS_FIELD_NUMBER: _ClassVar[int]
        confidence: str
        code: str
        details: RiskAssessment.PhoneNumber.Details
        def __init__(self, confidence: _Optional[str] = ..., code: _Optional[str] = ..., details: _Optional[_Union[RiskAssessment.PhoneNumber.Details, _Mapping]] = ...) -> None: ...
    class AgentDetection(_message.Message):
        __slots__ = ("confidence", "code", "details")
        class Details(_message.Message):
            __slots__ = ("provider",)
            PROVIDER_FIELD_NUMBER: _ClassVar[int]
            provider: str
            def __init__(self, provider: _Optional[str] = ...) -> None: ...
        CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
        CODE_FIELD_NUMBER: _ClassVar[int]
        DETAILS_FIELD_NUMBER: _ClassVar[int]
        confidence: str
        code: str
        details: RiskAssessment.AgentDetection.Details
        def __init__(self, confidence: _Optional[str] = ..., code: _Optional[str] = ..., details: _Optional[_Union[RiskAssessment.AgentDetection.Details, _Mapping]] = ...) -> None: ...
    class Supplemental(_message.Message):
        __slots__ = ("akamai",)
        AKAMAI_FIELD_NUMBER: _ClassVar[int]
        akamai: RiskAssessment.Akamai
        def __init__(self, akamai: _Optional[_Union[RiskAssessment.Akamai, _Mapping]] = ...) -> None: ...
    class Akamai(_message.Message):
        __slots__ = ("akamai_bot", "akamai_user_risk")
        AKAMAI_BOT_FIELD_NUMBER: _ClassVar[int]
        AKAMAI_USER_RISK_FIELD_NUMBER: _ClassVar[int]
        akamai_bot: RiskAssessment.AkamaiBot
        akamai_user_risk: RiskAssessment.AkamaiUserRisk
        def __init__(self, akamai_bot: _Optional[_Union[RiskAssessment.AkamaiBot, _Mapping]] = ..., akamai_user_risk: _Optional[_Union[RiskAssessment.AkamaiUserRisk, _Mapping]] = ...) -> None: ...
    class AkamaiBot(_message.Message):
        __slots__ = ("type", "action", "bot_score_response_segment", "botnet_id", "bot_category", "bot_score")
        TYPE_FIELD_NUMBER: _ClassVar[int]
        ACTION_FIELD_NUMBER: _ClassVar[int]
        BOT_SCORE_RESPONSE_SEGMENT_FIELD_NUMBER: _ClassVar[int]
        BOTNET_ID_FIELD_NUMBER: _ClassVar[int]
        BOT_CATEGORY_FIELD_NUMBER: _ClassVar[int]
        BOT_SCORE_FIELD_NUMBER: _ClassVar[int]
        type: str
        action: str
        bot_score_response_segment: str
        botnet_id: str
        bot_category: StringList
        bot_score: float
        def __init__(self, type: _Optional[str] = ..., action: _Optional[str] = ..., bot_score_response_segment: _Optional[str] = ..., botnet_id: _Optional[str] = ..., bot_category: _Optional[_Union[StringList, _Mapping]] = ..., bot_score: _Optional[float] = ...) -> None: ...
    class AkamaiUserRisk(_message.Message):
        __slots__ = ("action", "email_domain", "ouid", "requestid", "username", "uuid", "allow", "score", "status", "general", "risk", "trust")
        ACTION_FIELD_NUMBER: _ClassVar[int]
        EMAIL_DOMAIN_FIELD_NUMBER: _ClassVar[int]
        OUID_FIELD_NUMBER: _ClassVar[int]
        REQUESTID_FIELD_NUMBER: _ClassVar[int]
        USERNAME_FIELD_NUMBER: _ClassVar[int]
        UUID_FIELD_NUMBER: _ClassVar[int]
        ALLOW_FIELD_NUMBER: _ClassVar[int]
        SCORE_FIELD_NUMBER: _ClassVar[int]
        STATUS_FIELD_NUMBER: _ClassVar[int]
        GENERAL_FIELD_NUMBER: _ClassVar[int]
        RISK_FIELD_NUMBER: _ClassVar[int]
        TRUST_FIELD_NUMBER: _ClassVar[int]
        action: str
        email_domain: str
        ouid: str
        requestid: str
        username: str
        uuid: str
        allow: float
        score: float
        status: float
        general: _struct_pb2.Struct
        risk: _struct_pb2.Struct
        trust: _struct_pb2.Struct
        def __init__(self, action: _Optional[str] = ..., email_domain: _Optional[str] = ..., ouid: _Optional[str] = ..., requestid: _Optional[str] = ..., username: _Optional[str] = ..., uuid: _Optional[str] = ..., allow: _Optional[float] = ..., score: _Optional[float] = ..., status: _Optional[float] = ..., general: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., risk: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., trust: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ASSESSMENTS_FIELD_NUMBER: _ClassVar[int]
    SUPPLEMENTAL_FIELD_NUMBER: _ClassVar[int]
    confidence: str
    version: str
    assessments: RiskAssessment.Assessments
    supplemental: RiskAssessment.Supplemental
    def __init__(self, confidence: _Optional[str] = ..., version: _Optional[str] = ..., assessments: _Optional[_Union[RiskAssessment.Assessments, _Mapping]] = ..., supplemental: _Optional[_Union[RiskAssessment.Supplemental, _Mapping]] = ...) -> None: ...

class Authorization(_message.Message):
    __slots__ = ("roles",)
    ROLES_FIELD_NUMBER: _ClassVar[int]
    roles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, roles: _Optional[_Iterable[str]] = ...) -> None: ...

class Client(_message.Message):
    __slots__ = ("client_id", "name", "metadata", "refresh_token", "authentication", "external_client_id", "external_metadata_type")
    class ClientRefreshToken(_message.Message):
        __slots__ = ("policies",)
        class Policies(_message.Message):
            __slots__ = ("values",)
            VALUES_FIELD_NUMBER: _ClassVar[int]
            values: _containers.RepeatedCompositeFieldContainer[Client.ClientRefreshToken.Policy]
            def __init__(self, values: _Optional[_Iterable[_Union[Client.ClientRefreshToken.Policy, _Mapping]]] = ...) -> None: ...
        class Policy(_message.Message):
            __slots__ = ("audience", "scope")
            AUDIENCE_FIELD_NUMBER: _ClassVar[int]
            SCOPE_FIELD_NUMBER: _ClassVar[int]
            audience: str
            scope: StringList
            def __init__(self, audience: _Optional[str] = ..., scope: _Optional[_Union[StringList, _Mapping]] = ...) -> None: ...
        POLICIES_FIELD_NUMBER: _ClassVar[int]
        policies: Client.ClientRefreshToken.Policies
        def __init__(self, policies: _Optional[_Union[Client.ClientRefreshToken.Policies, _Mapping]] = ...) -> None: ...
    class ClientAuthentication(_message.Message):
        __slots__ = ("type", "certificate")
        class Certificate(_message.Message):
            __slots__ = ("raw", "subject", "subject_alt_name", "thumbprint256")
            RAW_FIELD_NUMBER: _ClassVar[int]
            SUBJECT_FIELD_NUMBER: _ClassVar[int]
            SUBJECT_ALT_NAME_FIELD_NUMBER: _ClassVar[int]
            THUMBPRINT256_FIELD_NUMBER: _ClassVar[int]
            raw: str
            subject: str
            subject_alt_name: str
            thumbprint256: str
            def __init__(self, raw: _Optional[str] = ..., subject: _Optional[str] = ..., subject_alt_name: _Optional[str] = ..., thumbprint256: _Optional[str] = ...) -> None: ...
        TYPE_FIELD_NUMBER: _ClassVar[int]
        CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
        type: str
        certificate: Client.ClientAuthentication.Certificate
        def __init__(self, type: _Optional[str] = ..., certificate: _Optional[_Union[Client.ClientAuthentication.Certificate, _Mapping]] = ...) -> None: ...
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_METADATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    name: str
    metadata: _struct_pb2.Struct
    refresh_token: Client.ClientRefreshToken
    authentication: Client.ClientAuthentication
    external_client_id: str
    external_metadata_type: str
    def __init__(self, client_id: _Optional[str] = ..., name: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., refresh_token: _Optional[_Union[Client.ClientRefreshToken, _Mapping]] = ..., authentication: _Optional[_Union[Client.ClientAuthentication, _Mapping]] = ..., external_client_id: _Optional[str] = ..., external_metadata_type: _Optional[str] = ...) -> None: ...

class Connection(_message.Message):
    __slots__ = ("id", "name", "strategy", "metadata")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    strategy: str
    metadata: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., strategy: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class CustomDomain(_message.Message):
    __slots__ = ("domain", "domain_metadata")
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_METADATA_FIELD_NUMBER: _ClassVar[int]
    domain: str
    domain_metadata: _struct_pb2.Struct
    def __init__(self, domain: _Optional[str] = ..., domain_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Experiment(_message.Message):
    __slots__ = ("experiment_id", "variation_id", "variation_name", "variation_description", "config", "is_control")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VARIATION_ID_FIELD_NUMBER: _ClassVar[int]
    VARIATION_NAME_FIELD_NUMBER: _ClassVar[int]
    VARIATION_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    IS_CONTROL_FIELD_NUMBER: _ClassVar[int]
    experiment_id: str
    variation_id: str
    variation_name: str
    variation_description: str
    config: _struct_pb2.Struct
    is_control: bool
    def __init__(self, experiment_id: _Optional[str] = ..., variation_id: _Optional[str] = ..., variation_name: _Optional[str] = ..., variation_description: _Optional[str] = ..., config: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., is_control: _Optional[bool] = ...) -> None: ...

class Organization(_message.Message):
    __slots__ = ("id", "name", "display_name", "metadata")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    display_name: str
    metadata: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., display_name: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("id", "fields", "vars")
    ID_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    VARS_FIELD_NUMBER: _ClassVar[int]
    id: str
    fields: _struct_pb2.Struct
    vars: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., fields: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., vars: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Device(_message.Message):
    __slots__ = ("initial_asn", "initial_ip", "initial_user_agent", "last_asn", "last_ip", "last_user_agent")
    INITIAL_ASN_FIELD_NUMBER: _ClassVar[int]
    INITIAL_IP_FIELD_NUMBER: _ClassVar[int]
    INITIAL_USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    LAST_ASN_FIELD_NUMBER: _ClassVar[int]
    LAST_IP_FIELD_NUMBER: _ClassVar[int]
    LAST_USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    initial_asn: str
    initial_ip: str
    initial_user_agent: str
    last_asn: str
    last_ip: str
    last_user_agent: str
    def __init__(self, initial_asn: _Optional[str] = ..., initial_ip: _Optional[str] = ..., initial_user_agent: _Optional[str] = ..., last_asn: _Optional[str] = ..., last_ip: _Optional[str] = ..., last_user_agent: _Optional[str] = ...) -> None: ...

class SessionTransfer(_message.Message):
    __slots__ = ("parent_refresh_token",)
    class ParentRefreshToken(_message.Message):
        __slots__ = ("id", "metadata")
        ID_FIELD_NUMBER: _ClassVar[int]
        METADATA_FIELD_NUMBER: _ClassVar[int]
        id: str
        metadata: _struct_pb2.Struct
        def __init__(self, id: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
    PARENT_REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent_refresh_token: SessionTransfer.ParentRefreshToken
    def __init__(self, parent_refresh_token: _Optional[_Union[SessionTransfer.ParentRefreshToken, _Mapping]] = ...) -> None: ...

class RefreshToken(_message.Message):
    __slots__ = ("id", "client_id", "created_at", "expires_at", "idle_expires_at", "last_exchanged_at", "device", "metadata", "resource_servers", "rotating", "session_id", "session_transfer", "user_id", "access")
    class GrantedResourceServers(_message.Message):
        __slots__ = ("values",)
        VALUES_FIELD_NUMBER: _ClassVar[int]
        values: _containers.RepeatedCompositeFieldContainer[RefreshToken.GrantedResourceServer]
        def __init__(self, values: _Optional[_Iterable[_Union[RefreshToken.GrantedResourceServer, _Mapping]]] = ...) -> None: ...
    class GrantedResourceServer(_message.Message):
        __slots__ = ("audience", "scopes")
        AUDIENCE_FIELD_NUMBER: _ClassVar[int]
        SCOPES_FIELD_NUMBER: _ClassVar[int]
        audience: str
        scopes: str
        def __init__(self, audience: _Optional[str] = ..., scopes: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    IDLE_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_EXCHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_SERVERS_FIELD_NUMBER: _ClassVar[int]
    ROTATING_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_TRANSFER_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    id: str
    client_id: str
    created_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    idle_expires_at: _timestamp_pb2.Timestamp
    last_exchanged_at: _timestamp_pb2.Timestamp
    device: Device
    metadata: _struct_pb2.Struct
    resource_servers: RefreshToken.GrantedResourceServers
    rotating: bool
    session_id: str
    session_transfer: SessionTransfer
    user_id: str
    access: str
    def __init__(self, id: _Optional[str] = ..., client_id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., idle_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_exchanged_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., device: _Optional[_Union[Device, _Mapping]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., resource_servers: _Optional[_Union[RefreshToken.GrantedResourceServers, _Mapping]] = ..., rotating: _Optional[bool] = ..., session_id: _Optional[str] = ..., session_transfer: _Optional[_Union[SessionTransfer, _Mapping]] = ..., user_id: _Optional[str] = ..., access: _Optional[str] = ...) -> None: ...

class GeoIp(_message.Message):
    __slots__ = ("city_name", "continent_code", "country_code", "country_code3", "country_name", "latitude", "longitude", "subdivision_code", "subdivision_name", "time_zone")
    CITY_NAME_FIELD_NUMBER: _ClassVar[int]
    CONTINENT_CODE_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE3_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_NAME_FIELD_NUMBER: _ClassVar[int]
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    SUBDIVISION_CODE_FIELD_NUMBER: _ClassVar[int]
    SUBDIVISION_NAME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    city_name: str
    continent_code: str
    country_code: str
    country_code3: str
    country_name: str
    latitude: float
    longitude: float
    subdivision_code: str
    subdivision_name: str
    time_zone: str
    def __init__(self, city_name: _Optional[str] = ..., continent_code: _Optional[str] = ..., country_code: _Optional[str] = ..., country_code3: _Optional[str] = ..., country_name: _Optional[str] = ..., latitude: _Optional[float] = ..., longitude: _Optional[float] = ..., subdivision_code: _Optional[str] = ..., subdivision_name: _Optional[str] = ..., time_zone: _Optional[str] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("asn", "body", "geoip", "hostname", "ip", "language", "method", "query", "user_agent")
    ASN_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    GEOIP_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    IP_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    asn: str
    body: _struct_pb2.Struct
    geoip: GeoIp
    hostname: str
    ip: str
    language: str
    method: str
    query: _struct_pb2.Struct
    user_agent: str
    def __init__(self, asn: _Optional[str] = ..., body: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., geoip: _Optional[_Union[GeoIp, _Mapping]] = ..., hostname: _Optional[str] = ..., ip: _Optional[str] = ..., language: _Optional[str] = ..., method: _Optional[str] = ..., query: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., user_agent: _Optional[str] = ...) -> None: ...

class ResourceServer(_message.Message):
    __slots__ = ("identifier",)
    IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    identifier: str
    def __init__(self, identifier: _Optional[str] = ...) -> None: ...

class SecurityContext(_message.Message):
    __slots__ = ("ja3", "ja4")
    JA3_FIELD_NUMBER: _ClassVar[int]
    JA4_FIELD_NUMBER: _ClassVar[int]
    ja3: str
    ja4: str
    def __init__(self, ja3: _Optional[str] = ..., ja4: _Optional[str] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("id", "actor", "authenticated_at", "created_at", "updated_at", "expires_at", "idle_expires_at", "last_interacted_at", "clients", "cookie", "device", "metadata", "session_transfer", "user_id")
    class SessionClients(_message.Message):
        __slots__ = ("values",)
        VALUES_FIELD_NUMBER: _ClassVar[int]
        values: _containers.RepeatedCompositeFieldContainer[Session.SessionClient]
        def __init__(self, values: _Optional[_Iterable[_Union[Session.SessionClient, _Mapping]]] = ...) -> None: ...
    class SessionClient(_message.Message):
        __slots__ = ("client_id",)
        CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
        client_id: str
        def __init__(self, client_id: _Optional[str] = ...) -> None: ...
    class Cookie(_message.Message):
        __slots__ = ("mode",)
        MODE_FIELD_NUMBER: _ClassVar[int]
        mode: str
        def __init__(self, mode: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    AUTHENTICATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    IDLE_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_INTERACTED_AT_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    COOKIE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SESSION_TRANSFER_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    actor: _struct_pb2.Struct
    authenticated_at: _timestamp_pb2.Timestamp
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    idle_expires_at: _timestamp_pb2.Timestamp
    last_interacted_at: _timestamp_pb2.Timestamp
    clients: Session.SessionClients
    cookie: Session.Cookie
    device: Device
    metadata: _struct_pb2.Struct
    session_transfer: SessionTransfer
    user_id: str
    def __init__(self, id: _Optional[str] = ..., actor: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., authenticated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., idle_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_interacted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., clients: _Optional[_Union[Session.SessionClients, _Mapping]] = ..., cookie: _Optional[_Union[Session.Cookie, _Mapping]] = ..., device: _Optional[_Union[Device, _Mapping]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., session_transfer: _Optional[_Union[SessionTransfer, _Mapping]] = ..., user_id: _Optional[str] = ...) -> None: ...

class SessionTransferToken(_message.Message):
    __slots__ = ("client_id", "scope", "request")
    class IssuingRequest(_message.Message):
        __slots__ = ("ip", "asn", "user_agent", "geoip")
        IP_FIELD_NUMBER: _ClassVar[int]
        ASN_FIELD_NUMBER: _ClassVar[int]
        USER_AGENT_FIELD_NUMBER: _ClassVar[int]
        GEOIP_FIELD_NUMBER: _ClassVar[int]
        ip: str
        asn: str
        user_agent: str
        geoip: GeoIp
        def __init__(self, ip: _Optional[str] = ..., asn: _Optional[str] = ..., user_agent: _Optional[str] = ..., geoip: _Optional[_Union[GeoIp, _Mapping]] = ...) -> None: ...
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    scope: _containers.RepeatedScalarFieldContainer[str]
    request: SessionTransferToken.IssuingRequest
    def __init__(self, client_id: _Optional[str] = ..., scope: _Optional[_Iterable[str]] = ..., request: _Optional[_Union[SessionTransferToken.IssuingRequest, _Mapping]] = ...) -> None: ...

class Stats(_message.Message):
    __slots__ = ("logins_count",)
    LOGINS_COUNT_FIELD_NUMBER: _ClassVar[int]
    logins_count: int
    def __init__(self, logins_count: _Optional[int] = ...) -> None: ...

class Tenant(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class Transaction(_message.Message):
    __slots__ = ("id", "acr_values", "actor", "actor_token_type", "subject_token_type", "correlation_id", "linking_id", "locale", "login_hint", "metadata", "prompt", "protocol", "redirect_uri", "requested_authorization_details", "requested_scopes", "response_mode", "response_type", "state", "ui_locales", "target_scopes", "attributes")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACR_VALUES_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTOR_TOKEN_TYPE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_TYPE_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    LINKING_ID_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    LOGIN_HINT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_URI_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AUTHORIZATION_DETAILS_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_SCOPES_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_MODE_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    UI_LOCALES_FIELD_NUMBER: _ClassVar[int]
    TARGET_SCOPES_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    id: str
    acr_values: StringList
    actor: _struct_pb2.Struct
    actor_token_type: str
    subject_token_type: str
    correlation_id: str
    linking_id: str
    locale: str
    login_hint: str
    metadata: _struct_pb2.Struct
    prompt: StringList
    protocol: str
    redirect_uri: str
    requested_authorization_details: ObjectList
    requested_scopes: StringList
    response_mode: str
    response_type: StringList
    state: str
    ui_locales: StringList
    target_scopes: StringList
    attributes: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., acr_values: _Optional[_Union[StringList, _Mapping]] = ..., actor: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., actor_token_type: _Optional[str] = ..., subject_token_type: _Optional[str] = ..., correlation_id: _Optional[str] = ..., linking_id: _Optional[str] = ..., locale: _Optional[str] = ..., login_hint: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., prompt: _Optional[_Union[StringList, _Mapping]] = ..., protocol: _Optional[str] = ..., redirect_uri: _Optional[str] = ..., requested_authorization_details: _Optional[_Union[ObjectList, _Mapping]] = ..., requested_scopes: _Optional[_Union[StringList, _Mapping]] = ..., response_mode: _Optional[str] = ..., response_type: _Optional[_Union[StringList, _Mapping]] = ..., state: _Optional[str] = ..., ui_locales: _Optional[_Union[StringList, _Mapping]] = ..., target_scopes: _Optional[_Union[StringList, _Mapping]] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class User(_message.Message):
    __slots__ = ("user_id", "app_metadata", "created_at", "email", "email_verified", "enrolled_factors", "family_name", "given_name", "identities", "last_password_reset", "multifactor", "name", "nickname", "phone_number", "phone_verified", "picture", "updated_at", "user_metadata", "username", "attributes")
    class EnrolledFactors(_message.Message):
        __slots__ = ("values",)
        VALUES_FIELD_NUMBER: _ClassVar[int]
        values: _containers.RepeatedCompositeFieldContainer[User.EnrolledFactor]
        def __init__(self, values: _Optional[_Iterable[_Union[User.EnrolledFactor, _Mapping]]] = ...) -> None: ...
    class EnrolledFactor(_message.Message):
        __slots__ = ("type", "options")
        TYPE_FIELD_NUMBER: _ClassVar[int]
        OPTIONS_FIELD_NUMBER: _ClassVar[int]
        type: str
        options: _struct_pb2.Struct
        def __init__(self, type: _Optional[str] = ..., options: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
    class Identity(_message.Message):
        __slots__ = ("connection", "is_social", "profile_data", "provider", "user_id")
        CONNECTION_FIELD_NUMBER: _ClassVar[int]
        IS_SOCIAL_FIELD_NUMBER: _ClassVar[int]
        PROFILE_DATA_FIELD_NUMBER: _ClassVar[int]
        PROVIDER_FIELD_NUMBER: _ClassVar[int]
        USER_ID_FIELD_NUMBER: _ClassVar[int]
        connection: str
        is_social: bool
        profile_data: _struct_pb2.Struct
        provider: str
        user_id: str
        def __init__(self, connection: _Optional[str] = ..., is_social: _Optional[bool] = ..., profile_data: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., provider: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    APP_METADATA_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    EMAIL_VERIFIED_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_FACTORS_FIELD_NUMBER: _ClassVar[int]
    FAMILY_NAME_FIELD_NUMBER: _ClassVar[int]
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    IDENTITIES_FIELD_NUMBER: _ClassVar[int]
    LAST_PASSWORD_RESET_FIELD_NUMBER: _ClassVar[int]
    MULTIFACTOR_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NICKNAME_FIELD_NUMBER: _ClassVar[int]
    PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PHONE_VERIFIED_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    USER_METADATA_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    app_metadata: _struct_pb2.Struct
    created_at: _timestamp_pb2.Timestamp
    email: str
    email_verified: bool
    enrolled_factors: User.EnrolledFactors
    family_name: str
    given_name: str
    identities: _containers.RepeatedCompositeFieldContainer[User.Identity]
    last_password_reset: _timestamp_pb2.Timestamp
    multifactor: StringList
    name: str
    nickname: str
    phone_number: str
    phone_verified: bool
    picture: str
    updated_at: _timestamp_pb2.Timestamp
    user_metadata: _struct_pb2.Struct
    username: str
    attributes: _struct_pb2.Struct
    def __init__(self, user_id: _Optional[str] = ..., app_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., email: _Optional[str] = ..., email_verified: _Optional[bool] = ..., enrolled_factors: _Optional[_Union[User.EnrolledFactors, _Mapping]] = ..., family_name: _Optional[str] = ..., given_name: _Optional[str] = ..., identities: _Optional[_Iterable[_Union[User.Identity, _Mapping]]] = ..., last_password_reset: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., multifactor: _Optional[_Union[StringList, _Mapping]] = ..., name: _Optional[str] = ..., nickname: _Optional[str] = ..., phone_number: _Optional[str] = ..., phone_verified: _Optional[bool] = ..., picture: _Optional[str] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., user_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., username: _Optional[str] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
