package alerting

import (
	"fmt"
	"math"
	"time"

	"holdfast/internal/alerting/channel"
)

// judge applies the rules built in to a picture.
func judge(v *View, rules map[string]*Rule) []Finding {
	var list []Finding
	add := func(f Finding) { list = append(list, f) }
	for i := range v.Functions {
		judgeFunction(&v.Functions[i], v.At, add)
	}
	for i := range v.Anomalies {
		add(anomalous(&v.Anomalies[i]))
	}
	for i := range v.Certificates {
		if r := rules[CertificateEnds]; r != nil {
			judgeCertificate(&v.Certificates[i], r.Below, v.At, add)
		}
	}
	judgeStore(&v.Store, v.At, add)
	return list
}

func anomalous(a *Anomaly) Finding {
	f := Finding{Rule: a.Rule, Function: a.Function, Instance: a.Instance, Since: a.Since, Numbers: a.Numbers, Summary: a.Text}
	switch {
	case a.Instance != "":
		f.Summary = a.Function + ": instance " + a.Instance + ": " + a.Text
		f.Next = "holdfast explain instance " + a.Function + " " + a.Instance
	case a.Function != "":
		f.Summary = a.Function + ": " + a.Text
		f.Next = "holdfast requests " + a.Function + " shows requests that failed or were slow; holdfast explain request ID says why"
	default:
		f.Cause = "the machine, or Holdfast's control group, is too small for what runs on it"
		f.Next = "holdfast doctor; then give it more, or move something away"
	}
	if a.Rule == Latency {
		f.Next = "compare with the chart of last week; holdfast requests " + a.Function + " shows slow ones"
	}
	return f
}

const day = 24 * time.Hour

// grave is how many days before the end a certificate is critical, whatever
// the rule says.
const grave = 2

func judgeCertificate(c *Certificate, days float64, now time.Time, add func(Finding)) {
	if c.Ends.IsZero() {
		return
	}
	left := float64(c.Ends.Sub(now)) / float64(day)
	if left > days {
		return
	}
	f := Finding{
		Rule: CertificateEnds, Part: c.Listener, Numbers: map[string]float64{"days_left": math.Floor(left)},
		Summary: fmt.Sprintf("the certificate of the %s listener ends in %s, on %s", c.Listener, daysOf(left), c.Ends.UTC().Format("2 January 15:04 UTC")),
		Cause:   "nobody has renewed it, or the new one is not where the configuration says",
		Next:    "put the new one in the place of the old file: it is read again by itself",
	}
	if left <= 0 {
		f.Summary = fmt.Sprintf("the certificate of the %s listener has ended on %s: clients refuse it", c.Listener, c.Ends.UTC().Format("2 January 15:04 UTC"))
	}
	if c.Auto {
		f.Cause = "Holdfast makes this one itself, 30 days before the end, and could not"
		f.Next = "look into the log for \"certificate not replaced\""
	}
	if left <= grave {
		f.Severity = channel.Critical
	}
	add(f)
}

func daysOf(days float64) string {
	if days < 2 {
		return fmt.Sprintf("%.0f hours", math.Floor(days*24))
	}
	return fmt.Sprintf("%.0f days", math.Floor(days))
}

func judgeStore(s *Store, now time.Time, add func(Finding)) {
	if s.Down {
		add(Finding{
			Rule: StoreDown, Since: s.Since, Summary: "the store is down: facts wait on the disk and orders are refused, traffic goes on",
			Cause: s.Reason, Next: "bring it back; holdfast doctor says what is in the way",
			Numbers: map[string]float64{"down_s": math.Round(now.Sub(earlier(s.Since, now)).Seconds())},
		})
	}
	if s.Disk != "" {
		add(Finding{
			Rule: DiskFull, Summary: "the disk takes no records: what happens now is kept in memory only, and a crash would lose it",
			Cause: s.Disk, Next: "free some space in the data directory", Numbers: map[string]float64{"records_in_memory": float64(s.InMemory)},
		})
	}
}
