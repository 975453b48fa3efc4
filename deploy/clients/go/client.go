// Package vestibule asks Vestibule about a login and says what an identity gateway does with it, as one of eight steps.
package vestibule

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	pb "vestibule.example/client/vestibulev1"
)

const service = "/vestibule.v1.ActionRuntimeService/"

// Event is a login: Auth0's JSON of an event, or the contract's message. Exactly one.
type Event struct {
	Auth0   map[string]any
	Message *pb.PostLoginEvent
}

// Options of a client. The zero value is good.
type Options struct {
	// TLS calls with it, with a certificate of the gateway's own for mutual TLS. A target on another machine is called
	// with the system's authorities if it is nil.
	TLS *tls.Config
	// APIKey returns the present key; it is asked at each call.
	APIKey func() string
	// Insecure calls another machine in plain text.
	Insecure bool
	// Deadline is for one login with all its attempts; 5 s if 0.
	Deadline time.Duration
	Retries  Retries
	// Fallback is what happens to a login without an answer; Deny{} if nil.
	Fallback Fallback
	// View says how much of a decision is wanted; VIEW_BASIC if 0.
	View pb.View
}

// Client calls a daemon. It serves all goroutines; keep it as long as the process lives.
type Client struct {
	conn    *grpc.ClientConn
	options Options
}

// Login is one login to decide, or to continue.
type Login struct {
	Tenant string
	Event  Event
	// RequestID is the gateway's id of this login; one is made if it is empty.
	RequestID string
	Gateway   *pb.GatewayContext
}

// Decided is what the gateway does next, and why.
type Decided struct {
	Step NextStep
	// RequestID is in the daemon's log line, too.
	RequestID string
	// Decision is nil when there is no answer, or the request was refused: Err says why.
	Decision *pb.Decision
	Err      *Error
}

// New prepares to call the daemon at HOST:PORT or unix:/PATH.
func New(target string, options Options) (*Client, error) {
	if options.Deadline < 0 {
		return nil, errors.New("vestibule: Deadline is below 0")
	}
	if options.Deadline == 0 {
		options.Deadline = 5 * time.Second
	}
	if options.Fallback == nil {
		options.Fallback = Deny{}
	}
	if mfa, ok := options.Fallback.(RequireMfa); ok && len(mfa.Challenge)+len(mfa.Enroll) == 0 {
		return nil, errors.New("vestibule: RequireMfa needs a factor to challenge or to enrol")
	}
	if options.View == pb.View_VIEW_UNSPECIFIED {
		options.View = pb.View_VIEW_BASIC
	}
	options.Retries = options.Retries.filled()
	way, err := wayTo(target, options)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(way),
		grpc.WithDisableRetry(), // retries are made here, as the daemon asks for them
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, MaxDelay: time.Second},
			MinConnectTimeout: time.Second,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("vestibule: %w", err)
	}
	return &Client{conn, options}, nil
}

// Close closes the connection; calls in flight end.
func (c *Client) Close() error { return c.conn.Close() }

// Decide says what to do with a login; without an answer, what the fallback says. The error is of an event that JSON has
// no word for, or that is missing.
func (c *Client) Decide(ctx context.Context, login Login) (Decided, error) {
	request := &pb.ExecutePostLoginRequest{
		TenantId:  login.Tenant,
		RequestId: requestID(login.RequestID),
		Gateway:   login.Gateway,
		View:      c.options.View,
	}
	auth0, err := login.Event.auth0()
	if err != nil {
		return Decided{}, err
	}
	if auth0 != nil {
		request.Login = &pb.ExecutePostLoginRequest_Auth0Event{Auth0Event: auth0}
	} else {
		request.Login = &pb.ExecutePostLoginRequest_Event{Event: login.Event.Message}
	}
	response := new(pb.ExecutePostLoginResponse)
	if err := c.call(ctx, "ExecutePostLogin", request, response); err != nil {
		return c.undecided(asError(err), request.RequestId, func() NextStep { return c.options.Fallback.step(login.Event) }), nil
	}
	return decided(response.GetDecision(), response.GetRequestId()), nil
}

