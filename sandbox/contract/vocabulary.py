"""Words that the calls of `api` and the decision have in common. Imports nothing, so the pure core may import it."""

PROVIDERS = ("any", "guardian", "google-authenticator", "duo", "none")
"""Who verifies a factor that `api.multifactor.enable` asks for."""

FACTOR_TYPES = (
    "otp",
    "recovery-code",
    "email",
    "push-notification",
    "phone",
    "webauthn-roaming",
    "webauthn-platform",
)
"""What a challenge or an enrolment may name. Source: the post-login reference, section 2.3."""
NOT_ENROLABLE = frozenset({"email"})
"""No enrolment of email exists: a verified address is one."""

SAML_MEMBERS = (
    "audience",
    "recipient",
    "destination",
    "create_upn_claim",
    "passthrough_claims_with_no_mapping",
    "map_unknown_claims_as_is",
    "map_identities",
    "signature_algorithm",
    "digest_algorithm",
    "encryption_algorithm",
    "lifetime_in_seconds",
    "sign_response",
    "name_identifier_format",
    "name_identifier_probes",
    "authn_context_class_ref",
    "signing_cert",
    "include_attribute_name_format",
    "typed_attributes",
    "encryption_cert",
    "encryption_public_key",
    "cert",
    "key",
    "relay_state",
    "issuer",
)
"""What an action can set of a SAML response, beside its attributes."""
