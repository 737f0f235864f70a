package signals_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/signals"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers with a handler until the test ends.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// says answers everything with a text.
func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

// collect runs a collector of these sources until the test ends.
func collect(t *testing.T, c signals.Config, list ...signals.Source) *signals.Collector {
	t.Helper()
	for i := range list {
		list[i].Function = "f"
	}
	all := signals.New(c)
	all.Set(list)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := all.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	return all
}

// await polls the only source until it is as wanted.
func await(t *testing.T, c *signals.Collector, what string, ok func(signals.Reading) bool) signals.Reading {
	t.Helper()
	var r signals.Reading
	until(t, what, func() bool {
		list := c.Readings("f", time.Now())
		if len(list) != 1 {
			return false
		}
		r = list[0]
		return ok(r)
	})
	return r
}

// until polls what a real server brings about, within 30 s.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until: %s", what)
		}
	}
}

func known(r signals.Reading) bool   { return r.Known }
func problem(r signals.Reading) bool { return r.Problem != "" }

const often = 20 * time.Millisecond

func prometheusSays(kind, result string) string {
	return `{"status":"success","data":{"resultType":"` + kind + `","result":` + result + `}}`
}

func TestNumbersAreFetched(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body   string
		source signals.Source
		want   float64
	}{
		"document":       {`{"queues": [{"length": 12}]}`, signals.Source{Path: "queues.0.length"}, 12},
		"bare number":    {" 7.5\n", signals.Source{}, 7.5},
		"scalar":         {prometheusSays("scalar", `[1700000000.1, "42"]`), signals.Source{Query: "scalar(x)"}, 42},
		"vector of one":  {prometheusSays("vector", `[{"metric":{"a":"b"},"value":[1700000000, "1e3"]}]`), signals.Source{Query: "sum(x)"}, 1000},
		"negative value": {prometheusSays("scalar", `[1, "-0.5"]`), signals.Source{Query: "x"}, -0.5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.source.Name, tt.source.URL, tt.source.Interval = "n", serve(t, says(200, tt.body)), often
			r := await(t, collect(t, signals.Config{}, tt.source), "a number", known)
			if r.Value != tt.want || r.Problem != "" || r.At.IsZero() || time.Since(r.At) > time.Minute {
				t.Errorf("%+v, want %v", r, tt.want)
			}
		})
	}
}

func TestARequestHasWhatItWasGiven(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 100)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case got <- r.Clone(r.Context()):
		default:
		}
		fmt.Fprint(w, prometheusSays("scalar", `[1, "1"]`))
	})
	c := collect(t, signals.Config{}, signals.Source{
		Name: "n", URL: url + "/base?dedup=true", Query: `sum(rate(x{a="b"}[1m]))`, Headers: map[string]string{"Authorization": "Bearer hush"}, Interval: often,
	})
	await(t, c, "a number", known)
	r := <-got
	if r.Method != http.MethodGet || r.URL.Path != "/base/api/v1/query" || r.URL.Query().Get("query") != `sum(rate(x{a="b"}[1m]))` || r.URL.Query().Get("dedup") != "true" || r.Header.Get("Authorization") != "Bearer hush" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
}

func TestWhatIsNoNumberIsUnknownAndSaysWhy(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, says(200, "1"))
	handlers := map[string]struct {
		handler http.HandlerFunc
		query   string
		want    string
	}{
		"status 500":      {says(500, `{"n": 1}`), "", "it answers 500"},
		"status 204":      {says(204, ""), "", "it answers 204"},
		"not JSON":        {says(200, "<html>"), "", "its answer is not JSON"},
		"wrong place":     {says(200, `{"m": 1}`), "", "its answer has no number at n"},
		"wrong type":      {says(200, `{"n": "1"}`), "", "its answer has no number at n"},
		"huge":            {huge, "", "longer than 1 MiB"},
		"hanging":         {hang, "", "no answer within 200ms"},
		"hanging body":    {hangInside, "", "no answer within 200ms"},
		"cut off":         {cutOff, "", "its answer broke off"},
		"elsewhere":       {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) }, "", "redirects to another host"},
		"in a circle":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, "", "redirects more than 3 times"},
		"empty vector":    {says(200, prometheusSays("vector", "[]")), "x", "the query has no result"},
		"NaN":             {says(200, prometheusSays("scalar", `[1, "NaN"]`)), "x", "not a finite number"},
		"infinity":        {says(200, prometheusSays("vector", `[{"value":[1, "+Inf"]}]`)), "x", "not a finite number"},
		"two results":     {says(200, prometheusSays("vector", `[{"value":[1, "1"]},{"value":[1, "2"]}]`)), "x", "has 2 results; make them one"},
		"matrix":          {says(200, prometheusSays("matrix", `[]`)), "x", `has a "matrix" for a result`},
		"bad query":       {says(400, `{"status":"error","errorType":"bad_data","error":"parse error at char 3"}`), "x", "the query fails: parse error at char 3"},
		"no Prometheus":   {says(200, "1"), "x", "its answer is none of Prometheus"},
		"other vector":    {says(200, prometheusSays("vector", `[{"value":[1]}]`)), "x", "its answer is none of Prometheus"},
		"Prometheus down": {says(503, "Service Unavailable"), "x", "it answers 503"},
	}
	for name, tt := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := signals.Source{Name: "n", URL: serve(t, tt.handler) + "/?secret=hunter2", Path: "n", Query: tt.query, Interval: often, Timeout: 20 * time.Second}
			if strings.Contains(tt.want, "within") {
				s.Timeout = 200 * time.Millisecond
			}
			r := await(t, collect(t, signals.Config{}, s), "a problem", problem)
			if r.Known || !strings.Contains(r.Problem, tt.want) || strings.Contains(r.Problem, "hunter2") || strings.Contains(r.Problem, "\n") {
				t.Errorf("%+v, want %q", r, tt.want)
			}
		})
	}
}

