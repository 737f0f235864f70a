package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
)

// wide is a configuration with n functions.
func wide(n int) string {
	var b strings.Builder
	b.WriteString("defaults: {instances: [{url: \"http://a:1\"}]}\nfunctions:\n")
	for i := range n {
		fmt.Fprintf(&b, "  f%d: {routes: [{path: /f%d/}]}\n", i, i)
	}
	return b.String()
}

// Each hostile file is refused with a sentence, and soon. The time is generous
// because the machine is shared and the race detector is on; without the limits
// these take minutes or all memory.
func TestHostileFilesAreRefusedSoon(t *testing.T) {
	t.Parallel()
	bomb := "x0: &x0 [a, a]\n"
	for i := 1; i < 40; i++ {
		bomb += fmt.Sprintf("x%d: &x%d [*x%d, *x%d]\n", i, i, i-1, i-1)
	}
	var keys strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&keys, "k%d: 1, ", i)
	}
	merges := "big: &big {" + keys.String() + "}\n"
	for i := range 1000 {
		merges += fmt.Sprintf("m%d: {<<: *big}\n", i)
	}
	instances := "functions:\n  f0: &f\n    routes: [{path: /}]\n    instances:\n" + strings.Repeat("    - {url: \"http://a:1\"}\n", 5000)
	for i := range 2000 {
		instances += fmt.Sprintf("  f%d: *f\n", i+1)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"size":                {strings.Repeat("# comment\n", 200_000), "is larger than 1MiB"},
		"depth of lists":      {"x: " + strings.Repeat("[", 100_000), "nested more than 64 levels deep"},
		"depth of maps":       {strings.Repeat("{a: ", 100_000), "nested more than 64 levels deep"},
		"depth of dashes":     {strings.Repeat("- ", 100_000), "nested more than 64 levels deep"},
		"depth of blocks":     {indented(200), "nested more than 64 levels deep"},
		"depth of tags":       {"x: " + strings.Repeat("!!str ", 10_000) + "a", "nested more than 64 levels deep"},
		"depth of keys":       {strings.Repeat("? ", 10_000), "nested more than 64 levels deep"},
		"alias bomb":          {bomb, "is not a known key"},
		"alias bomb in place": {"log: {components: *x39}\n" + bomb, "is not defined before it"},
		"deep aliases":        {deepAliases(100), "is nested more than 64 levels deep"},
		"merge keys":          {merges, "is not a known key"},
		"aliases of lists":    {instances, "is past the limit of 500000 values"},
		"keys in one block":   {strings.Repeat("a: b\n", 150_000), "too many keys in one block"},
		"functions":           {wide(10_001), "functions: has 10001 entries, at most 10000 are allowed"},
		"NUL":                 {"listen: a\nlog: {level: \"é\x00\"}\n", "holdfast.yaml:2:16: holds a NUL byte"},
		"UTF-8":               {"log: \xff\n", "holdfast.yaml:1:6: is not UTF-8 text"},
		"UTF-16":              {"\xff\xfel\x00o\x00g\x00", "is not UTF-8 text"},
		"lone CR":             {"log: {}\rlisten: x\n", "holdfast.yaml:1:8: holds the control character U+000D"},
		"control":             {"log: \x1b[31m\n", "holds the control character U+001B"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, _, err := load(t, tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %.300v, want %q", err, tt.want)
			}
			if took := time.Since(start); took > 5*time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

func indented(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func deepAliases(n int) string {
	var b strings.Builder
	b.WriteString("x0: &x0 {a: 1}\n")
	for i := range n {
		fmt.Fprintf(&b, "x%d: &x%d {a: *x%d}\n", i+1, i+1, i)
	}
	return b.String()
}

func TestTenThousandFunctionsLoad(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, wide(10_000))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Functions) != 10_000 || c.Functions["f9999"].Instances[0].ID != "a:1" {
		t.Errorf("got %d functions", len(c.Functions))
	}
}

func TestALargeDefaultsBlockUnderManyFunctionsIsRefused(t *testing.T) {
	t.Parallel()
	var env strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&env, "V%d: 1, ", i)
	}
	text := "defaults: {platform: {process: {command: [a], env: {" + env.String() + "}}}}\n" + strings.SplitN(wide(500), "\n", 2)[1]
	text = strings.ReplaceAll(text, "]}\n", "], platform: {process: {env: {A: b}}}}\n")
	_, _, err := load(t, text)
	if err == nil || !strings.Contains(err.Error(), "is too large once includes and defaults are merged") {
		t.Errorf("got %.300v", err)
	}
}

func TestTheNumberOfFilesIsBounded(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 30 { // each includes the next one twice: 2^30 without a limit
		files[fmt.Sprintf("f%d.yaml", i)] = fmt.Sprintf("include: [f%d.yaml, f%d.yaml]\n", i+1, i+1)
	}
	_, _, err := config.Load(config.Options{Files: []string{"f0.yaml"}, ReadFile: readMap(files)})
	if err == nil || !strings.Contains(err.Error(), "is included through more than 16 files") || !strings.Contains(err.Error(), "would be file number 257") {
		t.Errorf("got %.300v", err)
	}
}

func TestTheNumberOfProblemsIsBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	_, _, err := load(t, b.String())
	if lines := strings.Count(err.Error(), "\n") + 1; lines != 1001 || !strings.HasSuffix(err.Error(), "has more than 1000 problems; the rest is not shown") {
		t.Errorf("got %d lines", lines)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		text := wide(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := load(b, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
