package fault_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"holdfast/fault"
)

func TestParseReadsWhatTheDocumentationShows(t *testing.T) {
	t.Parallel()
	language().Reads(t, map[string]fault.Fault{
		"latency=200ms":               {Kind: fault.Latency, Delay: fault.Delay{Mean: 200 * time.Millisecond}},
		"latency=200ms~50ms":          {Kind: fault.Latency, Delay: fault.Delay{Mean: 200 * time.Millisecond, Jitter: 50 * time.Millisecond}},
		"up.latency=1s~2s:normal@30%": {Kind: fault.Latency, Direction: fault.Up, Percent: 30, Delay: fault.Delay{Mean: time.Second, Jitter: 2 * time.Second, Shape: fault.Normal}},
		"down.bandwidth=64KiB/s":      {Kind: fault.Bandwidth, Direction: fault.Down, Rate: 64 << 10},
		"slice=16B~8B/5ms":            {Kind: fault.Slice, Bytes: 16, Spread: 8, Delay: fault.Delay{Mean: 5 * time.Millisecond}},
		"slice=16":                    {Kind: fault.Slice, Bytes: 16},
		"limit=10KiB":                 {Kind: fault.Limit, Bytes: 10 << 10},
		"limit=10MB":                  {Kind: fault.Limit, Bytes: 10_000_000},
		"reset":                       {Kind: fault.Reset},
		"reset=10%":                   {Kind: fault.Reset, Percent: 10},
		"reset=2s":                    {Kind: fault.Reset, Delay: fault.Delay{Mean: 2 * time.Second}},
		"reset=1KiB/2s@0.5%":          {Kind: fault.Reset, Bytes: 1 << 10, Percent: 0.5, Delay: fault.Delay{Mean: 2 * time.Second}},
		"blackhole=5%":                {Kind: fault.Blackhole, Percent: 5},
		"down.half-open":              {Kind: fault.HalfOpen, Direction: fault.Down},
	})
	list, err := fault.Parse(" latency=1ms ,reset=10% ")
	if err != nil || fault.Format(list) != "latency=1ms, reset@10%" {
		t.Errorf("a list = %q, %v", fault.Format(list), err)
	}
}

func TestParseErrorsAreOneSentenceThatQuotes(t *testing.T) {
	t.Parallel()
	language().Refuses(t, map[string]string{
		"lag=1s":                     `parse fault "lag=1s": the kind is unknown: use latency, bandwidth`,
		"latency":                    "latency needs a time, as in latency=200ms~50ms",
		"latency=fast":               `"fast" is no time: write a time like 200ms`,
		"latency=1s~1s:pareto":       `"pareto": the shape of the jitter is unknown: use uniform, normal or exponential`,
		"latency=1s:normal":          "has a shape but no jitter",
		"latency=48h":                "between 0 and 24h",
		"latency=-1s":                "between 0 and 24h",
		"bandwidth=1KiB":             `"1KiB" is no rate: write a rate like 64KiB/s`,
		"bandwidth=0/s":              "bandwidth needs a rate",
		"slice=5ms":                  "slice needs the size of its pieces",
		"slice=4B~4B":                "must be less than the size of its pieces",
		"limit=1s":                   "limit needs a size",
		"limit=many":                 "write a size like 10KiB",
		"limit=9999999TiB":           "write a size like 10KiB",
		"reset@0%":                   "must be more than 0% and at most 100%",
		"reset=101%":                 "must be more than 0% and at most 100%",
		"reset@NaN%":                 "must be more than 0% and at most 100%",
		"reset@half":                 `"half" is no share: write it like 10%`,
		"blackhole=1s":               "a value that its kind does not know",
		"sideways.reset":             "the kind is unknown",
		"reset,":                     `parse fault "": the kind is unknown`,
		"reset=1B~1B":                "a value that its kind does not know",
		strings.Repeat("reset,", 70): "at most 64 are taken",
	})
}

func TestStepsAreReadAndWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"at 10s for 5s: latency=200ms, reset@10%", "at 0s: blackhole"} {
		s, err := fault.ParseStep(text)
		if err != nil || s.String() != text {
			t.Errorf("ParseStep(%q) = %q, %v", text, s, err)
		}
	}
	for text, want := range map[string]string{
		"10s: reset":            `write it like "at 10s for 5s: latency=200ms"`,
		"at 10s for 0s: reset":  "does nothing",
		"at 10s for 5s: ":       "needs a fault",
		"at 10s for 5s: lag=1s": "the kind is unknown",
		"at soon: reset":        `"soon" is no time`,
	} {
		if _, err := fault.ParseStep(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseStep(%q) = %v, want %q", text, err, want)
		}
	}
}

func TestFaultsAreTextInYAMLAndJSON(t *testing.T) {
	t.Parallel()
	type file struct {
		Faults   []fault.Fault `yaml:"faults"`
		Timeline []fault.Step  `yaml:"timeline"`
	}
	var read file
	in := "faults:\n- latency=200ms~50ms\n- reset=10%\ntimeline:\n- 'at 10s for 5s: blackhole'\n"
	if err := yaml.Unmarshal([]byte(in), &read); err != nil {
		t.Fatal(err)
	}
	if len(read.Faults) != 2 || read.Faults[1].Percent != 10 || len(read.Timeline) != 1 || read.Timeline[0].For != 5*time.Second {
		t.Fatalf("read %+v", read)
	}
	out, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	var again file
	if err := json.Unmarshal(out, &again); err != nil || !reflect.DeepEqual(again, read) {
		t.Errorf("%s was read as %+v (%v)", out, again, err)
	}
	if err := yaml.Unmarshal([]byte("faults: [lag=1s]"), &read); err == nil || !strings.Contains(err.Error(), "the kind is unknown") {
		t.Errorf("a bad fault in YAML: %v", err)
	}
	if _, err := json.Marshal(fault.Fault{}); err == nil {
		t.Error("the zero fault was written")
	}
}

func TestDelaysHaveTheirShape(t *testing.T) {
	t.Parallel()
	const n = 50_000
	for _, c := range []struct {
		text               string
		mean, deviation    float64 // ms
		least, most, close float64
	}{
		{"100ms~60ms", 100, 60 / math.Sqrt(3), 40, 160, 1},
		{"100ms~10ms:normal", 100, 10, 60, 140, 1},
		{"100ms~50ms:exponential", 150, 50, 100, 1100, 2},
		{"100ms", 100, 0, 100, 100, 0},
	} {
		d, err := fault.ParseDelay(c.text)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 1))
		sum, squares := 0.0, 0.0
		for range n {
			ms := float64(d.Draw(r)) / float64(time.Millisecond)
			if ms < c.least || ms > c.most {
				t.Fatalf("%s drew %v", c.text, ms)
			}
			sum, squares = sum+ms, squares+ms*ms
		}
		mean := sum / n
		deviation := math.Sqrt(max(0, squares/n-mean*mean))
		if math.Abs(mean-c.mean) > c.close || math.Abs(deviation-c.deviation) > c.close {
			t.Errorf("%s has mean %.1f and deviation %.1f, want %.1f and %.1f", c.text, mean, deviation, c.mean, c.deviation)
		}
	}
}

// FuzzParse: what is accepted is checked, and is written as text that means the same.
func FuzzParse(f *testing.F) {
	language().Fuzz(f, "latency=200ms~50ms:normal@3%", "reset=10%, limit=1KiB", "up.slice=16B~8B/5ms", "bandwidth=1TB/s", "reset=1B/1ns@1e-9%", "x")
}
