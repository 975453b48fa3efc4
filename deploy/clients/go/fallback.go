package vestibule

import (
	"slices"
	"strings"

	pb "vestibule.example/client/vestibulev1"
)

// Fallback is what happens to a login without an answer: Deny{}, RequireMfa{...} or AllowWithoutDecision{}. A request
// that the daemon refuses is always refused.
type Fallback interface {
	step(Event) NextStep
}

// Deny refuses the login: the user tries again later. It is the default.
type Deny struct{}

// RequireMfa requires one of these factors of every user. Name factors that every user has, or can be sent.
type RequireMfa struct{ Challenge, Enroll []pb.Factor }

// AllowWithoutDecision issues tokens as if no action had an opinion. Anyone who can keep the daemon from answering gets
// past it.
type AllowWithoutDecision struct{}

const unavailable = "the login cannot be decided at the moment; try again later"

var backChannel = []string{
	"oauth2-password",
	"oauth2-resource-owner",
	"oauth2-resource-owner-jwt-bearer",
	"oauth2-refresh-token",
	"oauth2-access-token",
	"oauth2-token-exchange",
	"oauth2-webauthn",
	"wstrust-usernamemixed",
	"oidc-ciba",
	"oidc-ciba-web-link",
}

func (Deny) step(Event) NextStep                 { return refusal(noAnswer, unavailable, nil) }
func (AllowWithoutDecision) step(Event) NextStep { return IssueTokens{} }

func (f RequireMfa) step(event Event) NextStep {
	mfa := Requirement{
		Challenge: f.Challenge,
		Enroll:    f.Enroll,
		Provider:  pb.Provider_PROVIDER_ANY,
		Remember:  pb.Multifactor_REMEMBER_MODE_NONE,
	}
	protocol, prompts := event.transaction()
	switch {
	case slices.Contains(backChannel, protocol):
		return AnswerMfaRequired{Mfa: mfa, OAuth: mfaRequired}
	case slices.Contains(prompts, "none"):
		return refusal(noPages, unavailable, nil)
	default:
		return ShowFactors{Mfa: mfa}
	}
}

// transaction returns the protocol, and the values of OIDC's prompt.
func (e Event) transaction() (string, []string) {
	if e.Message != nil {
		prompts := e.Message.GetTransaction().GetPrompt().GetValues()
		query := e.Message.GetRequest().GetQuery().AsMap()
		return e.Message.GetTransaction().GetProtocol(), append(slices.Clone(prompts), words(query["prompt"])...)
	}
	transaction, request := object(e.Auth0["transaction"]), object(e.Auth0["request"])
	protocol, _ := transaction["protocol"].(string)
	return protocol, append(words(transaction["prompt"]), words(object(request["query"])["prompt"])...)
}

func object(value any) map[string]any {
	found, _ := value.(map[string]any)
	return found
}

func words(value any) []string {
	var found []string
	switch value := value.(type) {
	case string:
		found = strings.Fields(value)
	case []string:
		found = slices.Clone(value)
	case []any:
		for _, each := range value {
			if word, ok := each.(string); ok {
				found = append(found, word)
			}
		}
	}
	return found
}
