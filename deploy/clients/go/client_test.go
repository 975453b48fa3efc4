package vestibule

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "vestibule.example/client/vestibulev1"
)

func failed(code codes.Code, delay time.Duration) error {
	said := status.New(code, "as the test says")
	if delay > 0 {
		said, _ = said.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	}
	return said.Err()
}

// A call is made again after the delay that the daemon names or after one that doubles, and not when that cannot help.
func TestAttempts(t *testing.T) {
	slow := errors.New("slow")
	for name, test := range map[string]struct {
		heard    []error
		retries  Retries
		attempts int
		least    time.Duration
		most     time.Duration
		noAnswer bool
		refused  bool
	}{
		"answered":            {heard: []error{nil}, attempts: 1},
		"a named delay":       {heard: []error{failed(codes.ResourceExhausted, 300*time.Millisecond), nil}, attempts: 2, least: 300 * time.Millisecond, most: 300 * time.Millisecond},
		"broken":              {heard: slices.Repeat([]error{failed(codes.Unavailable, 0)}, 4), attempts: 4, least: 175 * time.Millisecond, most: 350 * time.Millisecond, noAnswer: true},
		"too large":           {heard: []error{failed(codes.ResourceExhausted, 0)}, attempts: 1, noAnswer: true},
		"beyond the deadline": {heard: []error{failed(codes.Unavailable, 9*time.Second)}, attempts: 1, noAnswer: true},
		"at fault":            {heard: []error{failed(codes.Internal, 0)}, attempts: 1, noAnswer: true},
		"wrong":               {heard: []error{failed(codes.InvalidArgument, time.Second)}, attempts: 1, refused: true},
		"slow":                {heard: []error{slow}, attempts: 1, least: 5 * time.Second, most: 5 * time.Second, noAnswer: true},
		"slow replicas":       {heard: []error{slow, slow, nil}, retries: Retries{Attempt: 2 * time.Second}, attempts: 3, least: 4 * time.Second, most: 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithTimeout(context.Background(), 5*time.Second)
				defer end()
				began, made := time.Now(), 0
				err := attempted(ctx, test.retries.filled(), func(ctx context.Context) error {
					heard := test.heard[made]
					made++
					if heard == slow {
						<-ctx.Done()
						return failed(codes.DeadlineExceeded, 0)
					}
					return heard
				})
				if took := time.Since(began); made != test.attempts || took < test.least || took > test.most {
					t.Errorf("%d attempts in %v", made, took)
				}
				if (err != nil) != (test.noAnswer || test.refused) {
					t.Fatalf("ended with %v", err)
				}
				if err != nil && (asError(err).NoAnswer() != test.noAnswer || asError(err).Attempts != made) {
					t.Errorf("ended with %v after %d", err, asError(err).Attempts)
				}
			})
		})
	}
}

// A login without an answer is refused, unless the gateway chose otherwise; one without pages is shown none.
func TestFallback(t *testing.T) {
	otp := RequireMfa{Challenge: []pb.Factor{pb.Factor_FACTOR_OTP}}
	browser := Event{Auth0: map[string]any{"transaction": map[string]any{"protocol": "oidc-basic-profile"}}}
	password := Event{Message: &pb.PostLoginEvent{Transaction: &pb.Transaction{Protocol: ptr("oauth2-password")}}}
	silent := Event{Auth0: map[string]any{"request": map[string]any{"query": map[string]any{"prompt": "login none"}}}}
	if step, ok := (Deny{}).step(browser).(Refuse); !ok || step.OAuth != noAnswer {
		t.Errorf("denied: %v", step)
	}
	if _, ok := (AllowWithoutDecision{}).step(browser).(IssueTokens); !ok {
		t.Error("not allowed")
	}
	if step, ok := otp.step(browser).(ShowFactors); !ok || !slices.Equal(step.Mfa.Challenge, otp.Challenge) {
		t.Errorf("not shown: %v", step)
	}
	if _, ok := otp.step(password).(AnswerMfaRequired); !ok {
		t.Error("pages for a login that has none")
	}
	if step, ok := otp.step(silent).(Refuse); !ok || step.OAuth != noPages {
		t.Errorf("pages for a silent login: %v", step)
	}
}

// A refused request is refused whatever the fallback is.
func TestRefusedRequests(t *testing.T) {
	client := &Client{options: Options{Fallback: AllowWithoutDecision{}}}
	allow := func() NextStep { return AllowWithoutDecision{}.step(Event{}) }
	for code, want := range map[codes.Code]OAuthError{
		codes.InvalidArgument: notUnderstood, codes.NotFound: notUnderstood, codes.Unauthenticated: notUnderstood,
	} {
		if step, ok := client.undecided(&Error{Code: code}, "r", allow).Step.(Refuse); !ok || step.OAuth != want {
			t.Errorf("%v: %v", code, step)
		}
	}
	used := &Error{Code: codes.FailedPrecondition, Reason: "CONTINUATION_USED"}
	if step, ok := client.undecided(used, "r", allow).Step.(Refuse); !ok || step.OAuth != beginAgain {
		t.Errorf("a used continuation: %v", step)
	}
}

// Another machine is called with TLS, unless the gateway says otherwise; contradictions are named.
func TestWay(t *testing.T) {
	for target, want := range map[string]string{
		"127.0.0.1:50051": "insecure", "[::1]:1": "insecure", "localhost:1": "insecure", "unix:/run/v.sock": "insecure",
		"vestibule.example:443": "tls", "192.0.2.1:50051": "tls", "localhost.example:1": "tls",
	} {
		way, err := wayTo(target, Options{})
		if err != nil || way.Info().SecurityProtocol != want {
			t.Errorf("%s: %v, %v", target, way, err)
		}
	}
	for _, options := range []Options{
		{Deadline: -1}, {Fallback: RequireMfa{}},
	} {
		if _, err := New("127.0.0.1:1", options); err == nil {
			t.Errorf("%+v is taken", options)
		}
	}
	if _, err := New("", Options{}); err == nil {
		t.Error("an empty target is taken")
	}
	if _, err := (Event{}).auth0(); err == nil {
		t.Error("an empty event is taken")
	}
}

func ptr[T any](value T) *T { return &value }
