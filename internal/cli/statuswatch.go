package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
	"holdfast/internal/cli/live"
	"holdfast/internal/event"
)

const leastInterval = 100 * time.Millisecond

// watchStatus shows the status again and again: on a terminal as a view that is
// drawn anew, elsewhere one look below the other, as JSON one line a look. The
// first look must succeed. Later ones that do not are shown as such: Holdfast may
// be on its way back.
func watchStatus(c *cobra.Command, g *global, interval time.Duration) error {
	if interval < leastInterval {
		return fmt.Errorf("--interval %s: want at least %s", interval, leastInterval)
	}
	w := &watcher{client: newClient(g)}
	first := w.look(c.Context())
	if first.err != nil {
		return quiet(c, first.err)
	}
	if s := g.screen(c.OutOrStdout()); !s.terminal || g.json() || !live.Terminal(g.env.Stdin) {
		return followStatus(c, g, w, &first, interval)
	}
	return viewStatus(c, g, w, &first, interval)
}

// quiet takes Ctrl-C for what it is: how a watch ends.
func quiet(c *cobra.Command, err error) error {
	if c.Context().Err() == nil {
		return err
	}
	return nil
}

// look is how everything was at one time, and what had happened since the look
// before.
type look struct {
	at      time.Time
	raw     []byte
	status  admin.Status
	events  []event.Event
	err     error
	started bool // it is another process than at the last look
}

// watcher looks; of one goroutine at a time.
type watcher struct {
	client *client
	before admin.Status
	last   uint64 // of the events
}

func (w *watcher) look(ctx context.Context) (l look) {
	l.at = time.Now()
	if l.raw, l.err = w.client.ask(ctx, http.MethodGet, "status", nil, nil); l.err != nil {
		return l
	}
	if err := json.Unmarshal(l.raw, &l.status); err != nil {
		l.err = fmt.Errorf("read the status: %w", err)
		return l
	}
	if l.started = w.before.PID != 0 && !l.status.Started.Equal(w.before.Started); l.started {
		w.last = 0 // events are counted anew
	}
	w.before = l.status
	var v admin.Events
	if err := w.client.getWith(ctx, "events", strconv.FormatUint(w.last, 10), &v); err == nil { // without them the rest is still worth a look
		l.events, w.last = v.Events, v.Last
	}
	return l
}

func (c *client) getWith(ctx context.Context, path, since string, v any) error {
	b, err := c.ask(ctx, http.MethodGet, path, query("since", since), nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// followStatus is the watch where nothing can be drawn over.
func followStatus(c *cobra.Command, g *global, w *watcher, first *look, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	out := c.OutOrStdout()
	for l := first; ; {
		err := writeLook(g, out, l, l == first)
		if err != nil || c.Context().Err() != nil {
			return err
		}
		select {
		case <-c.Context().Done():
			return nil
		case <-ticker.C:
		}
		next := w.look(c.Context())
		if c.Context().Err() != nil {
			return nil
		}
		l = &next
	}
}

func writeLook(g *global, out io.Writer, l *look, first bool) error {
	if g.json() {
		return writeLookJSON(out, l)
	}
	if !first {
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
	}
	s := g.screen(out)
	at := l.at.Local().Format(time.TimeOnly)
	if l.err != nil {
		_, err := fmt.Fprintln(out, at, s.paint("no answer: "+firstLine(l.err), red))
		return err
	}
	if l.started {
		if _, err := fmt.Fprintln(out, at, s.paint("Holdfast was started anew", yellow)); err != nil {
			return err
		}
	}
	return writeStatus(s, l.raw)
}

// writeLookJSON writes the status as it came; of a look that failed an object with
// nothing but an error.
func writeLookJSON(out io.Writer, l *look) error {
	if l.err == nil {
		_, err := out.Write(l.raw)
		return err
	}
	return json.NewEncoder(out).Encode(map[string]string{"error": firstLine(l.err), "at": l.at.Format(time.RFC3339Nano)})
}

// firstLine leaves out what to do about an error that may pass by itself.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return clean(line)
}
