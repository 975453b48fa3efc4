package vestibule

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
)

// Retries says when a call is made again: after the delay that the daemon names, otherwise after one that doubles.
type Retries struct {
	// Attempts of one call; 4 if 0.
	Attempts int
	// FirstDelay is 50 ms if 0, LongestDelay 1 s.
	FirstDelay, LongestDelay time.Duration
	// Attempt is a shorter deadline for each attempt: one that hears nothing is given up, and another is made.
	Attempt time.Duration
}

func (r Retries) filled() Retries {
	if r.Attempts == 0 {
		r.Attempts = 4
	}
	if r.FirstDelay == 0 {
		r.FirstDelay = 50 * time.Millisecond
	}
	if r.LongestDelay == 0 {
		r.LongestDelay = time.Second
	}
	return r
}

// attempted makes a call until it is answered or refused, or no time is left. The error is an *Error.
func attempted(ctx context.Context, retries Retries, attempt func(context.Context) error) error {
	for number := 1; ; number++ {
		err := once(ctx, retries.Attempt, attempt)
		if err == nil {
			return nil
		}
		failed := errorOf(err)
		failed.Attempts = number
		delay, again := retries.delay(failed, number, ctx.Err() == nil)
		ends, bounded := ctx.Deadline()
		if !failed.NoAnswer() || !again || number >= retries.Attempts || bounded && time.Until(ends) <= delay {
			return failed
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return failed
		}
	}
}

func once(ctx context.Context, limit time.Duration, attempt func(context.Context) error) error {
	if limit > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, limit)
		defer end()
	}
	return attempt(ctx)
}

// delay returns how long to wait before the next attempt, and whether there is one.
func (r Retries) delay(failed *Error, number int, timeLeft bool) (time.Duration, bool) {
	switch {
	case failed.RetryAfter != nil:
		return *failed.RetryAfter, true
	case failed.Code == codes.DeadlineExceeded:
		return 0, r.Attempt > 0 && timeLeft
	case failed.Code != codes.Unavailable:
		// RESOURCE_EXHAUSTED without a delay is a message over gRPC's own limit.
		return 0, false
	}
	longest := min(float64(r.LongestDelay), float64(r.FirstDelay)*math.Pow(2, float64(number-1)))
	return time.Duration(longest * (0.5 + rand.Float64()/2)), true
}
