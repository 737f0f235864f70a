package config_test

import (
	"strings"
	"testing"

	"holdfast/internal/config"
)

func TestHeadersOfTheCollectorOfTracesAreShownToNobody(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, `telemetry:
  traces: {endpoint: "http://localhost:4318", headers: {x-honeycomb-team: hush}, sample: 0.5}
`)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(config.Marshal(c, true)); strings.Contains(text, "hush") || !strings.Contains(text, "x-honeycomb-team") {
		t.Error(text)
	}
	if got := c.Telemetry.Traces; got.Headers["x-honeycomb-team"] != "hush" || got.Sample != 0.5 || got.Troubled != 100 || got.Parents != "any" {
		t.Errorf("%+v", got)
	}
}
