package report_test

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"

	"holdfast/loadtest/report"
)

func TestASearchIsShown(t *testing.T) {
	t.Parallel()
	recovered, never := 3.0, -1.0
	d := &report.Document{Schema: report.Schema, Title: "shop", Verdict: report.Verdict{Passed: true, Generator: "OK"}, Search: &report.Search{
		Sustainable: 200, Low: 200, High: 210, Confirmed: true, Cause: "latency", Knee: 190, Recovered: &recovered,
		Steps: []report.Step{{Phase: "double", Rate: 100, Good: 100, P99: 5, Broke: "nothing"}, {Phase: "double", Rate: 400, Good: 200, P99: 900, Broke: "latency"}},
	}}
	html := written(t, d, (*report.Document).HTML)
	for _, want := range []string{"<td>200/s", "<td>210/s, first by: latency", "about 190/s", "<td>3 s after the overload", "Good answers by rate", "<td>double<td>400<td>200<td>0<td>0<td>900<td>latency", "Of the rate that was held."} {
		if !strings.Contains(html, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if md := written(t, d, (*report.Document).Markdown); !strings.Contains(md, "| sustainable | 200/s |") {
		t.Errorf("no rate in\n%s", md)
	}
	again, err := report.Read(strings.NewReader(written(t, d, (*report.Document).JSON)))
	if err != nil || again.Search == nil || again.Search.Sustainable != 200 || len(again.Search.Steps) != 2 {
		t.Errorf("read back: %v, %+v", err, again)
	}
	d.Search.Sustainable, d.Search.Recovered = 0, &never
	if html := written(t, d, (*report.Document).HTML); !strings.Contains(html, "not confirmed; good at 200/s") || !strings.Contains(html, "not well again in time") ||
		!strings.Contains(html, "Of the last step, since no rate was held.") {
		t.Error("a rate that was not confirmed is shown as if it were")
	}
}

func TestALawIsShownAsFarAsItWasTested(t *testing.T) {
	t.Parallel()
	d := &report.Document{Schema: report.Schema, Verdict: report.Verdict{Passed: true, Generator: "OK"}, Law: &report.Law{
		Lambda: report.Range{Value: 100, Low: 90, High: 110}, Sigma: report.Range{Value: 0.1}, Kappa: report.Range{Value: 0.01}, R2: 0.99, Tested: 64,
		Points: []report.AtUsers{{Users: 1, Rate: 100}, {Users: 64, Rate: 130}},
	}}
	if html := written(t, d, (*report.Document).HTML); !strings.Contains(html, "beyond the 64 users tested") || !strings.Contains(html, "Throughput by users") {
		t.Error("the page does not say what was tested")
	}
	d.Law.Peak, d.Law.Most = &report.Range{Value: 9.5, Low: 9, High: 10}, &report.Range{Value: 365}
	if html := written(t, d, (*report.Document).HTML); !strings.Contains(html, "at 9.5 users (95 %: 9 to 10), 365/s") {
		t.Error("the page does not tell the peak")
	}
	if got := d.Law.At(2); math.Abs(got-200/1.12) > 1e-9 { // 1 + sigma + 2 kappa
		t.Errorf("the law has %v for two users", got)
	}
}

func written(t *testing.T, d *report.Document, write func(*report.Document, io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(d, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
