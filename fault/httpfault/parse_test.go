package httpfault_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"holdfast/fault"
	"holdfast/fault/httpfault"
)

func TestParseReadsWhatTheDocumentationShows(t *testing.T) {
	t.Parallel()
	language().Reads(t, map[string]httpfault.Rule{
		"status=503":                {Kind: httpfault.Status, Status: 503},
		"status=429/2s@1/3":         {Kind: httpfault.Status, Status: 429, RetryAfter: 2 * time.Second, Every: 3},
		"delay=200ms~50ms":          {Kind: httpfault.Delay, Delay: fault.Delay{Mean: 200 * time.Millisecond, Jitter: 50 * time.Millisecond}},
		"reset=10%":                 {Kind: httpfault.Reset, Percent: 10},
		"POST /orders/*: lost@0.5%": {Kind: httpfault.Lost, Method: "POST", Path: "/orders/*", Percent: 0.5},
		"/slow: truncate=100B":      {Kind: httpfault.Truncate, Path: "/slow", Bytes: 100},
		"truncate":                  {Kind: httpfault.Truncate},
		"GET: broken-chunk=1KiB":    {Kind: httpfault.BrokenChunk, Method: "GET", Bytes: 1 << 10},
		"wrong-length=-10":          {Kind: httpfault.WrongLength, Bytes: -10},
		"wrong-length=10":           {Kind: httpfault.WrongLength, Bytes: 10},
		"garbage=32B":               {Kind: httpfault.Garbage, Bytes: 32},
		"close":                     {Kind: httpfault.Close},
	})
	list, err := httpfault.Parse("POST /orders/*: status=503@10%, delay=1s; /slow: delay=5s;")
	if err != nil || httpfault.Format(list) != "POST /orders/*: status=503@10%; POST /orders/*: delay=1s; /slow: delay=5s" {
		t.Errorf("a list = %q, %v", httpfault.Format(list), err)
	}
}

func TestParseErrorsAreOneSentenceThatQuotes(t *testing.T) {
	t.Parallel()
	language().Refuses(t, map[string]string{
		"explode":                    `parse rule "explode": the kind is unknown: use status, delay`,
		"status":                     "status needs a number from 200 to 599",
		"status=99":                  "status needs a number from 200 to 599",
		"status=503/soon":            "as in status=429/2s",
		"delay":                      "delay needs a time, as in delay=200ms~50ms",
		"delay=fast":                 `"fast" is no time`,
		"wrong-length=0":             "wrong-length needs the difference",
		"garbage=1MiB":               "garbage needs a size from 1B to 8KiB",
		"reset=1s":                   "a value that its kind does not know",
		"reset@1/0":                  `"1/0" is no share: write it like 10% or 1/3`,
		"reset@0%":                   "must be more than 0% and at most 100%",
		"get /: reset":               `parse route "get /": a route is a method, a path, or both`,
		"GET / twice: reset":         "a route is a method, a path, or both",
		": reset":                    "a route is a method, a path, or both",
		"truncate=-1B":               `"-1B" is no size`,
		"/x: reset,, close":          `parse rule "": the kind is unknown`,
		strings.Repeat("reset;", 70): "at most 64 are taken",
	})
}

func TestRulesAreTextInYAMLAndJSON(t *testing.T) {
	t.Parallel()
	var rules []httpfault.Rule
	if err := yaml.Unmarshal([]byte("- 'GET /api/*: status=503@10%'\n- delay=1s\n"), &rules); err != nil || len(rules) != 2 {
		t.Fatalf("read %+v, %v", rules, err)
	}
	out, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	var again []httpfault.Rule
	if err := json.Unmarshal(out, &again); err != nil || !reflect.DeepEqual(again, rules) {
		t.Errorf("%s was read as %+v, %v", out, again, err)
	}
	if err := yaml.Unmarshal([]byte("- reset; close"), &rules); err == nil || !strings.Contains(err.Error(), "want one rule, not 2") {
		t.Errorf("two rules in one: %v", err)
	}
}

func TestBadRulesAreRefused(t *testing.T) {
	t.Parallel()
	for _, r := range []httpfault.Rule{
		{},
		{Kind: httpfault.Reset, Every: 2, Percent: 5},
		{Kind: httpfault.Reset, Status: 200},
		{Kind: httpfault.Close, Bytes: 1},
		{Kind: httpfault.Reset, Path: "no/slash"},
		{Kind: httpfault.Reset, Method: "a b"},
		{Kind: httpfault.Truncate, Bytes: -1},
		{Kind: 99},
	} {
		if err := r.Check(); err == nil {
			t.Errorf("%+v was accepted", r)
		}
	}
}

// FuzzParse: what is accepted is checked, and is written as text that means the same.
func FuzzParse(f *testing.F) {
	language().Fuzz(f, "POST /a/*: status=503/2s@1/3, delay=1s~1ms; wrong-length=-3", "garbage=1KiB@0.1%", "x")
}