// Resume says what follows once the user did what a step with Resume asked for; completed has what satisfied each step,
// in order. Without an answer the login is refused.
func (c *Client) Resume(ctx context.Context, login Login, continuation []byte, completed ...pb.Factor) (Decided, error) {
	request := &pb.ContinuePostLoginRequest{
		TenantId:     login.Tenant,
		RequestId:    requestID(login.RequestID),
		Gateway:      login.Gateway,
		View:         c.options.View,
		Continuation: continuation,
		Completed:    completed,
	}
	auth0, err := login.Event.auth0()
	if err != nil {
		return Decided{}, err
	}
	if auth0 != nil {
		request.Login = &pb.ContinuePostLoginRequest_Auth0Event{Auth0Event: auth0}
	} else {
		request.Login = &pb.ContinuePostLoginRequest_Event{Event: login.Event.Message}
	}
	response := new(pb.ContinuePostLoginResponse)
	if err := c.call(ctx, "ContinuePostLogin", request, response); err != nil {
		return c.undecided(asError(err), request.RequestId, func() NextStep { return Deny{}.step(login.Event) }), nil
	}
	return decided(response.GetDecision(), response.GetRequestId()), nil
}

// GetTenant asks what a gateway may want to know of a tenant. The error is an *Error.
func (c *Client) GetTenant(ctx context.Context, tenant string) (*pb.GetTenantResponse, error) {
	response := new(pb.GetTenantResponse)
	if err := c.call(ctx, "GetTenant", &pb.GetTenantRequest{TenantId: tenant}, response); err != nil {
		return nil, err
	}
	return response, nil
}

func (c *Client) call(ctx context.Context, method string, request, response proto.Message) error {
	ctx, end := context.WithTimeout(ctx, c.options.Deadline)
	defer end()
	return attempted(ctx, c.options.Retries, func(ctx context.Context) error {
		if c.options.APIKey != nil {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(c.options.APIKey()))
		}
		return c.conn.Invoke(ctx, service+method, request, response)
	})
}

func (c *Client) undecided(err *Error, requestID string, fallback func() NextStep) Decided {
	found := Decided{RequestID: requestID, Err: err}
	switch {
	case err.NoAnswer():
		found.Step = fallback()
	case err.aboutTheContinuation():
		found.Step = refusal(beginAgain, "this login cannot be continued; begin again", nil)
	default:
		found.Step = refuseUnknown(nil)
	}
	return found
}

func decided(decision *pb.Decision, requestID string) Decided {
	return Decided{Step: NextStepOf(decision), RequestID: requestID, Decision: decision}
}

func (e Event) auth0() (*structpb.Struct, error) {
	if (e.Auth0 == nil) == (e.Message == nil) {
		return nil, errors.New("vestibule: Event has to have Auth0 or Message, and not both")
	}
	if e.Auth0 == nil {
		return nil, nil
	}
	found, err := structpb.NewStruct(e.Auth0)
	if err != nil {
		return nil, fmt.Errorf("vestibule: Event.Auth0 holds what JSON has no word for: %w", err)
	}
	return found, nil
}

func requestID(given string) string {
	if given != "" {
		return given
	}
	return rand.Text()
}

// wayTo returns TLS unless the target is on this machine.
func wayTo(target string, options Options) (credentials.TransportCredentials, error) {
	switch {
	case target == "":
		return nil, errors.New("vestibule: the target is empty; give HOST:PORT or unix:/PATH")
	case options.Insecure && options.TLS != nil:
		return nil, errors.New("vestibule: Insecure contradicts TLS; give one of them")
	case options.Insecure || options.TLS == nil && isLocal(target):
		return insecure.NewCredentials(), nil
	case options.TLS == nil:
		return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}), nil
	default:
		return credentials.NewTLS(options.TLS), nil
	}
}

// isLocal says that a target is a unix socket or a loopback address, which no network can listen to.
func isLocal(target string) bool {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return true
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
