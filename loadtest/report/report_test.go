package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/report"
)

// measured is a real run of two seconds against a server that is sometimes slow
// and sometimes fails.
func measured(t *testing.T) *report.Document {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch v := rand.Float64(); {
		case v < 0.03:
			w.WriteHeader(http.StatusInternalServerError)
		case v < 0.1 && r.URL.Path == "/b":
			time.Sleep(30 * time.Millisecond)
		}
	}))
	t.Cleanup(srv.Close)
	client, err := httpload.New(httpload.Config{Requests: []httpload.Request{{URL: srv.URL + "/a"}, {URL: srv.URL + "/b"}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{
		Client: client, Endpoints: []loadtest.Endpoint{{Name: "GET /a"}, {Name: "GET /b <x>"}}, Rate: 300, Duration: 4 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	d := report.New(r)
	d.Title = "checkout | <b>"
	d.Setup = []report.Setting{{Name: "command", Value: "holdfast load " + srv.URL + " --rate 300"}}
	d.Verdict.Objectives = []report.Objective{{Text: "p99<250ms", Value: "31 ms", Met: true}, {Text: "errors<0.1%", Value: "3 %", Met: false}}
	d.Verdict.Passed = false
	return d
}

func TestADocumentSaysTheSameInEveryFormat(t *testing.T) {
	t.Parallel()
	d := measured(t)
	if d.Total.Planned != 1200 || d.Total.Failed == 0 || d.Total.OK+d.Total.Failed != 1200 || len(d.Endpoints) != 2 || d.Model != "open" {
		t.Fatalf("%+v", d.Total)
	}
	if p := d.Total.Response; p.P99 == nil || p.P9999 != nil || *p.P50 > *p.P99 || *p.P99 > p.Max {
		t.Errorf("response times %+v", p)
	}
	t.Run("JSON is read back", func(t *testing.T) {
		t.Parallel()
		var b bytes.Buffer
		if err := d.JSON(&b); err != nil {
			t.Fatal(err)
		}
		again, err := report.Read(&b)
		if err != nil || !reflect.DeepEqual(again.Total, d.Total) || !reflect.DeepEqual(again.Series, d.Series) {
			t.Errorf("%v: %+v", err, again)
		}
	})
	t.Run("CSV has a line per second", func(t *testing.T) {
		t.Parallel()
		var b bytes.Buffer
		if err := d.CSV(&b); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(lines) != len(d.Series)+1 || lines[0][11] != "p50_ms" {
			t.Errorf("%v, %d lines of %d points", err, len(lines), len(d.Series))
		}
	})
	t.Run("JUnit fails what is not met", func(t *testing.T) {
		t.Parallel()
		var b bytes.Buffer
		if err := d.JUnit(&b); err != nil {
			t.Fatal(err)
		}
		var suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
			} `xml:"testcase"`
		}
		if err := xml.Unmarshal(b.Bytes(), &suite); err != nil || suite.Tests != 3 || suite.Failures != 1 || suite.Cases[1].Name != "errors<0.1%" || suite.Cases[1].Failure == nil {
			t.Errorf("%v: %+v", err, suite)
		}
	})
	t.Run("Markdown cannot be broken out of", func(t *testing.T) {
		t.Parallel()
		var b bytes.Buffer
		if err := d.Markdown(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for _, want := range []string{"FAILED, 1 of 2 objectives met", "| `errors<0.1%` | 3 % | **no** |", "checkout \\| &lt;b>", "GET /b &lt;x>", "1,200 requests"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
	})
	t.Run("HTML needs nothing else", func(t *testing.T) {
		t.Parallel()
		var b bytes.Buffer
		if err := d.HTML(&b); err != nil {
			t.Fatal(err)
		}
		if path := os.Getenv("HOLDFAST_REPORT"); path != "" {
			if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
				t.Error(err)
			}
		}
		text := b.String()
		if n := strings.Count(text, "<svg "); n != 7 || strings.Count(text, "</svg>") != n {
			t.Errorf("%d charts", n)
		}
		if found := regexp.MustCompile(`(?i)<script|<b>\s*</title|src=|href=|url\(|NaN|Inf\b`).FindString(text); found != "" {
			t.Errorf("the page has %q", found)
		}
		if strings.Contains(text, "<x>") || !strings.Contains(text, "FAILED, 1 of 2 objectives met") {
			t.Error("a name is not escaped, or the verdict is missing")
		}
	})
}

func TestAnEmptyRunHasAReport(t *testing.T) {
	t.Parallel()
	d := report.New(&loadtest.Result{Total: &loadtest.Summary{}})
	var b bytes.Buffer
	for name, write := range map[string]func() error{
		"html": func() error { return d.HTML(&b) }, "csv": func() error { return d.CSV(&b) }, "json": func() error { return d.JSON(&b) },
		"markdown": func() error { return d.Markdown(&b) }, "junit": func() error { return d.JUnit(&b) },
	} {
		if err := write(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyThisSchemaIsRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"{": "read a report", `{"schema": 99}`: "its schema is 99", "[]": "read a report"} {
		if _, err := report.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzADocumentIsReadOrRefused(f *testing.F) {
	f.Add([]byte(`{"schema":1,"series":[{"at_seconds":1,"seconds":1,"heat":[[3,4]]}]}`))
	f.Add([]byte(`{"schema":1,"total":{"response":{"spectrum":[[0,1],[0.9,2],[0.99,1e300]]}},"series":[{},{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := report.Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := d.HTML(&b); err != nil {
			t.Error(err)
		}
		if _, err := json.Marshal(d); err != nil {
			t.Error(err)
		}
	})
}
