package demo

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestAQueryIsReadAsWhatToDo(t *testing.T) {
	t.Parallel()
	none := mischief{lasting: defaultFor}
	with := func(change func(*mischief)) mischief {
		m := none
		change(&m)
		return m
	}
	tests := map[string]mischief{
		"":                      none,
		"unknown=1&slow=":       none,
		"slow=500ms&burn=1s":    with(func(m *mischief) { m.slow, m.burn = 500*time.Millisecond, time.Second }),
		"fail=1":                with(func(m *mischief) { m.fail = 500 }),
		"fail=0":                none,
		"fail=429":              with(func(m *mischief) { m.fail = 429 }),
		"hold=50MiB&for=30s":    with(func(m *mischief) { m.hold, m.lasting = 50<<20, 30*time.Second }),
		"size=2KB":              with(func(m *mischief) { m.size, m.sized = 2000, true }),
		"size=0":                with(func(m *mischief) { m.sized = true }),
		"drop=1&crash=true":     with(func(m *mischief) { m.drop, m.crash = true, true }),
		"drop=0&crash=false":    none,
		"size=8GiB":             with(func(m *mischief) { m.size, m.sized = 8<<30, true }),
		"slow=5m&burn=10s":      with(func(m *mischief) { m.slow, m.burn = maxSlow, maxBurn }),
		"hold=1073741824&for=0": with(func(m *mischief) { m.hold, m.lasting = 1<<30, 0 }),
	}
	for text, want := range tests {
		query, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, problem := parseMischief(query); got != want || problem != "" {
			t.Errorf("%q is read as %+v, %q", text, got, problem)
		}
	}
}

func TestABadParameterIsRefusedWithOneSentence(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	for _, path := range []string{
		"/?slow=1", "/?slow=-1s", "/?slow=6m", "/?slow=fast", "/?burn=11s", "/?for=1h",
		"/?fail=200", "/?fail=600", "/?fail=yes", "/?drop=yes", "/?crash=2",
		"/?hold=2GiB", "/?hold=-1", "/?hold=1TiB", "/?size=9GiB", "/?size=99999999999999999999", "/?size=1.5MiB", "/?size=MiB",
		"/events?interval=0s", "/events?interval=2m", "/events?count=-1", "/events?count=1000001", "/events?count=x",
	} {
		a := r.get(path)
		sentence, _ := a.fields["error"].(string)
		name, _, _ := strings.Cut(path[strings.Index(path, "?")+1:], "=")
		if a.status != http.StatusBadRequest || !strings.HasPrefix(sentence, name+"=") || strings.Contains(sentence, "\n") {
			t.Errorf("%s answers %+v", path, a)
		}
	}
}

func FuzzParseMischief(f *testing.F) {
	f.Add("slow=500ms&fail=503&hold=50MiB&for=30s&size=1GB&drop=1&crash=0")
	f.Add("size=18446744073709551615GiB")
	f.Fuzz(func(t *testing.T, text string) {
		query, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		m, problem := parseMischief(query)
		if problem != "" {
			return
		}
		within := m.slow >= 0 && m.slow <= maxSlow && m.burn >= 0 && m.burn <= maxBurn && m.lasting >= 0 && m.lasting <= maxFor &&
			m.hold >= 0 && m.hold <= maxHold && m.size >= 0 && m.size <= maxSize && (m.fail == 0 || m.fail >= 400 && m.fail <= 599)
		if !within {
			t.Errorf("%q is read as %+v", text, m)
		}
	})
}

func TestARequestFailsAsAskedAndOnlyThatOne(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	if a := r.get("/?fail=503"); a.status != http.StatusServiceUnavailable || a.fields["instance"] != "public-1" {
		t.Errorf("it answers %+v", a)
	}
	if a := r.get("/?fail=1"); a.status != http.StatusInternalServerError {
		t.Errorf("it answers %+v", a)
	}
	if a := r.get("/"); a.status != http.StatusOK {
		t.Errorf("the next request answers %+v", a)
	}
}

func TestASlowRequestIsLateAndCountedWhileItWaits(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	began := time.Now()
	done := make(chan answer, 1)
	go func() { done <- r.get("/?slow=300ms") }()
	poll(t, "a request in progress", func() bool { return r.get("/health").number(t, "connections") == 1 })
	<-done
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("it took only %s", took)
	}
	poll(t, "no request in progress", func() bool { return r.get("/health").number(t, "connections") == 0 })
}

