// Package faulttest is what the tests of the fault packages have in common: the language of their faults is read, written
// and refused in the same way, and their proxies are started in the same way.
package faulttest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Fault is what such a language is about.
type Fault interface {
	comparable
	fmt.Stringer
	Check() error
}

// Language reads and writes lists of faults.
type Language[F Fault] struct {
	Parse  func(string) ([]F, error)
	Format func([]F) string
}

// Reads wants each text to be the fault beside it, also after it was written and read again.
func (l Language[F]) Reads(t *testing.T, cases map[string]F) {
	t.Helper()
	for text, want := range cases {
		list, err := l.Parse(text)
		if err != nil || len(list) != 1 || list[0] != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", text, list, err, want)
			continue
		}
		again, err := l.Parse(list[0].String())
		if err != nil || again[0] != want {
			t.Errorf("%q was written as %q: %v", text, list[0], err)
		}
	}
}

// Refuses wants each text to be refused with one sentence that holds the one beside it.
func (l Language[F]) Refuses(t *testing.T, cases map[string]string) {
	t.Helper()
	for text, want := range cases {
		_, err := l.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Parse(%q) = %v, want %q", text, err, want)
		}
	}
}

// Fuzz wants of any text: what is accepted passes its check, and is written as text that means the same; what is refused is
// refused in one sentence.
func (l Language[F]) Fuzz(f *testing.F, seeds ...string) {
	f.Helper()
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := l.Parse(text)
		if err != nil {
			if strings.Count(err.Error(), "\n") > strings.Count(text, "\n") {
				t.Fatalf("the error of %q is not one sentence: %v", text, err)
			}
			return
		}
		for _, one := range list {
			if err := one.Check(); err != nil {
				t.Fatalf("%q was accepted: %v", text, err)
			}
		}
		written := l.Format(list)
		again, err := l.Parse(written)
		if err != nil || !reflect.DeepEqual(again, list) {
			t.Fatalf("%q was written as %q, which is %+v, %v", text, written, again, err)
		}
	})
}

// Must reads text that is right.
func (l Language[F]) Must(t *testing.T, text string) []F {
	t.Helper()
	list, err := l.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Serve runs a proxy until the test ends.
func Serve(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// Patience is how long tests wait for what must come.
const Patience = 10 * time.Second

// Until polls a condition.
func Until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
