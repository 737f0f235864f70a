package runs_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/runs"
)

func at() *runs.Target {
	return &runs.Target{Function: "public", Gateway: "http://127.0.0.1:8080", Path: "/api/public/"}
}

func TestASpecThatMakesNoSenseIsRefusedByTheNameOfItsField(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		`{}`:                                                            "kind",
		`{"kind":"soak"}`:                                               "kind",
		`{"kind":"load","rate":5,"users":5}`:                            "users",
		`{"kind":"load","duration":"7h"}`:                               "duration",
		`{"kind":"load","duration":"0s"}`:                               "duration",
		`{"kind":"load","timeout":"x"}`:                                 "timeout",
		`{"kind":"load","path":"x"}`:                                    "path",
		`{"kind":"load","url":"http://a/","function":"b"}`:              "url",
		`{"kind":"load","url":"gopher://a/"}`:                           "url",
		`{"kind":"load","url":"http://u:p@a/"}`:                         "url",
		`{"kind":"load","method":"GET /x","rate":1}`:                    "path",
		`{"kind":"load","objectives":["p99<1s","p99"]}`:                 "objectives[1]",
		`{"kind":"load","objectives":["p99@nowhere<1s"]}`:               "objectives",
		`{"kind":"load","suite":"spike"}`:                               "suite",
		`{"kind":"load","rate":1e6}`:                                    "rate",
		`{"kind":"load","scenario":"nothing"}`:                          "scenario",
		`{"kind":"load","function":"public","scenario":"a: b"}`:         "function",
		`{"kind":"stress","users":3}`:                                   "users",
		`{"kind":"stress","rate":3}`:                                    "rate",
		`{"kind":"stress","suite":"spike"}`:                             "rate",
		`{"kind":"stress","suite":"spike","rate":50000}`:                "rate",
		`{"kind":"stress","suite":"spike","rate":5,"min":3}`:            "min",
		`{"kind":"stress","min":50,"max":20}`:                           "max",
		`{"kind":"stress","step":"10ms"}`:                               "step",
		`{"kind":"stress","suite":"dance"}`:                             "suite",
		`{"kind":"drill"}`:                                              "experiment",
		`{"kind":"drill","experiment":"none"}`:                          "experiment",
		`{"kind":"drill","experiment":"name: x\nbaseline: never"}`:      "experiment",
		`{"kind":"drill","experiment":"hang","rate":5}`:                 "rate",
		`{"kind":"drill","experiment":"hang","path":"1/"}`:              "path",
		`{"kind":"drill","experiment":"hang","ledger":"../etc/passwd"}`: "ledger",
	} {
		var s runs.Spec
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		_, err := s.Plan(at())
		refusal, ok := errors.AsType[*runs.Refusal](err)
		if !ok || refusal.Field != field || strings.Contains(refusal.Message, "\n") {
			t.Errorf("%s: %v, want a sentence about %s", text, err, field)
		}
	}
}

func TestAScenarioReachesNothingOfThisMachines(t *testing.T) {
	t.Setenv("HF_TEST_SECRET", "secret")
	for _, text := range []string{
		"target: http://a\nrate: 1\nfeed: {file: users.csv}\nrequests: [{path: /}]",
		"target: http://a\nrate: 1\nauth: {bearer: \"${HF_TEST_SECRET}\"}\nrequests: [{path: /}]",
		"rate: 1\nrequests: [{url: \"postgres://a@b/c\", query: SELECT 1}]",
		"target: http://a\nrate: 1000000\nrequests: [{path: /}]",
		"target: http://a\nusers: 1000000\nrequests: [{path: /}]",
		"target: http://a\nrate: 1\nduration: 100h\nrequests: [{path: /}]",
		"target: http://a\nrate: 1\ntimeout: 100h\nrequests: [{path: /}]",
	} {
		s := runs.Spec{Kind: runs.Load, Scenario: text}
		if _, err := s.Plan(at()); err == nil {
			t.Errorf("it was taken:\n%s", text)
		}
	}
}

