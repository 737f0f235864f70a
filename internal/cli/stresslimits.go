package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
	"holdfast/internal/cli/live"
	"holdfast/internal/config"
	"holdfast/loadtest/capacity"
)

// limited is the function that --write-limits names, as it is configured now.
type limited struct {
	name, file string
	function   *config.Function
	why        string // nothing is suggested
}

// suggestion is one key that should change.
type suggestion struct {
	Path string  `json:"path"`
	Old  float64 `json:"old"`
	New  float64 `json:"new"`
	Why  string  `json:"why"`
}

// findLimited looks before the search whether there is such a function.
func findLimited(ctx context.Context, g *global, f *stressFlags) (*limited, error) {
	var c *config.Config
	if f.config != "" {
		var err error
		if c, _, err = config.Load(config.Options{Files: []string{f.config}, Environ: g.env.Environ}); err != nil {
			return nil, explainProblems(err)
		}
	} else {
		text, err := newClient(g).ask(ctx, http.MethodGet, "config", nil, nil)
		if err != nil {
			return nil, err
		}
		if c, err = readMasked(text); err != nil {
			return nil, fmt.Errorf("read the configuration of the running Holdfast (is it of another version?): %w", err)
		}
	}
	fn := c.Functions[f.function]
	if fn == nil {
		return nil, fmt.Errorf("--write-limits: there is no function %q", clean(f.function))
	}
	return &limited{name: f.function, file: f.config, function: fn}, nil
}

// The parts of what a service carries that limits are made of.
const (
	scaleUpAt  = 0.8  // of the requests in flight at the sustainable rate
	retryShare = 0.01 // of the rate, always allowed
)

// suggest makes limits of what was found.
//
// Requests in flight are rate times response time (Little's law); with the p99
// in place of the mean there is room for the slow ones, and what is more than
// that only waits.
func (l *limited) suggest(found *capacity.Found, v *foundView) {
	at := l.held(found)
	switch {
	case found.Cause == capacity.Generator:
		l.why = "the generator broke first, so the function's own limit is not known"
	case found.Sustainable > 0 && found.High == 0:
		l.why = fmt.Sprintf("nothing broke it up to %s/s, so its limit is not known: raise --max", perSecond(found.Sustainable))
	case at == nil:
		l.why = "no rate was sustained"
	}
	if l.why != "" {
		return
	}
	rate := found.Sustainable
	inFlight := math.Ceil(min(max(rate*at.P99.Seconds(), 2), 1e6))
	usual := rate * at.P50.Seconds()
	each := math.Ceil(max(scaleUpAt*inFlight/float64(l.instances()), 1))
	fn := l.function
	v.Limits = []suggestion{
		{
			"concurrency.max_in_flight", float64(fn.Concurrency.MaxInFlight), inFlight,
			fmt.Sprintf("%s/s x p99 %s (usual: %.3g, by p50)", perSecond(rate), live.Short(at.P99), usual),
		},
		{
			"retry.budget.min_per_second", fn.Retry.Budget.MinPerSecond, math.Max(math.Floor(retryShare*rate), 1),
			"1 % of the rate: retries must not be what breaks it",
		},
		{
			"scaling.scale_up_threshold.active_connections", float64(fn.Scaling.ScaleUpThreshold.ActiveConnections), each,
			fmt.Sprintf("80 %% of that, by %s", counted(l.instances(), "instance")),
		},
	}
	for i := range v.Limits {
		v.Limits[i].Path = "functions." + l.name + "." + v.Limits[i].Path
	}
}

// held is the window in which the sustainable rate was confirmed.
func (l *limited) held(found *capacity.Found) *capacity.Look {
	for i := len(found.Looks) - 1; i >= 0; i-- {
		k := &found.Looks[i]
		if found.Sustainable > 0 && k.Phase == capacity.Confirm && k.Cause == capacity.Nothing && k.Step.Rate == found.Sustainable {
			return k
		}
	}
	return nil
}

func (l *limited) instances() int {
	n := len(l.function.Instances)
	if p := l.function.Platform.Process; p != nil {
		n = p.Instances
	}
	return max(n, 1)
}

// write shows the difference.
func (l *limited) write(s *screen, list []suggestion) error {
	if l.why != "" {
		return writeLines(s, []string{"", "no limits for " + l.name + ": " + l.why})
	}
	lines := []string{"", "limits for function " + l.name + ", below functions." + l.name}
	for _, x := range list {
		key := strings.TrimPrefix(x.Path, "functions."+l.name+".")
		if x.Old == x.New {
			lines = append(lines, fmt.Sprintf("  %s: %v  # %s", key, x.New, x.Why))
			continue
		}
		lines = append(lines, fmt.Sprintf("- %s: %v", key, x.Old), fmt.Sprintf("+ %s: %v  # %s", key, x.New, x.Why))
	}
	if l.file != "" {
		lines = append(lines, "", "for "+l.file+":")
		lines = append(lines, l.fragment(list)...)
	} else {
		lines = append(lines, "", "--yes sets them in the running Holdfast; holdfast config unset takes that back")
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(s.w, s.paint(clean(line), diffColour(line))); err != nil {
			return err
		}
	}
	return nil
}

func diffColour(line string) colour {
	switch {
	case strings.HasPrefix(line, "- "):
		return red
	case strings.HasPrefix(line, "+ "):
		return green
	}
	return plain
}

// fragment is what belongs into the file.
func (l *limited) fragment(list []suggestion) []string {
	lines := []string{"functions:", "  " + l.name + ":"}
	var before []string
	for _, x := range list {
		keys := strings.Split(strings.TrimPrefix(x.Path, "functions."+l.name+"."), ".")
		for i, key := range keys[:len(keys)-1] {
			if i >= len(before) || before[i] != key {
				lines = append(lines, strings.Repeat("  ", i+2)+key+":")
			}
		}
		lines = append(lines, fmt.Sprintf("%s%s: %v", strings.Repeat("  ", len(keys)+1), keys[len(keys)-1], x.New))
		before = keys[:len(keys)-1]
	}
	return lines
}

// set puts limits in force. A search that was made for it must not be lost to a
// request that hangs.
func (l *limited) set(ctx context.Context, c *cobra.Command, g *global, list []suggestion) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for _, x := range list {
		if x.Old == x.New {
			continue
		}
		value, err := json.Marshal(x.New)
		if err != nil {
			return err
		}
		if _, err := newClient(g).ask(ctx, http.MethodPut, "config/values", nil, admin.ConfigOverride{Path: x.Path, Value: value}); err != nil {
			return fmt.Errorf("set %s: %w", x.Path, err)
		}
		if !g.json() {
			if _, err := fmt.Fprintf(c.OutOrStdout(), "set %s to %v\n", x.Path, x.New); err != nil {
				return err
			}
		}
	}
	return nil
}
