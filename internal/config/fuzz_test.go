package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
)

// FuzzLoad reads one file and one variable. Whatever they hold, Load returns
// soon, with a configuration that survives Marshal, or with problems that each
// have a message of one line.
func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob("testdata/bad/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		parts := parse(string(text))
		f.Add(parts["holdfast.yaml"], "LISTEN", ":1")
	}
	for _, text := range []string{"", small, everything, before, after, "a: &a [*a]", "<<: {a: b}", "? [", "{a: !!x &y *z}", "- |\n  x\n...\n"} {
		f.Add(text, "FUNCTIONS__PUBLIC__INSTANCES", `[{"url": "http://a:1"}]`)
		f.Add(text, "FUNCTIONS__A__HEALTH__HEADERS__X", "${file:holdfast.yaml}")
		f.Add("include: holdfast.yaml\n"+text, "LOG", "{level: debug}")
	}
	f.Fuzz(func(t *testing.T, text, variable, value string) {
		if len(text) > 1<<16 {
			t.Skip("the limits test covers size")
		}
		hang := time.AfterFunc(30*time.Second, func() { panic("Load hangs") })
		defer hang.Stop()
		c, origins, err := load(t, text, "HOLDFAST_"+variable+"="+value)
		if origins == nil || (c == nil) == (err == nil) {
			t.Fatalf("got %v, %v, %v", c, origins, err)
		}
		if err != nil {
			readable(t, err)
			return
		}
		marshalled := string(config.Marshal(c, false))
		again, _, err := load(t, marshalled)
		if err != nil {
			t.Fatalf("read back: %v\nin\n%s", err, marshalled)
		}
		if !reflect.DeepEqual(c, again) && len(config.Diff(c, again)) != 0 {
			t.Fatalf("changed: %v\n%s", config.Diff(c, again), marshalled)
		}
	})
}

func readable(t *testing.T, err error) {
	t.Helper()
	problems, ok := errors.AsType[config.Problems](err)
	if !ok || len(problems) == 0 {
		t.Fatalf("not a list of problems: %v", err)
	}
	for _, p := range problems {
		if p.Message == "" || strings.ContainsAny(p.Message+p.Hint+p.Path, "\n\r\x00") || len(p.Message) > 2000 {
			t.Errorf("unreadable: %q", p.Error())
		}
	}
}
