package alerting

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"holdfast/internal/alerting/channel"
)

// manyFunctions are told of together when there is news of more at once: an
// outage of everything is one story, and a receiver takes a message a second.
const manyFunctions = 10

// storm puts what is due about many functions at once together, the worst first.
// What is told twice, that it fired and that it is over, stays in that order.
func storm(due []channel.Notification, link string, now time.Time) []channel.Notification {
	var rest []channel.Notification
	var before, last []*channel.Notification
	functions := 0
	for i := range due {
		n := &due[i]
		switch {
		case !strings.HasPrefix(n.Group, "function:"):
			rest = append(rest, *n)
		case i+1 < len(due) && due[i+1].Group == n.Group:
			before = append(before, n)
		default:
			last = append(last, n)
			functions++
		}
	}
	if functions <= manyFunctions {
		return due
	}
	return slices.Concat(together(before, link, now), together(last, link, now), rest)
}

// together makes as few notifications as these fit into. Their IDs are the same
// when the same is told again after a crash.
func together(list []*channel.Notification, link string, now time.Time) []channel.Notification {
	var alerts []channel.Alert
	more := 0
	h := sha256.New()
	for _, n := range list {
		alerts = append(alerts, n.Alerts...)
		more += n.More
		h.Write([]byte(n.ID))
	}
	slices.SortStableFunc(alerts, func(a, b channel.Alert) int {
		return cmp.Or(over(&a)-over(&b), rank(a.Severity)-rank(b.Severity), a.Began.Compare(b.Began))
	})
	var out []channel.Notification
	for some := range slices.Chunk(alerts, maxAlerts) {
		h.Write([]byte{0})
		out = append(out, channel.Notification{ID: hex.EncodeToString(h.Sum(nil)[:12]), Group: "functions", At: now, Link: link, Alerts: some})
	}
	if len(out) > 0 {
		out[len(out)-1].More = more
	}
	return out
}

// over is 1 for what has ended.
func over(a *channel.Alert) int {
	if a.Ended.IsZero() {
		return 0
	}
	return 1
}
