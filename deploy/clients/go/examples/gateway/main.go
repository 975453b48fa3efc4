// A small gateway, as the conformance kit drives it: vestibule-gateway-test -- go run ./examples/gateway. What a real
// gateway stores, shows and answers, this one writes down: one line for each line that it reads.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	vestibule "vestibule.example/client"
	pb "vestibule.example/client/vestibulev1"
)

type did = map[string]any

// user is what the user did.
type user struct {
	Failed        bool     `json:"failed"`
	VerifiedEmail bool     `json:"verified_email"`
	Passed        []string `json:"passed"`
	Remember      bool     `json:"remember"`
	Returned      struct {
		State string         `json:"state"`
		Query map[string]any `json:"query"`
	} `json:"returned"`
	Filled map[string]any `json:"filled"`
}

// login is one login: what Vestibule was asked, and what is waited for.
type login struct {
	client  *vestibule.Client
	asked   vestibule.Login
	waiting vestibule.NextStep
	state   string
	passed  []pb.Factor
	// presented says that a step that an action asked for was passed on a page.
	presented bool
}

func (l *login) begin() []did {
	return l.follow(l.client.Decide(context.Background(), l.asked))
}

func (l *login) resume(resume vestibule.Resume, members did) []did {
	asked := l.asked
	asked.Event.Auth0 = maps.Clone(asked.Event.Auth0)
	maps.Copy(asked.Event.Auth0, members)
	return l.follow(l.client.Resume(context.Background(), asked, resume.Continuation, l.passed...))
}

// follow does the next step, up to where the user is needed.
func (l *login) follow(decided vestibule.Decided, err error) []did {
	l.waiting, l.passed = nil, nil
	if err != nil {
		return refused("server_error", 500)
	}
	switch step := decided.Step.(type) {
	case vestibule.IssueTokens:
		found := append(written(step.OnAnyOutcome), remembered(step.Renew, nil)...)
		return append(found, tokens(step.OnSuccess, l.presented)...)
	case vestibule.ShowFactors:
		l.waiting = step
		if step.Mfa.VerifyEmailFirst {
			return append(written(step.OnAnyOutcome), did{"show": "verify_email"})
		}
		return append(written(step.OnAnyOutcome), factors(step.Mfa)...)
	case vestibule.AnswerMfaRequired:
		l.waiting = step
		asked := did{"challenge": names(step.Mfa.Challenge), "enroll": names(step.Mfa.Enroll)}
		return append(written(step.OnAnyOutcome), mfaRequired(step.OAuth, asked))
	case vestibule.ShowSteps:
		l.waiting = step
		if step.VerifyEmailFirst {
			return []did{{"show": "verify_email"}}
		}
		return shown(step, 0)
	case vestibule.AnswerMfaRequiredWithSteps:
		l.waiting = step
		var steps []did
		for _, each := range step.Steps {
			steps = append(steps, did{kind(each): offered(each)})
		}
		return []did{mfaRequired(step.OAuth, did{"steps": steps})}
	case vestibule.RedirectUser:
		l.waiting, l.state = step, rand.Text()
		return []did{{"show": "redirect", "url": withState(step.URL, l.state)}}
	case vestibule.ShowForm:
		l.waiting = step
		return []did{{"show": "form", "id": step.ID, "fields": step.Fields, "vars": step.Vars}}
	case vestibule.Refuse:
		answer := did{"answer": "error", "error": step.OAuth.Error, "status": step.OAuth.Status}
		answer["description"], answer["validation_code"] = step.Description, step.ValidationCode
		return append(written(step.OnAnyOutcome), answer)
	default:
		return refused("server_error", 500)
	}
}

// user does what follows from what the user did.
func (l *login) user(what user) []did {
	if what.Failed {
		l.waiting = nil
		return refused("access_denied", 403)
	}
	switch step := l.waiting.(type) {
	case vestibule.ShowFactors:
		if what.VerifiedEmail {
			return factors(step.Mfa)
		}
		var memory *pb.BrowserMemory
		ticked := step.Mfa.Remember == pb.Multifactor_REMEMBER_MODE_CHECKBOX && what.Remember
		if ticked || step.Mfa.Remember == pb.Multifactor_REMEMBER_MODE_AUTOMATIC {
			memory = step.Mfa.Memory
		}
		email := len(what.Passed) == 1 && what.Passed[0] == pb.Factor_FACTOR_EMAIL.String()
		verified := did{"provider": step.Mfa.Provider.String(), "email_only": email}
		return append(remembered(memory, verified), tokens(step.OnSuccess, step.Mfa.RecordsAmr)...)
	case vestibule.AnswerMfaRequired:
		return tokens(step.OnSuccess, false)
	case vestibule.ShowSteps:
		if what.VerifiedEmail {
			return shown(step, 0)
		}
		l.pass(what.Passed)
		if len(l.passed) < len(step.Steps) {
			return shown(step, len(l.passed))
		}
		l.presented = true
		return l.resume(step.Resume, nil)
	case vestibule.AnswerMfaRequiredWithSteps:
		l.pass(what.Passed)
		return l.resume(step.Resume, nil)
	case vestibule.RedirectUser:
		if subtle.ConstantTimeCompare([]byte(what.Returned.State), []byte(l.state)) == 0 {
			return refused("invalid_request", 400)
		}
		request, _ := l.asked.Event.Auth0["request"].(did)
		request = maps.Clone(request)
		request["query"] = what.Returned.Query
		return l.resume(step.Resume, did{"request": request})
	case vestibule.ShowForm:
		prompt := maps.Clone(what.Filled)
		prompt["id"] = step.ID
		return l.resume(step.Resume, did{"prompt": prompt})
	default:
		return nil
	}
}