func TestForeignIsWhatDoesNotGoToTheGateway(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"target: http://127.0.0.1:8080\nrequests: [{path: /}]":                                           nil,
		"target: http://localhost:8080\nrequests: [{path: /a}, {url: \"ws://127.0.0.1:8080/b\"}]":        nil,
		"requests: [{url: \"ws://[::1]:8080/b\"}, {url: \"http://127.0.0.2:8080/\"}]":                    {"http://[::1]:8080", "http://127.0.0.2:8080"},
		"target: http://127.0.0.1:8081\nrequests: [{path: /}]":                                           {"http://127.0.0.1:8081"},
		"target: https://127.0.0.1:8080\nrequests: [{path: /}]":                                          {"https://127.0.0.1:8080"},
		"target: http://127.0.0.1:8080.evil.example\nrequests: [{path: /}]":                              {"http://127.0.0.1:8080.evil.example"},
		"requests: [{url: \"http://a/x\"}, {url: \"http://a/y\"}, {url: \"http://127.0.0.1:8080@b/y\"}]": nil,
	} {
		s := runs.Spec{Kind: runs.Load, Scenario: "rate: 1\n" + text}
		p, err := s.Plan(at())
		if err != nil {
			if strings.Contains(text, "@b") || strings.Contains(text, "evil") {
				continue // refused is as good
			}
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Foreign(at().Gateway); !slices.Equal(got, want) {
			t.Errorf("%s: foreign are %v, want %v", text, got, want)
		}
	}
}

func TestAPlanSaysHowLongItCanTake(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		spec runs.Spec
		want time.Duration
	}{
		{runs.Spec{Kind: runs.Load, Rate: 5, Duration: "30s", RampUp: "5s", WarmUp: "5s", Timeout: "2s"}, 42 * time.Second},
		{runs.Spec{Kind: runs.Stress, Suite: "smoke", Rate: 5, Duration: "3s"}, 13 * time.Second},
		{runs.Spec{Kind: runs.Stress}, 6 * time.Hour},
	} {
		p, err := test.spec.Plan(at())
		if err != nil || p.AtMost != test.want {
			t.Errorf("%+v: %v: %v", test.spec, p, err)
		}
	}
	short := runs.Spec{Kind: runs.Drill, Experiment: "hang"}
	long := runs.Spec{Kind: runs.Drill, Experiment: "hang", Long: true}
	a, errA := short.Plan(at())
	b, errB := long.Plan(at())
	if errA != nil || errB != nil || b.Experiment.Length() != 5*a.Experiment.Length() {
		t.Errorf("the long form: %v %v", errA, errB)
	}
}

// FuzzPlan: whatever is asked for is refused with a sentence about a field, or
// within the bounds.
func FuzzPlan(f *testing.F) {
	for _, text := range []string{
		`{"kind":"load","rate":50,"duration":"3s","objectives":["p99<1s"]}`,
		`{"kind":"load","scenario":"target: http://a\nrate: 5\nrequests: [{path: /}]"}`,
		`{"kind":"stress","suite":"spike","rate":5}`,
		`{"kind":"drill","experiment":"hang","long":true}`,
		`{"kind":"drill","experiment":"name: x\nbaseline: 1s\nfault: 2s\nrecovery: 1s\nload: {rate: 1}\ninject: [{do: kill, whom: one}]\nexpect: [detect<1s]"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var s runs.Spec
		if json.Unmarshal(text, &s) != nil {
			return
		}
		p, err := s.Plan(at())
		if err != nil {
			refusal, ok := errors.AsType[*runs.Refusal](err)
			if !ok || refusal.Field == "" || refusal.Message == "" {
				t.Errorf("no sentence about a field: %#v", err)
			}
			return
		}
		if p.AtMost <= 0 || p.AtMost > 30*time.Hour || s.Kind != runs.Drill && runs.Peak(&p.Load) > 1e5 {
			t.Errorf("beyond the bounds: %v, %v/s", p.AtMost, runs.Peak(&p.Load))
		}
		p.Foreign(at().Gateway)
	})
}
