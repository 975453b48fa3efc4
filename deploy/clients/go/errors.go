package vestibule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error says why there is no decision.
type Error struct {
	Code    codes.Code
	Message string
	// Reason is the stable word of the daemon's ErrorInfo; empty when gRPC itself failed.
	Reason string
	Facts  map[string]string
	// Fields says what is wrong with which field of the request.
	Fields map[string]string
	// RetryAfter is what the daemon asks for; nil when it asks for nothing.
	RetryAfter *time.Duration
	Attempts   int
}

func (e *Error) Error() string {
	text := fmt.Sprintf("vestibule: %s %s: %s", e.Code, e.Reason, e.Message)
	for field, fault := range e.Fields {
		if told := field + ": " + fault; !strings.Contains(e.Message, told) {
			text += "; " + told
		}
	}
	return text
}

// NoAnswer says that the daemon gave no answer in time; otherwise it refuses the request.
func (e *Error) NoAnswer() bool {
	switch e.Code {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Internal, codes.Unknown,
		codes.Canceled, codes.Aborted, codes.DataLoss:
		return true
	default:
		return false
	}
}

// aboutTheContinuation says that a suspended login cannot be continued; it is to begin again.
func (e *Error) aboutTheContinuation() bool {
	return strings.HasPrefix(e.Reason, "CONTINUATION_") || e.Reason == "FLOW_GONE"
}

func errorOf(err error) *Error {
	said := status.Convert(err)
	found := &Error{Code: said.Code(), Message: said.Message(), Fields: map[string]string{}}
	for _, detail := range said.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			found.Reason, found.Facts = detail.GetReason(), detail.GetMetadata()
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				found.Fields[violation.GetField()] = violation.GetDescription()
			}
		case *errdetails.RetryInfo:
			delay := max(0, detail.GetRetryDelay().AsDuration())
			found.RetryAfter = &delay
		}
	}
	return found
}

// asError returns err as the *Error that it is, or as one without an answer.
func asError(err error) *Error {
	var found *Error
	if errors.As(err, &found) {
		return found
	}
	return &Error{Code: codes.Unknown, Message: err.Error()}
}