func huge(w http.ResponseWriter, _ *http.Request) {
	line := strings.Repeat(" ", 64<<10)
	for range 20 {
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
	}
	fmt.Fprint(w, `{"n": 1}`)
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func hangInside(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, `{"n":`)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	fmt.Fprint(w, `{"n": 1`)
}

func TestARedirectOnTheSameHostIsFollowed(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
			return
		}
		fmt.Fprint(w, "3")
	})
	if r := await(t, collect(t, signals.Config{}, signals.Source{Name: "n", URL: url, Interval: often}), "a number", known); r.Value != 3 {
		t.Errorf("%+v", r)
	}
}

func TestACertificateNobodyKnowsIsRefused(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(says(200, "5"))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the refusals are what is wanted
	s.StartTLS()
	t.Cleanup(s.Close)
	r := await(t, collect(t, signals.Config{}, signals.Source{Name: "n", URL: s.URL, Interval: often}), "a problem", problem)
	if r.Known || !strings.Contains(r.Problem, "certificate") {
		t.Errorf("%+v", r)
	}
	client, ok := s.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("the test's client is another one")
	}
	if r := await(t, collect(t, signals.Config{TLS: client.TLSClientConfig}, signals.Source{Name: "n", URL: s.URL, Interval: often}), "a number", known); r.Value != 5 {
		t.Errorf("%+v", r)
	}
}

func TestANumberHoldsForThreeIntervalsAfterItsSourceFailed(t *testing.T) {
	t.Parallel()
	var fails atomic.Bool
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if fails.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, "8")
	})
	var told atomic.Int64
	c := collect(t, signals.Config{Tell: func(string, string, string) { told.Add(1) }}, signals.Source{Name: "n", URL: url, Interval: often, Timeout: 10 * time.Second})
	await(t, c, "a number", known)
	fails.Store(true)
	r := await(t, c, "a problem", problem)
	limit := 3*often + 10*time.Second
	if list := c.Readings("f", r.At.Add(limit)); !list[0].Known || list[0].Value != 8 {
		t.Errorf("%+v: want it to hold for %s", list[0], limit)
	}
	if list := c.Readings("f", r.At.Add(limit+1)); list[0].Known {
		t.Errorf("%+v: it holds for longer than %s", list[0], limit)
	}
	fails.Store(false)
	await(t, c, "a number again", func(r signals.Reading) bool { return r.Known && r.Problem == "" })
	// Whoever is told may learn of it right after.
	until(t, "the end was told", func() bool { return told.Load() >= 2 })
	if n := told.Load(); n != 2 {
		t.Errorf("told %d times, want of the problem's begin and end", n)
	}
}

func TestAResultThatIsGoneIsUnknownAtOnce(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if gone.Load() {
			fmt.Fprint(w, prometheusSays("vector", "[]"))
			return
		}
		fmt.Fprint(w, prometheusSays("scalar", `[1, "8"]`))
	})
	c := collect(t, signals.Config{}, signals.Source{Name: "n", URL: url, Query: "x", Interval: often, Timeout: time.Hour})
	await(t, c, "a number", known)
	gone.Store(true)
	if r := await(t, c, "a problem", problem); r.Known {
		t.Errorf("%+v", r)
	}
}

func TestSourcesComeAndGo(t *testing.T) {
	t.Parallel()
	url := serve(t, says(200, "8"))
	one := signals.Source{Function: "f", Name: "one", URL: url, Interval: time.Hour}
	c := collect(t, signals.Config{}, one)
	at := await(t, c, "a number", known).At
	two := signals.Source{Function: "g", Name: "two", URL: url, Interval: often}
	c.Set([]signals.Source{one, two})
	until(t, "the new source is read", func() bool { return len(c.Readings("g", time.Now())) > 0 })
	if r := c.Readings("f", time.Now()); len(r) != 1 || !r[0].At.Equal(at) {
		t.Errorf("%+v: a source that did not change was asked anew", r)
	}
	one.Path = "n"
	c.Set([]signals.Source{one})
	await(t, c, "the problem of the other place", problem)
	until(t, "the old source is gone", func() bool { return len(c.Readings("g", time.Now())) == 0 })
}
