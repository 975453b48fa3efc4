package vestibule

import (
	"time"

	pb "vestibule.example/client/vestibulev1"
)

// NextStep is what a gateway does next: one of IssueTokens, ShowFactors, AnswerMfaRequired, Refuse, ShowSteps,
// AnswerMfaRequiredWithSteps, RedirectUser and ShowForm. Switch on its type, and refuse the login in the default case.
type NextStep interface{ nextStep() }

// Effects are what a gateway writes. A nil message has none.
type Effects struct {
	// OnAnyOutcome is written at once, whatever follows.
	OnAnyOutcome *pb.EffectsOnAnyOutcome
	// OnSuccess is written when tokens are issued, and only then: after the factor if one is required.
	OnSuccess *pb.EffectsOnSuccess
}

// Requirement is a second factor that is required: what to show, and what a passed challenge leads to.
type Requirement struct {
	// Challenge has factors to present one of, safest first. This or Enroll has at least one.
	Challenge []pb.Factor
	// Enroll has factors to enrol one of, safest first. Beside a challenge: for a user who is enrolled in nothing.
	Enroll                  []pb.Factor
	Choice                  bool
	VerifyEmailFirst        bool
	RecoveryCodeAllowed     bool
	Provider                pb.Provider
	ProviderOptions         *pb.ProviderOptions
	Remember                pb.Multifactor_RememberMode
	Memory                  *pb.BrowserMemory
	ForgetRememberedBrowser bool
	RecordsAmr              bool
}

// Resume is what Client.Resume needs, to be kept with the transaction.
type Resume struct {
	Continuation []byte
	ExpiresAt    time.Time
	Action       string
}

// Option is one factor of a step.
type Option struct {
	Factor          pb.Factor
	PreferredMethod pb.PhoneMethod
	OtpFallback     bool
}

// MfaStep is passed by any one of its factors.
type MfaStep struct {
	// Enroll says that the factor is enrolled; otherwise it is presented.
	Enroll  bool
	Factors []Option
	Choice  bool
	// Ignored has what does not count; log each as a warning.
	Ignored []*pb.IgnoredFactor
}

// IssueTokens applies both kinds of effects and issues tokens.
type IssueTokens struct {
	Effects
	// Renew is set when the remembered browser satisfied the requirement: renew what is remembered.
	Renew *pb.BrowserMemory
}

// ShowFactors applies OnAnyOutcome and shows the pages. Once the user passed, it applies OnSuccess and issues tokens.
// Nothing is sent back to the daemon.
type ShowFactors struct {
	Effects
	Mfa Requirement
}

// AnswerMfaRequired is ShowFactors without pages: answer OAuth with a token for the MFA API.
type AnswerMfaRequired struct {
	Effects
	Mfa   Requirement
	OAuth OAuthError
}

// Refuse applies OnAnyOutcome and refuses the login.
type Refuse struct {
	OAuth       OAuthError
	Description string
	Reason      pb.Denial_Reason
	// ValidationCode is the code that an action chose, for the page that the user sees.
	ValidationCode string
	OnAnyOutcome   *pb.EffectsOnAnyOutcome
}

// ShowSteps applies nothing yet. The user passes each step in order; then Resume with what satisfied each.
type ShowSteps struct {
	Steps               []MfaStep
	HideRememberBrowser bool
	VerifyEmailFirst    bool
	Resume              Resume
}

// AnswerMfaRequiredWithSteps is ShowSteps without pages: answer OAuth with the steps; Resume once they are done.
type AnswerMfaRequiredWithSteps struct {
	Steps            []MfaStep
	VerifyEmailFirst bool
	Resume           Resume
	OAuth            OAuthError
}

// RedirectUser applies nothing yet. Send the user to URL with a state of yours; Resume with the request that came back.
type RedirectUser struct {
	URL    string
	Resume Resume
}

// ShowForm applies nothing yet. Show the form; Resume with what was filled in.
type ShowForm struct {
	ID           string
	Fields, Vars map[string]any
	Resume       Resume
}

func (IssueTokens) nextStep()                {}
func (ShowFactors) nextStep()                {}
func (AnswerMfaRequired) nextStep()          {}
func (Refuse) nextStep()                     {}
func (ShowSteps) nextStep()                  {}
func (AnswerMfaRequiredWithSteps) nextStep() {}
func (RedirectUser) nextStep()               {}
func (ShowForm) nextStep()                   {}

// NextStepOf says what the gateway does with a decision. What is not understood is refused; so is nil.
func NextStepOf(decision *pb.Decision) NextStep {
	switch decision.GetOutcome() {
	case pb.Outcome_OUTCOME_ALLOW:
		step := IssueTokens{Effects: effects(decision)}
		if mfa := decision.GetMultifactor(); mfa.GetStatus() == pb.Multifactor_STATUS_REMEMBERED {
			step.Renew = mfa.GetMemory()
		}
		return step
	case pb.Outcome_OUTCOME_MFA_REQUIRED, pb.Outcome_OUTCOME_MFA_REQUIRED_BY_TOKEN:
		return required(decision)
	case pb.Outcome_OUTCOME_SUSPEND, pb.Outcome_OUTCOME_SUSPEND_BY_TOKEN:
		return suspended(decision)
	case pb.Outcome_OUTCOME_DENY:
		denial := decision.GetDenial()
		step := refusal(denialError(denial.GetReason()), denial.GetDescription(), decision)
		step.Reason, step.ValidationCode = denial.GetReason(), denial.GetValidationCode()
		return step
	default:
		return refuseUnknown(decision)
	}
}

