package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"holdfast/internal/admin/access"
	"holdfast/internal/event"
)

const (
	heartbeat   = 15 * time.Second
	streamWrite = 10 * time.Second // a client that does not read for this long is gone
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func unwrap(ctx huma.Context) (*http.Request, http.ResponseWriter) { return humago.Unwrap(ctx) }

// stream sends events as they happen. It keeps nothing for a client: events
// wait in the bus, and a client that is slower than the bus forgets is told of
// the gap.
func (s *Server) stream(ctx huma.Context, in *whichEvents) {
	r, w := unwrap(ctx)
	if s.config.Guard != nil {
		leave, err := s.config.Guard.Stream(r.Context())
		if err != nil {
			writeError(w, err)
			return
		}
		defer leave()
	}
	wake, unsubscribe := s.config.Events.Subscribe()
	defer unsubscribe()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx in between would hold events back
	f := &follower{server: s, streamWriter: streamWriter{w, http.NewResponseController(w)}, in: in, last: in.Since}
	w.WriteHeader(http.StatusOK)
	if f.resume(r.Context()) == nil {
		s.follow(r, f, wake)
	}
}

func (s *Server) follow(r *http.Request, f *follower, wake <-chan struct{}) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	id := access.FromContext(r.Context())
	err := f.write("retry: 1000\n\n")
	for err == nil {
		if err = f.catchUp(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		case <-wake:
		case now := <-ticker.C:
			if s.config.Guard != nil && s.config.Guard.Still(id, now) != nil {
				return // its token was revoked
			}
			err = f.write(": ping\n\n")
		}
	}
}

// follower is one client of the stream.
type follower struct {
	streamWriter

	server *Server
	in     *whichEvents
	last   uint64 // number of the last event of this process it has
	strict bool   // it has all up to last, also when that is none
}

// catchUp sends what happened since the last event.
func (f *follower) catchUp() error {
	list := f.server.config.Events.Since(f.last)
	if len(list) == 0 {
		return nil
	}
	var b strings.Builder
	if missed := list[0].Seq - f.last - 1; missed > 0 && (f.strict || f.last > 0) {
		writeGap(&b, missed)
	}
	for i := range list {
		f.last = list[i].Seq
		if err := f.add(&b, &list[i]); err != nil {
			return err
		}
	}
	return f.write(b.String())
}

// add writes an event the client wants.
func (f *follower) add(b *strings.Builder, e *event.Event) error {
	if !f.in.wants(e) {
		return nil
	}
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	fmt.Fprintf(b, "id: %s-%d\nevent: %s\ndata: %s\n\n", e.Run, e.Seq, e.Kind, text)
	return nil
}

// writeGap tells that events are missing; 0: nobody knows how many.
func writeGap(b *strings.Builder, missed uint64) {
	if missed == 0 {
		b.WriteString("event: gap\ndata: {}\n\n")
		return
	}
	fmt.Fprintf(b, "event: gap\ndata: {\"missed\":%d}\n\n", missed)
}
