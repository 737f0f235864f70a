package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/balancer"
	"holdfast/internal/admin"
	"holdfast/internal/alerting/channel"
)

// watched is a stream of /api/v1/live that is read.
type watched struct {
	t      *testing.T
	lines  *bufio.Scanner
	leave  context.CancelFunc
	answer *http.Response
}

func (s *site) watch(query string) *watched {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://holdfast/api/v1/live"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := s.socket.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	w := &watched{t: s.t, lines: bufio.NewScanner(res.Body), leave: cancel, answer: res}
	w.lines.Buffer(nil, 1<<20)
	s.t.Cleanup(w.end)
	return w
}

func (w *watched) end() {
	w.leave()
	_ = w.answer.Body.Close() // the test is over
}

// next returns the next event, its data decoded into v.
func (w *watched) next(v any) (kind string, data []byte) {
	w.t.Helper()
	for w.lines.Scan() {
		line := w.lines.Text()
		if k, ok := strings.CutPrefix(line, "event: "); ok {
			kind = k
		}
		if d, ok := strings.CutPrefix(line, "data: "); ok {
			data = []byte(d)
			if err := json.Unmarshal(data, v); err != nil {
				w.t.Fatalf("%v in %s", err, data)
			}
			return kind, data
		}
	}
	w.t.Fatalf("the stream ended: %v", w.lines.Err())
	return "", nil
}

// settle waits until the instances of public are all active.
func (s *site) settle() {
	s.t.Helper()
	poll(s.t, "all instances are active", func() bool {
		for _, i := range s.gateway.Function("public").Balancer().Stats(now()).Instances {
			if i.Status != balancer.Active {
				return false
			}
		}
		return true
	})
}

func fires(c *admin.Config) {
	c.Alerts = func() []channel.Alert {
		return []channel.Alert{{ID: "1", Fingerprint: "x", Rule: "errors", Severity: channel.Warning, Function: "private", Summary: "too many errors", Began: time.Unix(1, 0)}}
	}
}

func TestTheLiveStreamHasAllFirstThenWhatChanged(t *testing.T) {
	t.Parallel()
	s := open(t, fires)
	s.serve()
	s.settle()
	w := s.watch("")
	var all admin.Live
	kind, data := w.next(&all)
	schema(t, s, "Live", data)
	if kind != "all" || len(all.Functions) != 2 || !all.Ready || all.Version != "test" || len(all.Alerts) != 1 || all.FunctionDetail != nil {
		t.Fatalf("%s %s", kind, data)
	}
	if f := all.Functions[0]; f.Name != "private" || f.State != "warning" || f.Breaker != "off" || f.Desired != nil {
		t.Errorf("an alert about it fires: %+v", f)
	}
	if f := all.Functions[1]; f.State != "ok" || f.Now != "" || f.Instances.Active != 2 || f.Breaker != "closed" {
		t.Errorf("all is well: %+v", f)
	}
	s.request("/public/x")
	for {
		var c admin.LiveChange
		kind, data := w.next(&c)
		schema(t, s, "LiveChange", data)
		if kind != "change" || len(c.Removed) != 0 || c.Ready != nil || c.Problems != nil || c.Alerts != nil {
			t.Fatalf("%s %s", kind, data)
		}
		if len(c.Functions) == 1 {
			if f := c.Functions[0]; f.Name != "public" || f.Rate <= 0 || f.P50MS <= 0 || f.LastRequest.IsZero() {
				t.Errorf("after a request: %+v", f)
			}
			return
		}
	}
}

func TestTheLiveStreamOfAFunctionHasItsInstances(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	s.settle()
	w := s.watch("?function=public")
	var all admin.Live
	_, data := w.next(&all)
	schema(t, s, "Live", data)
	if all.FunctionDetail == nil || len(all.Instances) != 2 || all.Classes == nil || all.Sessions == nil || len(all.Functions) != 2 {
		t.Fatalf("%s", data)
	}
	i := all.Instances[0]
	if i.ID != "public-1" || i.Status != "active" || !i.InRotation || i.URL == "" || i.SlowStart != 1 || i.Score <= 0 || i.Weight != 1 {
		t.Errorf("%+v", i)
	}
	s.status.Store(http.StatusInternalServerError)
	for range 3 {
		s.request("/public/x")
	}
	var failed, removed bool
	for !failed || !removed {
		var c admin.LiveChange
		_, data := w.next(&c)
		schema(t, s, "LiveChange", data)
		for _, i := range c.Instances {
			if i.Errors > 0 && i.ErrorRate == 1 && !failed {
				failed = true
				s.apply(1)
			}
		}
		removed = removed || reflect.DeepEqual(c.InstancesRemoved, []string{"public-2"})
	}
	if r := s.refused(http.StatusNotFound, http.MethodGet, "/api/v1/live?function=publik", ""); r.Hint != "did you mean public?" {
		t.Errorf("%+v", r)
	}
}

// schema checks a message against its description.
func schema(t *testing.T, s *site, name string, data []byte) {
	t.Helper()
	api := s.admin.API()
	validate(t, api, name, &huma.Schema{Ref: "#/components/schemas/" + name}, data)
}

func TestAllViewersGetTheSameBytes(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	first, second := s.watch(""), s.watch("")
	var v any
	a, b := map[string][]byte{}, map[string][]byte{}
	for len(a) < 4 || len(b) < 4 {
		for n, w := range []*watched{first, second} {
			_, data := w.next(&v)
			var at struct{ At string }
			_ = json.Unmarshal(data, &at) // it was read before
			map[bool]map[string][]byte{true: a, false: b}[n == 0][at.At] = data
		}
	}
	same := 0
	for at, data := range a {
		if other, ok := b[at]; ok {
			same++
			if !bytes.Equal(data, other) {
				t.Errorf("at %s\n%s\n%s", at, data, other)
			}
		}
	}
	if same < 3 {
		t.Errorf("only %d messages are of the same moment", same)
	}
}