func TestASlowRequestEndsWhenItsClientLeaves(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/?slow=5m", nil)
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan error, 1)
	go func() {
		resp, err := r.client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		left <- err
	}()
	poll(t, "the request in progress", func() bool { return r.get("/health").number(t, "connections") == 1 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	poll(t, "the end of the request", func() bool { return r.get("/health").number(t, "connections") == 0 })
}

func TestADroppedConnectionIsReset(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	resp, err := r.try(http.MethodPost, "/?drop=1", nil, strings.NewReader("x"))
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("the client got %v", err)
	}
}

func TestADropWithASizeCutsTheBodyInTheMiddle(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	resp, err := r.try(http.MethodGet, "/?drop=1&size=1MiB", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || n != 512<<10 || resp.ContentLength != 1<<20 {
		t.Errorf("the client got %d of %d bytes and %v", n, resp.ContentLength, err)
	}
}

func TestACrashEndsTheInstanceAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	slow := make(chan error, 1)
	go func() {
		resp, err := r.try(http.MethodGet, "/?slow=5m", nil, nil)
		if err == nil {
			_ = resp.Body.Close()
		}
		slow <- err
	}()
	poll(t, "a request in progress", func() bool { return r.get("/health").number(t, "connections") == 1 })
	resp, err := r.try(http.MethodPost, "/?crash=1", nil, strings.NewReader("x"))
	if err == nil {
		_ = resp.Body.Close()
		t.Errorf("a crash answers %d", resp.StatusCode)
	}
	if err := <-slow; err == nil {
		t.Error("another request was answered after the crash")
	}
	select {
	case err := <-r.ended:
		if !errors.Is(err, ErrCrashed) {
			t.Errorf("serve returned %v", err)
		}
		r.ended = nil
	case <-time.After(20 * time.Second):
		t.Error("the instance goes on")
	}
}

func TestBurningUsesACPUForTheTimeAskedFor(t *testing.T) {
	t.Parallel()
	before, _ := cpuUsed()
	began := time.Now()
	burn(t.Context(), 100*time.Millisecond)
	after, _ := cpuUsed()
	if took := time.Since(began); took < 100*time.Millisecond || after-before < 2*time.Millisecond { // on a busy machine it gets a small share
		t.Errorf("it took %s and %s of CPU", took, after-before)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began = time.Now()
	burn(ctx, maxBurn)
	if took := time.Since(began); took > maxBurn/2 {
		t.Errorf("nobody waited for it, and it took %s", took)
	}
}

func TestMemoryIsHeldForTheTimeAskedForAndNeverTooMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b ballast
		if !b.hold(10<<20, 10*time.Second) || !b.hold(1<<20, time.Minute) || !b.hold(0, 0) {
			t.Fatal("11 MiB are too much")
		}
		if b.hold(maxHold-(11<<20)+1, time.Second) {
			t.Error("more than the maximum is held")
		}
		held := func() int64 {
			synctest.Wait()
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.total
		}
		if got := held(); got != 11<<20 {
			t.Errorf("held are %d bytes", got)
		}
		<-time.After(11 * time.Second)
		if got := held(); got != 1<<20 {
			t.Errorf("after 11 s %d bytes are held", got)
		}
		b.release()
		if got := held(); got != 0 {
			t.Errorf("after the end %d bytes are held", got)
		}
	})
}

// Alone, and after returning what earlier tests left: memory that the process
// still has would be used again, and nothing would show.
func TestHeldMemoryShowsInTheHealthAnswer(t *testing.T) { //nolint:paralleltest // measures the whole process
	debug.FreeOSMemory()
	r := start(t, Config{})
	before := r.get("/health").number(t, "memory_percent")
	if before <= 0 || before > 100 {
		t.Errorf("memory_percent is %v", before)
	}
	if a := r.get("/?hold=64MiB&for=1m"); a.status != http.StatusOK {
		t.Fatalf("it answers %+v", a)
	}
	share := 100 * float64(60<<20) / float64(memoryLimit())
	if after := r.get("/health").number(t, "memory_percent"); after < before+share/2 {
		t.Errorf("memory_percent was %v and is %v, and should have grown by %v", before, after, share)
	}
}
