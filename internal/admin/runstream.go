package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/internal/admin/access"
	"holdfast/internal/runs"
	"holdfast/internal/store"
)

// whichMoments selects moments of a run.
type whichMoments struct {
	ID        string `path:"id" doc:"of the run" maxLength:"64"`
	LastEvent string `header:"Last-Event-ID" doc:"where a stream broke off: the id of its last event" maxLength:"32"`
}

// addRunEvents describes by hand what huma has no word for.
func (a *api) addRunEvents(path, tag string) {
	o := a.operation(op{
		id: "run-events", method: http.MethodGet, path: path, tag: tag, role: store.Viewer, errors: []int{404, 503},
		summary: "What happens in a run, as a stream",
		about: "`figures` come once a second, `fault` and `reverted` when something is broken and taken back, `note` and `state` as they happen, all as a Moment " +
			"with the time of this machine's clock. `end` brings the run as it ended, and the stream is over. Whoever sends the `id` of the last event back as " +
			"`Last-Event-ID` goes on there; the last 4,000 are kept, and `gap` says that some are missing. A line `: ping` comes every 15 s.",
	})
	o.Responses = map[string]*huma.Response{"200": {
		Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	a.OpenAPI().Components.Schemas.Schema(typeOf[runs.Moment](), true, "Moment")
	huma.Register(a.API, o, func(_ context.Context, in *whichMoments) (*eventsAnswer, error) {
		f, err := a.server.runFollower(in)
		if err != nil {
			return nil, asError(err)
		}
		return &eventsAnswer{func(ctx huma.Context) { a.server.streamRun(ctx, f) }}, nil //nolint:contextcheck // huma's context has the request's
	})
}

// runFollower is a client of a run's stream.
type runFollower struct {
	runs *runs.Runs
	id   string
	line *runs.Line
	last uint64 // number of the last moment it has
}

func (s *Server) runFollower(in *whichMoments) (*runFollower, error) {
	if s.config.Runs == nil {
		return nil, errNoRuns
	}
	f := &runFollower{runs: s.config.Runs, id: in.ID}
	var err error
	if f.line, err = s.config.Runs.Line(in.ID); err != nil {
		return nil, err
	}
	if in.LastEvent != "" {
		if f.last, err = strconv.ParseUint(in.LastEvent, 10, 64); err != nil {
			e := refuse(http.StatusBadRequest, "", "Last-Event-ID: must be the number of an event of this stream")
			e.Field = "Last-Event-ID"
			return nil, e
		}
	}
	return f, nil
}

// streamRun sends moments as they come. It keeps nothing for a client.
func (s *Server) streamRun(ctx huma.Context, f *runFollower) {
	r, w := unwrap(ctx)
	leave, err := s.config.Guard.Stream(r.Context())
	if err != nil {
		writeError(w, err)
		return
	}
	defer leave()
	wake, unsubscribe := f.line.Subscribe()
	defer unsubscribe()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx in between would hold events back
	w.WriteHeader(http.StatusOK)
	out := streamWriter{w, http.NewResponseController(w)}
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	id := access.FromContext(r.Context())
	for err = out.write("retry: 1000\n\n"); err == nil; {
		text, over := f.more()
		if err = out.write(text); err != nil || over {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		case <-wake:
		case now := <-ticker.C:
			if s.config.Guard.Still(id, now) != nil {
				return // its token was revoked
			}
			err = out.write(": ping\n\n")
		}
	}
}

// more is what the client has not yet, and whether nothing else will come.
func (f *runFollower) more() (text string, over bool) {
	list, missed, over := f.line.Since(f.last)
	var b strings.Builder
	if missed > 0 {
		writeGap(&b, missed)
	}
	for i := range list {
		m := &list[i]
		f.last = m.Seq
		writeEvent(&b, strconv.FormatUint(m.Seq, 10), m.Kind, m)
	}
	if over {
		if v, err := f.runs.Get(f.id); err == nil {
			writeEvent(&b, "", "end", v)
		} else {
			b.WriteString("event: end\ndata: {}\n\n") // it was forgotten meanwhile
		}
	}
	return b.String(), over
}

func writeEvent(b *strings.Builder, id, kind string, v any) {
	text, err := json.Marshal(v)
	if err != nil { // a figure JSON has no word for
		return
	}
	if id != "" {
		fmt.Fprintf(b, "id: %s\n", id)
	}
	fmt.Fprintf(b, "event: %s\ndata: %s\n\n", kind, text)
}

// streamWriter writes to a client that has to keep up.
type streamWriter struct {
	w       io.Writer
	control *http.ResponseController
}

func (s streamWriter) write(text string) error { return s.writeBytes([]byte(text)) }

func (s streamWriter) writeBytes(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if _, err := s.w.Write(text); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}
