package report

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// JSON writes the document; Read reads it.
func (d *Document) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(d)
}

// maxDocument bounds what Read takes: a day of seconds has some 30 MB.
const maxDocument = 256 << 20

// Read reads a document that JSON wrote, of this version of the schema.
func Read(r io.Reader) (*Document, error) {
	var d Document
	if err := json.NewDecoder(io.LimitReader(r, maxDocument)).Decode(&d); err != nil {
		return nil, fmt.Errorf("read a report: %w", err)
	}
	if d.Schema != Schema {
		return nil, fmt.Errorf("read a report: its schema is %d, this version reads %d", d.Schema, Schema)
	}
	return &d, nil
}

// CSV writes a line per step, with the names of the columns first.
func (d *Document) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	// Write keeps the first error for Error.
	_ = out.Write([]string{
		"at_seconds", "seconds", "phase", "offered_rate", "ok_rate", "failed_rate", "not_sent_rate", "timeout_rate", "limited_rate", "in_flight",
		"users", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms", "service_p50_ms", "service_p99_ms", "timer_lag_p99_ms",
	})
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for i := range d.Series {
		p := &d.Series[i]
		_ = out.Write([]string{
			number(p.At), number(p.Length), p.Phase, number(p.Offered), number(p.OK), number(p.Failed), number(p.NotSent), number(p.Timeouts),
			number(p.Limited), strconv.FormatInt(p.InFlight, 10), strconv.Itoa(p.Users), number(p.P50), number(p.P90), number(p.P99), number(p.P999),
			number(p.Max), number(p.ServiceP50), number(p.ServiceP99), number(p.TimerLag),
		})
	}
	out.Flush()
	return out.Error()
}

// Markdown writes what a reviewer wants to see of it.
func (d *Document) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s: %s\n\n", escape(d.Title), d.Verdict.sentence())
	fmt.Fprintf(&b, "%s model, %s requests in %.0f s, %.4g good answers/s", d.Model, grouped(d.Total.Planned), d.Seconds, d.Rate)
	if d.TargetRate > 0 {
		fmt.Fprintf(&b, " of %.4g/s asked for", d.TargetRate)
	}
	fmt.Fprintf(&b, ", %s failed (%.3g %%).\n", grouped(d.Total.Failed), 100*d.Total.ErrorRatio)
	if len(d.Verdict.Objectives) > 0 {
		b.WriteString("\n| objective | measured | met |\n|---|---|---|\n")
		for _, o := range d.Verdict.Objectives {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.ReplaceAll(o.Text, "|", "\\|"), escape(o.Value), yes(o.Met))
		}
	}
	if found := d.Found(); len(found) > 0 {
		b.WriteString("\n| found | |\n|---|---|\n")
		for _, f := range found {
			fmt.Fprintf(&b, "| %s | %s |\n", f.Name, escape(f.Value))
		}
	}
	b.WriteString("\n| ms | p50 | p90 | p99 | p99.9 | max |\n|---|---|---|---|---|---|\n")
	for _, t := range []struct {
		name string
		of   *Times
	}{{"response time", &d.Total.Response}, {"service time", &d.Total.Service}} {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", t.name, short(t.of.P50), short(t.of.P90), short(t.of.P99), short(t.of.P999), short(&t.of.Max))
	}
	if len(d.Endpoints) > 1 {
		b.WriteString("\n| request | planned | failed | p50 | p99 |\n|---|---|---|---|---|\n")
		for i := range d.Endpoints {
			e := &d.Endpoints[i]
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", escape(e.Name), grouped(e.Planned), grouped(e.Failed), short(e.Response.P50), short(e.Response.P99))
		}
	}
	if len(d.Errors) > 0 {
		b.WriteString("\n| failure | requests | first one |\n|---|---|---|\n")
		for _, class := range slices.Sorted(maps.Keys(d.Errors)) {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", class, grouped(d.Total.Classes[class]), escape(d.Errors[class]))
		}
	}
	for _, r := range d.Verdict.Reasons {
		fmt.Fprintf(&b, "\nGenerator: %s\n", escape(r))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sentence is the verdict in words.
func (v *Verdict) sentence() string {
	met := 0
	for _, o := range v.Objectives {
		if o.Met {
			met++
		}
	}
	s := "measured, no objectives"
	switch {
	case v.Generator == "INVALID":
		return "INVALID, the generator was the limit"
	case len(v.Objectives) > 0 && v.Passed:
		s = fmt.Sprintf("passed, all %d objectives met", met)
	case len(v.Objectives) > 0:
		s = fmt.Sprintf("FAILED, %d of %d objectives met", met, len(v.Objectives))
	}
	if v.Generator == "SUSPECT" {
		s += " (generator SUSPECT)"
	}
	return s
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"`
	At       string      `xml:"timestamp,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	Time    string   `xml:"time,attr"`
	Failure *problem `xml:"failure,omitempty"`
	Error   *problem `xml:"error,omitempty"`
}

type problem struct {
	Message string `xml:"message,attr"`
}

// JUnit writes each objective as a test, and the generator's own health as one
// that is an error when the run proves nothing.
func (d *Document) JUnit(w io.Writer) error {
	s := junitSuite{Name: d.Title, Time: fmt.Sprintf("%.3f", d.Seconds), At: d.Begun.UTC().Format(time.RFC3339)}
	for _, o := range d.Verdict.Objectives {
		c := junitCase{Name: o.Text, Class: "objectives", Time: s.Time}
		if !o.Met {
			s.Failures++
			c.Failure = &problem{"measured " + o.Value}
		}
		s.Cases = append(s.Cases, c)
	}
	c := junitCase{Name: "generator", Class: "self-check", Time: s.Time}
	if d.Verdict.Generator == "INVALID" {
		s.Errors++
		c.Error = &problem{strings.Join(d.Verdict.Reasons, "; ")}
	}
	s.Cases = append(s.Cases, c)
	s.Tests = len(s.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func yes(met bool) string {
	if met {
		return "yes"
	}
	return "**no**"
}

// short is a time in milliseconds with three digits; "-" where it is unknown.
func short(v *float64) string {
	switch {
	case v == nil:
		return "-"
	case *v >= 1000:
		return fmt.Sprintf("%.0f", *v)
	}
	return fmt.Sprintf("%.3g", *v)
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// escape keeps a text from being more than text in Markdown.
func escape(s string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ", "*", "\\*", "`", "'").Replace(s)
}
