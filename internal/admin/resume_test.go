package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/admin"
	"holdfast/internal/event"
	"holdfast/internal/store"
)

// shelf is a store that holds events, the newest first.
type shelf struct {
	admin.Store

	events []store.Event
	err    error
	asked  int
}

func (s *shelf) Events(_ context.Context, q store.Query) ([]store.Event, error) {
	s.asked++
	var page []store.Event
	begun := q.Before.String() == (store.Event{}).ID.String()
	for _, e := range s.events {
		if begun && len(page) < q.Limit && !e.At.Before(q.From) {
			page = append(page, e)
		}
		begun = begun || e.ID == q.Before
	}
	return page, s.err
}

// put lays an event on top.
func (s *shelf) put(node, run string, seq int, at time.Time) {
	data, _ := json.Marshal(map[string]any{"run": run, "seq": seq})
	s.events = append([]store.Event{{ID: store.NewID(), Node: node, Kind: "action", Function: "public", Data: data, At: at}}, s.events...)
}

// stream is what a client gets that comes back with an id: ids, and gaps with
// how much they miss.
func (s *site) stream(last string, n int) string {
	s.t.Helper()
	ctx, stop := context.WithTimeout(s.t.Context(), time.Minute)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://holdfast/api/v1/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Last-Event-ID", last)
	res, err := s.socket.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var got []string
	gap := false
	for lines := bufio.NewScanner(res.Body); len(got) < n && lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			got = append(got, id)
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && gap {
			got = append(got, "gap"+data)
		}
		gap = lines.Text() == "event: gap"
	}
	return strings.Join(got, " ")
}

func TestAStreamGoesOnFromTheStore(t *testing.T) {
	t.Parallel()
	const node, old, older = "me", "m0000002", "m0000001"
	kept, at := &shelf{}, time.Now().Add(-time.Minute)
	kept.put(node, "m0000000", 1, at.Add(-25*time.Hour)) // too old
	for seq := range 3 {
		kept.put(node, older, seq+1, at)
	}
	kept.put(node, old, 2, at.Add(time.Second)) // 1 was lost
	kept.put(node, old, 1+3, at.Add(time.Second))
	kept.put(node, old, 3, at.Add(time.Second)) // of the same time, in another order
	kept.put("other", "m0000003", 1, at.Add(time.Second))
	kept.events = append([]store.Event{{ID: store.NewID(), Node: node, Kind: "action", At: at.Add(time.Second)}}, kept.events...) // of a version before
	var run string
	s := open(t, func(c *admin.Config) { c.Store, c.Node, run = kept, node, c.Events.Run() })
	for range 2 {
		s.events.Publish(event.Event{Kind: event.Action, Function: "public"})
	}
	live := func(seqs ...int) (text string) {
		for _, seq := range seqs {
			text += fmt.Sprintf(" %s-%d", run, seq)
		}
		return text
	}
	for last, want := range map[string]string{
		older + "-1": older + "-2 " + older + `-3 gap{"missed":1} ` + old + "-2 " + old + "-3 " + old + "-4" + live(1, 2),
		older + "-3": `gap{"missed":1} ` + old + "-2 " + old + "-3 " + old + "-4" + live(1, 2),
		old + "-3":   old + "-4" + live(1, 2),
		old + "-4":   strings.TrimSpace(live(1, 2)),
		run + "-1":   strings.TrimSpace(live(2)),
		run + "-9":   "gap{}" + live(1, 2), // never given
		"m0000000-1": "gap{}" + live(1, 2), // a day ago
		"m0000003-1": "gap{}" + live(1, 2), // of another node
		"nonsense":   "gap{}" + live(1, 2),
		"-1":         "gap{}" + live(1, 2),
	} {
		if got := s.stream(last, strings.Count(want, " ")+1); got != want {
			t.Errorf("after %s:\n%s, want\n%s", last, got, want)
		}
	}
	kept.err = errors.New("down")
	if got, want := s.stream(old+"-3", 3), "gap{}"+live(1, 2); got != want {
		t.Errorf("with the store down: %s, want %s", got, want)
	}
}

func TestWhatTheBusForgotComesFromTheStore(t *testing.T) {
	t.Parallel()
	kept := &shelf{}
	var run string
	s := open(t, func(c *admin.Config) { c.Store, c.Node, run = kept, "me", c.Events.Run() })
	for seq := range 250 { // the bus keeps 100
		s.events.Publish(event.Event{Kind: event.Action})
		if seq != 29 {
			kept.put("me", run, seq+1, time.Now())
		}
	}
	got := strings.Split(s.stream(run+"-20", 230), " ")
	if len(got) != 230 || got[0] != run+"-21" || got[9] != `gap{"missed":1}` || got[10] != run+"-31" || got[229] != run+"-250" {
		t.Errorf("%d: %v", len(got), got)
	}
	kept.asked, kept.events = 0, nil
	for seq := range 12_000 {
		kept.events = append(kept.events, store.Event{ID: store.NewID(), Node: "me", Kind: "action", At: time.Now(), Data: json.RawMessage(fmt.Sprintf(`{"run":%q,"seq":%d}`, run, 20_000-seq))})
	}
	if got := s.stream("m0000001-1", 1); got != "gap{}" || kept.asked != 10 {
		t.Errorf("more than is sent: %s after %d pages", got, kept.asked)
	}
	kept.asked = 0
	for i := range kept.events {
		kept.events[i].Node = "other"
	}
	if got := s.stream("m0000001-1", 1); got != "gap{}" || kept.asked != 10 {
		t.Errorf("more than is read of other nodes' events: %s after %d pages", got, kept.asked)
	}
}
