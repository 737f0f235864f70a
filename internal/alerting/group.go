package alerting

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/alerting/channel"
)

// group is what is known of one subject's notifications. It is kept on disk.
type group struct {
	// Told is when the last notification was made, News since when there is
	// something nobody was told; zero: there is nothing.
	Told time.Time `json:"told,omitzero"`
	News time.Time `json:"news,omitzero"`
	// Made counts notifications, for their IDs.
	Made uint64 `json:"made"`
}

// Pace is how often is told.
type Pace struct {
	Wait     time.Duration // after the first change, for what belongs to it
	Interval time.Duration // between two notifications about one group
	Repeat   time.Duration // again while something fires
}

// maxAlerts is how many alerts a notification shows.
const maxAlerts = 100

// groupKey: all about one function is one group, and each channel is one, so
// that what a channel is told of never depends on itself.
func groupKey(s *state) string {
	switch {
	case s.Rule == ChannelFailing:
		return "channel:" + s.Part
	case s.Function != "":
		return "function:" + s.Function
	}
	return "holdfast"
}

// newsOf reports whether the group must be told something of s.
func newsOf(s *state) bool {
	switch {
	case s.Pending:
		return false
	case !s.Ended.IsZero():
		return !s.Closed && (s.Told || s.Heard)
	case !s.muted.none():
		return false
	}
	return !s.Told || rank(s.Severity) < rank(s.ToldAs)
}

// loud reports whether s fires and nothing stands against telling it.
func (s *state) loud() bool { return !s.Pending && s.Ended.IsZero() && s.muted.none() }

// note looks whether there is news, and says whether the group is told now.
func (g *group) note(members []*state, p Pace, now time.Time) (due bool) {
	if !slices.ContainsFunc(members, newsOf) {
		g.News = time.Time{}
		return !g.Told.IsZero() && now.Sub(g.Told) >= p.Repeat && slices.ContainsFunc(members, (*state).loud)
	}
	if g.News.IsZero() {
		g.News = now
	}
	return now.Sub(g.News) >= p.Wait && now.Sub(g.Told) >= p.Interval
}

// tell makes what the group is told now. What fired and is over before anybody
// was told is told twice: that it fired, and that it is over. What does not fit
// stays news.
func (g *group) tell(key string, members []*state, link string, now time.Time) []channel.Notification {
	shown := slices.DeleteFunc(slices.Clone(members), func(s *state) bool { return !newsOf(s) && !s.loud() })
	slices.SortFunc(shown, func(a, b *state) int {
		if newsOf(a) != newsOf(b) {
			return map[bool]int{true: -1, false: 1}[newsOf(a)]
		}
		return worse(a, b)
	})
	more := max(len(shown)-maxAlerts, 0)
	shown = shown[:len(shown)-more]
	slices.SortFunc(shown, worse)
	var begun, all []channel.Alert
	late := false
	for _, s := range shown {
		late = late || !s.Ended.IsZero() && !s.Told
		all = append(all, s.Alert)
		if s.Ended.IsZero() || !s.Told {
			a := s.Alert
			a.Ended = time.Time{}
			begun = append(begun, a)
		}
		s.Told, s.ToldAs, s.Closed = true, s.Severity, !s.Ended.IsZero()
	}
	var list []channel.Notification
	if late {
		list = append(list, g.notification(key, begun, more, link, now))
	}
	list = append(list, g.notification(key, all, more, link, now))
	g.Told, g.News = now, time.Time{}
	return list
}

func (g *group) notification(key string, alerts []channel.Alert, more int, link string, now time.Time) channel.Notification {
	g.Made++
	n := channel.Notification{Group: key, At: now, Link: link, Alerts: alerts, More: more}
	n.ID = notificationID(key, &n, g.Made)
	return n
}

// notificationID is the same when the same is told again after a crash.
func notificationID(key string, n *channel.Notification, number uint64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d", key, number)
	for i := range n.Alerts {
		fmt.Fprintf(h, " %s %v", n.Alerts[i].ID, n.Alerts[i].Ended.IsZero())
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
