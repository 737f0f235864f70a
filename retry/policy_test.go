package retry_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/retry"
)

func TestABadPolicyNamesItsField(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		field  string
		policy retry.Policy
	}{
		{"Attempts", retry.Policy{Attempts: -1}},
		{"Attempts", retry.Policy{Attempts: 11}},
		{"BaseDelay", retry.Policy{BaseDelay: -1}},
		{"BaseDelay", retry.Policy{BaseDelay: 2 * time.Hour}},
		{"MaxDelay", retry.Policy{MaxDelay: -1}},
		{"MaxDelay", retry.Policy{MaxDelay: time.Millisecond}},
		{"MaxRetryAfter", retry.Policy{MaxRetryAfter: -1}},
		{"Statuses", retry.Policy{Statuses: []int{503, 200}}},
		{"Statuses", retry.Policy{Statuses: []int{600}}},
	} {
		if err := row.policy.Validate(); err == nil || !strings.Contains(err.Error(), row.field) {
			t.Errorf("%s: %v", row.field, err)
		}
	}
}

func TestTheDefaultPolicyIsThatOfTheDesign(t *testing.T) {
	t.Parallel()
	p := retry.DefaultPolicy()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	if p.Attempts != 2 || p.BaseDelay != 25*time.Millisecond || p.MaxDelay != 250*time.Millisecond ||
		p.MaxRetryAfter != 5*time.Second || p.NonIdempotent || len(p.Statuses) != 4 {
		t.Errorf("got %+v", p)
	}
	retry.DefaultPolicy().Statuses[0] = 1
	if retry.DefaultPolicy().Statuses[0] != 500 {
		t.Error("default policies share their list of statuses")
	}
}

func TestIdempotentRequests(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]bool{
		"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "PUT": true, "DELETE": true,
		"POST": false, "PATCH": false, "CONNECT": false, "get": false, "": false, "PURGE": false,
	} {
		if got := retry.Idempotent(method, false); got != want {
			t.Errorf("%q: %v", method, got)
		}
		if !retry.Idempotent(method, true) {
			t.Errorf("%q with an Idempotency-Key is not idempotent", method)
		}
	}
}