func (l *login) pass(factors []string) {
	for _, name := range factors {
		l.passed = append(l.passed, pb.Factor(pb.Factor_value[name]))
	}
}

// written writes what is written whatever follows.
func written(effects *pb.EffectsOnAnyOutcome) []did {
	var found []did
	for _, group := range []struct {
		name    string
		members *structpb.Struct
	}{
		{"user_metadata", effects.GetUserMetadata()},
		{"app_metadata", effects.GetAppMetadata()},
		{"transaction_metadata", effects.GetTransactionMetadata()},
	} {
		found = append(found, did{"write": group.name, "members": group.members.AsMap()})
	}
	if effects.GetSession() != nil {
		found = append(found, did{"write": "session", "members": plain(effects.GetSession())})
	}
	if effects.GetRefreshToken() != nil {
		found = append(found, did{"write": "refresh_token", "members": plain(effects.GetRefreshToken())})
	}
	return found
}

// plain returns the members that a message has, by their names in the proto.
func plain(message proto.Message) json.RawMessage {
	return must(protojson.MarshalOptions{UseProtoNames: true}.Marshal(message))
}

// remembered remembers the browser, or renews that: then who verified the factor stays as it is.
func remembered(memory *pb.BrowserMemory, verified did) []did {
	if memory == nil {
		return nil
	}
	found := did{"remember": "browser", "lifetime_s": memory.GetLifetime().GetSeconds()}
	found["idle_lifetime_s"] = memory.GetIdleLifetime().GetSeconds()
	maps.Copy(found, verified)
	return []did{found}
}

// factors shows the pages of a required factor.
func factors(mfa vestibule.Requirement) []did {
	var found []did
	if mfa.ForgetRememberedBrowser {
		found = append(found, did{"forget": "browsers"})
	}
	page := did{
		"show":                  "factors",
		"provider":              mfa.Provider.String(),
		"challenge":             names(mfa.Challenge),
		"enroll":                names(mfa.Enroll),
		"choice":                mfa.Choice,
		"recovery_code_allowed": mfa.RecoveryCodeAllowed,
		"remember":              mfa.Remember.String(),
	}
	if mfa.ProviderOptions != nil {
		page["provider_options"] = plain(mfa.ProviderOptions)
	}
	return append(found, page)
}

// shown shows one of the steps that an action asked for.
func shown(step vestibule.ShowSteps, number int) []did {
	this := step.Steps[number]
	page := did{"show": kind(this), "factors": offered(this), "choice": this.Choice, "otp_fallback": true}
	page["hide_remember_browser"] = step.HideRememberBrowser
	for _, option := range this.Factors {
		if option.PreferredMethod != pb.PhoneMethod_PHONE_METHOD_UNSPECIFIED {
			page["preferred_method"] = option.PreferredMethod.String()
		}
		if !option.OtpFallback {
			page["otp_fallback"] = false
		}
	}
	return []did{page}
}

// tokens applies what is applied on success, and issues tokens.
func tokens(effects *pb.EffectsOnSuccess, amr bool) []did {
	answer := did{
		"answer":              "tokens",
		"id_token_claims":     effects.GetIdTokenClaims().AsMap(),
		"access_token_claims": effects.GetAccessTokenClaims().AsMap(),
		"scopes_added":        effects.GetScopesAdded(),
		"scopes_removed":      effects.GetScopesRemoved(),
	}
	if amr {
		answer["amr"] = []string{"mfa"}
	}
	return []did{
		{"write": "recorded_methods", "members": effects.GetRecordedMethods()},
		{"write": "primary_user_id", "members": effects.GetPrimaryUserId()},
		answer,
	}
}

func mfaRequired(oauth vestibule.OAuthError, asked did) did {
	asked["answer"], asked["status"] = oauth.Error, oauth.Status
	return asked
}

func refused(name string, status int) []did {
	return []did{{"answer": "error", "error": name, "status": status}}
}

// withState appends the state to the query of a page's address.
func withState(address, state string) string {
	parsed := must(url.Parse(address))
	if parsed.RawQuery != "" {
		parsed.RawQuery += "&"
	}
	parsed.RawQuery += "state=" + state
	return parsed.String()
}

func kind(step vestibule.MfaStep) string {
	if step.Enroll {
		return "enroll"
	}
	return "challenge"
}

func offered(step vestibule.MfaStep) []string {
	var found []string
	for _, option := range step.Factors {
		found = append(found, option.Factor.String())
	}
	return found
}

func names(factors []pb.Factor) []string {
	found := []string{}
	for _, factor := range factors {
		found = append(found, factor.String())
	}
	return found
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	seconds := must(strconv.ParseFloat(os.Getenv("VESTIBULE_DEADLINE_S"), 64))
	options := vestibule.Options{Deadline: time.Duration(seconds * float64(time.Second))}
	client := must(vestibule.New(os.Getenv("VESTIBULE_TARGET"), options))
	defer client.Close()
	var current *login
	lines, answers := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var said struct {
			Login *struct {
				TenantID string         `json:"tenant_id"`
				Event    map[string]any `json:"event"`
			} `json:"login"`
			User user `json:"user"`
		}
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			panic(err)
		}
		var found []did
		if said.Login != nil {
			asked := vestibule.Login{Tenant: said.Login.TenantID, Event: vestibule.Event{Auth0: said.Login.Event}}
			current = &login{client: client, asked: asked}
			found = current.begin()
		} else {
			found = current.user(said.User)
		}
		if found == nil {
			found = []did{}
		}
		if err := answers.Encode(did{"did": found}); err != nil {
			panic(err)
		}
	}
}
