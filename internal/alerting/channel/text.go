package channel

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// clean returns a copy that every receiver can be given: texts are one line of
// UTF-8 without control characters, numbers are numbers, links are links.
func clean(n *Notification) *Notification {
	out := *n
	out.ID, out.Group, out.Link = oneLine(n.ID), oneLine(n.Group), link(n.Link)
	out.Alerts = slices.Clone(n.Alerts)
	for i := range out.Alerts {
		out.Alerts[i] = cleanAlert(out.Alerts[i])
	}
	return &out
}

func cleanAlert(a Alert) Alert {
	for _, s := range []*string{&a.ID, &a.Fingerprint, &a.Rule, &a.Function, &a.Instance, &a.Summary, &a.Cause, &a.Next} {
		*s = oneLine(*s)
	}
	a.Link = link(a.Link)
	a.Numbers = maps.Clone(a.Numbers)
	maps.DeleteFunc(a.Numbers, func(_ string, x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }) // JSON has neither
	labels := make(map[string]string, len(a.Labels))
	for name, value := range a.Labels {
		labels[oneLine(name)] = oneLine(value)
	}
	a.Labels = labels
	return a
}

// oneLine replaces what could end a line, reverse its direction, or not be
// encoded at all.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == utf8.RuneError, unicode.IsControl(c), c == '\u2028', c == '\u2029':
			return ' '
		case unicode.Is(unicode.Bidi_Control, c), c == '\ufeff':
			return -1
		}
		return c
	}, s)
}

// link is s when it is an address of a page, else nothing. What could end it in
// any of the languages is escaped: a query may hold anything.
func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	var b strings.Builder
	for _, c := range []byte(u.String()) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("<>|\"'`\\^{}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// shorten cuts s to at most limit characters, the last of which is … then.
func shorten(s string, limit int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	runes := []rune(s)
	return strings.TrimRightFunc(string(runes[:limit-1]), unicode.IsSpace) + "…"
}

// state is firing or resolved, as Alertmanager says it.
func (a *Alert) state() string {
	if a.Ended.IsZero() {
		return "firing"
	}
	return "resolved"
}

// mark is the first word of a line about an alert.
func (a *Alert) mark() string {
	if !a.Ended.IsZero() {
		return "RESOLVED"
	}
	return strings.ToUpper(string(a.Severity))
}

// about is the line about one alert.
func (a *Alert) about() string {
	subject := a.Function
	if a.Instance != "" {
		subject = strings.TrimPrefix(subject+"/"+a.Instance, "/")
	}
	// The summary names its subject mostly, and then once is enough.
	if subject == "" || strings.Contains(a.Summary, a.Function) && (a.Instance == "" || strings.Contains(a.Summary, a.Instance)) {
		return a.mark() + ": " + a.Summary
	}
	return a.mark() + " " + subject + ": " + a.Summary
}

// headline says in one line what the notification is about.
func headline(n *Notification) string {
	switch {
	case n.Test:
		return "Test from Holdfast: nothing is wrong"
	case n.Heartbeat:
		return "Heartbeat from Holdfast: all is well"
	case len(n.Alerts) == 0:
		return "Holdfast has nothing to say"
	case len(n.Alerts) == 1 && n.More == 0:
		return n.Alerts[0].about()
	case n.Resolved():
		return fmt.Sprintf("RESOLVED: all %d alerts, among them: %s", len(n.Alerts)+n.More, n.Alerts[0].Summary)
	}
	return fmt.Sprintf("%s (and %d more)", n.Alerts[0].about(), len(n.Alerts)+n.More-1)
}

// worst is the severity of the worst alert that fires; empty: none does.
func worst(n *Notification) Severity {
	var found Severity
	for i := range n.Alerts {
		if a := &n.Alerts[i]; a.Ended.IsZero() && (found == "" || a.Severity.rank() > found.rank()) {
			found = a.Severity
		}
	}
	return found
}

// rank orders severities; what is unknown counts as a warning.
func (s Severity) rank() int {
	switch s {
	case Critical:
		return 2
	case Info:
		return 0
	case Warning:
	}
	return 1
}

// numbers are the figures in the order of their names: "p95_ms: 812".
func numbers(a *Alert) []string {
	list := make([]string, 0, len(a.Numbers))
	for _, name := range slices.Sorted(maps.Keys(a.Numbers)) {
		list = append(list, oneLine(name)+": "+number(a.Numbers[name]))
	}
	return list
}

// number has three decimals at most, unless it is a small one.
func number(x float64) string {
	if size := math.Abs(x); size >= 1 && size < 1e12 {
		return strconv.FormatFloat(math.Round(x*1000)/1000, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

// span says when an alert began, and how long it lasted.
func span(a *Alert) string {
	began := a.Began.UTC().Format("2006-01-02 15:04:05 UTC")
	if a.Ended.IsZero() {
		return "since " + began
	}
	return "from " + began + " for " + a.Ended.Sub(a.Began).Round(time.Second).String()
}

func ifAny(label, text string) string {
	if text == "" {
		return ""
	}
	return label + text
}