func refusal(oauth OAuthError, description string, decision *pb.Decision) Refuse {
	return Refuse{OAuth: oauth, Description: description, OnAnyOutcome: decision.GetOnAnyOutcome()}
}

func refuseUnknown(decision *pb.Decision) Refuse {
	return refusal(notUnderstood, "the login could not be decided", decision)
}

func effects(decision *pb.Decision) Effects {
	return Effects{OnAnyOutcome: decision.GetOnAnyOutcome(), OnSuccess: decision.GetOnSuccess()}
}

func required(decision *pb.Decision) NextStep {
	said := decision.GetMultifactor()
	mfa := Requirement{
		Challenge:               known(said.GetChallenge()),
		Enroll:                  known(said.GetEnroll()),
		Choice:                  said.GetChoice(),
		VerifyEmailFirst:        said.GetVerifyEmailFirst(),
		RecoveryCodeAllowed:     said.GetRecoveryCodeAllowed(),
		Provider:                said.GetProvider(),
		ProviderOptions:         said.GetProviderOptions(),
		Remember:                said.GetRemember(),
		Memory:                  said.GetMemory(),
		ForgetRememberedBrowser: said.GetForgetRememberedBrowser(),
		RecordsAmr:              said.GetRecordsAmr(),
	}
	if len(mfa.Challenge)+len(mfa.Enroll) == 0 || !verifies(mfa.Provider) {
		return refuseUnknown(decision)
	}
	if decision.GetOutcome() == pb.Outcome_OUTCOME_MFA_REQUIRED {
		return ShowFactors{Effects: effects(decision), Mfa: mfa}
	}
	return AnswerMfaRequired{Effects: effects(decision), Mfa: mfa, OAuth: mfaRequired}
}

func suspended(decision *pb.Decision) NextStep {
	said := decision.GetSuspension()
	if len(said.GetContinuation()) == 0 {
		return refuseUnknown(decision)
	}
	resume := Resume{said.GetContinuation(), said.GetExpiresAt().AsTime(), said.GetAction()}
	byToken := decision.GetOutcome() == pb.Outcome_OUTCOME_SUSPEND_BY_TOKEN
	if mfa := said.GetMfa(); mfa != nil {
		steps := mfaSteps(mfa.GetSteps())
		switch {
		case len(steps) == 0:
			return refuseUnknown(decision)
		case byToken:
			return AnswerMfaRequiredWithSteps{steps, mfa.GetVerifyEmailFirst(), resume, mfaRequired}
		default:
			return ShowSteps{steps, mfa.GetHideRememberBrowser(), mfa.GetVerifyEmailFirst(), resume}
		}
	}
	if redirect := said.GetRedirect(); redirect != nil && !byToken {
		return RedirectUser{redirect.GetUrl(), resume}
	}
	if form := said.GetPrompt(); form != nil && !byToken {
		return ShowForm{form.GetId(), form.GetFields().AsMap(), form.GetVars().AsMap(), resume}
	}
	return refuseUnknown(decision)
}

// mfaSteps reads all steps; none if there is one that this gateway cannot show.
func mfaSteps(said []*pb.MfaSteps_MfaStep) []MfaStep {
	var steps []MfaStep
	for _, each := range said {
		step := MfaStep{Choice: each.GetChoice(), Ignored: each.GetIgnored()}
		switch each.GetKind() {
		case pb.MfaSteps_KIND_CHALLENGE:
		case pb.MfaSteps_KIND_ENROLL:
			step.Enroll = true
		default:
			return nil
		}
		for _, option := range each.GetFactors() {
			if isKnown(option.GetFactor()) {
				fallback := option.OtpFallback == nil || *option.OtpFallback
				step.Factors = append(step.Factors, Option{option.GetFactor(), option.GetPreferredMethod(), fallback})
			}
		}
		if len(step.Factors) == 0 {
			return nil
		}
		steps = append(steps, step)
	}
	return steps
}

// known leaves out what a later version may name, which no page of this gateway can show.
func known(factors []pb.Factor) []pb.Factor {
	var found []pb.Factor
	for _, factor := range factors {
		if isKnown(factor) {
			found = append(found, factor)
		}
	}
	return found
}

func isKnown(factor pb.Factor) bool {
	_, named := pb.Factor_name[int32(factor)]
	return named && factor != pb.Factor_FACTOR_UNSPECIFIED
}

func verifies(provider pb.Provider) bool {
	_, named := pb.Provider_name[int32(provider)]
	return named && provider != pb.Provider_PROVIDER_UNSPECIFIED && provider != pb.Provider_PROVIDER_NONE
}
