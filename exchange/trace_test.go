package exchange_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/exchange"
)

const sampledParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestATraceparentIsReadOrNone(t *testing.T) {
	t.Parallel()
	got, ok := exchange.ParseTraceparent(sampledParent)
	if !ok || hex.EncodeToString(got.ID[:]) != "4bf92f3577b34da6a3ce929d0e0e4736" || hex.EncodeToString(got.Parent[:]) != "00f067aa0ba902b7" || !got.Sampled {
		t.Errorf("%v %+v", ok, got)
	}
	for value, want := range map[string]bool{
		strings.TrimSuffix(sampledParent, "1") + "0":  true,
		strings.TrimSuffix(sampledParent, "1") + "3":  true,
		"cc" + sampledParent[2:] + "-what-is-to-come": true,
		"cc" + sampledParent[2:]:                      true,
		"cc" + sampledParent[2:] + "x":                false,
		"ff" + sampledParent[2:]:                      false,
		sampledParent + "-x":                          false,
		sampledParent[:54]:                            false,
		strings.ToUpper(sampledParent):                false,
		strings.Replace(sampledParent, "-", "_", 1):   false,
		"": false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01": false,
	} {
		if _, ok := exchange.ParseTraceparent(value); ok != want {
			t.Errorf("%q: %v, want %v", value, ok, want)
		}
	}
}

func FuzzParseTraceparent(f *testing.F) {
	f.Add(sampledParent)
	f.Add("cc" + sampledParent[2:] + "-more")
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := exchange.ParseTraceparent(value)
		if !ok {
			if got != (exchange.Trace{}) {
				t.Errorf("%q is none and yet %+v", value, got)
			}
			return
		}
		about := exchange.Facts{Trace: got, Draw: 1}
		again, ok := exchange.ParseTraceparent(string(about.AppendTraceparent(nil, 0)))
		if !ok || again.ID != got.ID || again.Sampled != got.Sampled || again.Parent != about.AttemptSpan(0) {
			t.Errorf("%q becomes %+v %v", value, again, ok)
		}
	})
}

// traced begins an exchange whose request has a traceparent.
func traced(t *testing.T, tracing *exchange.Tracing, id, parent string, trusted bool) exchange.Facts {
	t.Helper()
	m := exchange.NewMachine(exchange.MachineConfig{Records: 16})
	m.SetTracing(tracing)
	header := http.Header{}
	if parent != "" {
		header.Set("Traceparent", parent)
	}
	var x exchange.Exchange
	m.Begin(&x, &exchange.Request{ID: id, Method: "GET", Path: "/", Header: header, Draw: rand.Uint64(), Trusted: trusted}, nil, time.Now())
	defer x.End(time.Now())
	return x.Record().Facts
}

func TestAnExchangeFindsItsPlaceInATrace(t *testing.T) {
	t.Parallel()
	const id = "0123456789abcdef0123456789abcdef"
	all := &exchange.Tracing{Sample: 1}
	for _, c := range []struct {
		name          string
		tracing       *exchange.Tracing
		id, parent    string
		trusted       bool
		known, begins bool
		sampled       bool
		want          string // of the id; "": another one
	}{
		{"no tracing", nil, id, sampledParent, true, false, false, false, strings.Repeat("0", 32)},
		{"begun, by the request's id", all, id, "", false, true, true, true, id},
		{"begun, by an id of another form", all, "a-proxy's", "", true, true, true, true, ""},
		{"continued", &exchange.Tracing{}, id, sampledParent, false, true, false, true, sampledParent[3:35]},
		{"continued unsampled", all, id, sampledParent[:54] + "0", false, true, false, false, sampledParent[3:35]},
		{"not continued for being broken", all, id, sampledParent[:50], false, true, true, true, id},
		{"continued of a proxy", &exchange.Tracing{Parents: exchange.ParentsTrusted}, id, sampledParent, true, true, false, true, sampledParent[3:35]},
		{"not continued of a stranger", &exchange.Tracing{Parents: exchange.ParentsTrusted}, id, sampledParent, false, true, true, false, id},
		{"not continued of anybody", &exchange.Tracing{Parents: exchange.ParentsNone}, id, sampledParent, true, true, true, false, id},
	} {
		f := traced(t, c.tracing, c.id, c.parent, c.trusted)
		got := hex.EncodeToString(f.Trace.ID[:])
		if f.Trace.Known() != c.known || f.Trace.Begun() != c.begins || f.Trace.Sampled != c.sampled || c.want != "" && got != c.want || c.want == "" && got == id {
			t.Errorf("%s: %s %+v", c.name, got, f.Trace)
		}
		if n := len(f.AppendTraceparent(nil, 0)); n != map[bool]int{true: exchange.Traceparent}[c.known] {
			t.Errorf("%s: a traceparent of %d bytes", c.name, n)
		}
	}
}

func TestTheSampledPartIsWhatWasAskedForAndTheSameEverywhere(t *testing.T) {
	t.Parallel()
	const n = 20_000
	sampled := 0
	for range n {
		id := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
		one, other := traced(t, &exchange.Tracing{Sample: 0.1}, id, "", false), traced(t, &exchange.Tracing{Sample: 0.1}, id, "", false)
		if one.Trace != other.Trace {
			t.Fatalf("%+v and %+v", one.Trace, other.Trace)
		}
		if one.Trace.Sampled {
			sampled++
		}
	}
	if sampled < n/10-n/50 || sampled > n/10+n/50 {
		t.Errorf("%d of %d", sampled, n)
	}
}

func TestTheSpansOfAnExchangeDiffer(t *testing.T) {
	t.Parallel()
	f := exchange.Facts{Draw: rand.Uint64()}
	seen := map[[8]byte]bool{f.Span(): true, {}: true}
	for n := range 8 {
		if id := f.AttemptSpan(n); seen[id] {
			t.Errorf("attempt %d has an id that is taken: %x", n, id)
		} else {
			seen[id] = true
		}
	}
}

func TestAPlaceInATraceCostsNoAllocation(t *testing.T) { //nolint:paralleltest // it counts what all allocate
	m := exchange.NewMachine(exchange.MachineConfig{Records: 16})
	m.SetTracing(&exchange.Tracing{Sample: 0.5})
	header := http.Header{"Traceparent": {sampledParent}}
	var x exchange.Exchange
	r := exchange.Request{ID: "0123456789abcdef0123456789abcdef", Method: "GET", Path: "/", Header: header}
	var room [exchange.Traceparent]byte
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		m.Begin(&x, &r, nil, now)
		if b := x.Record().AppendTraceparent(room[:0], 0); len(b) != exchange.Traceparent {
			t.Error(string(b))
		}
		x.End(now)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
