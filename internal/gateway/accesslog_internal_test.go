package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/telemetry"
	"holdfast/retry"
	"holdfast/test/need"
)

// tried is an exchange with two attempts.
func tried() *exchange.Record {
	list := [2]*balancer.Instance{balancer.NewInstance(balancer.Spec{ID: "f-1"}), balancer.NewInstance(balancer.Spec{ID: "f-2"})}
	now := time.Unix(1_800_000_000, 0)
	r := &exchange.Record{Facts: exchange.Facts{
		Client: netip.MustParseAddr("192.0.2.1"), Start: now, Head: 2 * time.Millisecond, Took: 3456 * time.Microsecond, Bytes: 512, Status: 200, N: 2,
		Trace: exchange.Trace{ID: [16]byte{1, 0xab, 15: 2}},
	}}
	r.Attempts[0] = exchange.AttemptRecord{Instance: list[0], Kind: retry.Status, Status: 503, Took: time.Millisecond, Upload: 500 * time.Microsecond}
	r.Attempts[1] = exchange.AttemptRecord{Instance: list[1], Kind: retry.OK, Status: 200, Head: time.Millisecond, Took: 2 * time.Millisecond}
	return r
}

// line is what the access log has of an exchange.
func line(t *testing.T, r *exchange.Record, asJSON bool) string {
	t.Helper()
	var out bytes.Buffer
	l := accessLog{lines: telemetry.NewLogs(&out, asJSON, slog.LevelInfo, nil).Lines("access", "exchange", nil)}
	l.observe(r)
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := l.lines.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTheAccessLogTellsOfEachAttempt(t *testing.T) {
	t.Parallel()
	r := tried()
	plain := line(t, r, false)
	for _, part := range []string{
		" msg=exchange component=access ", " trace_id=01ab0000000000000000000000000002 ", " client=192.0.2.1 status=200 head_ms=2 took_ms=3.46 bytes=512 ",
		` attempts="[{Instance:f-1 Status:503 Reason: TookMS:1 UploadMS:0.5 Then:` + r.Attempts[0].Decision.Reason.String() +
			`} {Instance:f-2 Status:200 Reason: TookMS:2 UploadMS:0 Then:}]"` + "\n",
	} {
		if !strings.Contains(plain, part) {
			t.Errorf("%q is not in %s", part, plain)
		}
	}
	var got struct {
		Time     time.Time `json:"time"`
		Took     float64   `json:"took_ms"`
		Attempts []map[string]any
	}
	if err := json.Unmarshal([]byte(line(t, r, true)), &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"instance": "f-1", "status": 503.0, "took_ms": 1.0, "upload_ms": 0.5, "then": r.Attempts[0].Decision.Reason.String()},
		{"instance": "f-2", "status": 200.0, "took_ms": 2.0},
	}
	if !reflect.DeepEqual(got.Attempts, want) || got.Took != 3.46 || !got.Time.Equal(r.Start.Add(r.Took)) {
		t.Errorf("%+v", got)
	}
}

func TestALineOfTheAccessLogAllocatesNothing(t *testing.T) { //nolint:paralleltest // it counts what all allocate
	need.Plain(t)
	r := tried()
	l := accessLog{lines: telemetry.NewLogs(&bytes.Buffer{}, true, slog.LevelInfo, nil).Lines("access", "exchange", strings.TrimSpace)}
	l.which.Store(uint32(AccessAll))
	for range 4000 { // until no more may wait: what is kept grows no longer
		l.observe(r)
	}
	if n := testing.AllocsPerRun(100, func() { l.observe(r) }); n > 0 {
		t.Errorf("%v allocations a line", n)
	}
}
