package vestibule

import pb "vestibule.example/client/vestibulev1"

// OAuthError is the OAuth error of a refusal, and its HTTP status.
type OAuthError struct {
	Error  string
	Status int
}

var (
	mfaRequired   = OAuthError{"mfa_required", 403}
	noAnswer      = OAuthError{"temporarily_unavailable", 503}
	notUnderstood = OAuthError{"server_error", 500}
	beginAgain    = OAuthError{"invalid_request", 400}
	noPages       = OAuthError{"interaction_required", 403}
)

// denialError returns the OAuth error of a denial; one of a later version is access_denied, too.
func denialError(reason pb.Denial_Reason) OAuthError {
	switch reason {
	case pb.Denial_REASON_REFRESH_TOKEN_REVOKED:
		return OAuthError{"invalid_grant", 400}
	case pb.Denial_REASON_INTERACTION_REQUIRED:
		return noPages
	case pb.Denial_REASON_MFA_GRANT_NOT_ALLOWED:
		return OAuthError{"unauthorized_client", 400}
	case pb.Denial_REASON_TOKEN_EXCHANGE_NOT_SUPPORTED:
		return OAuthError{"invalid_request", 400}
	default:
		return OAuthError{"access_denied", 403}
	}
}
