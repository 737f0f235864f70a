package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
)

// FuzzEnvironment reads the variables of other platforms, which nobody wrote
// for Holdfast, without a file. What comes out is a configuration whose
// instances are those of the list, or problems that name a variable.
func FuzzEnvironment(f *testing.F) {
	f.Add(`[{"id":"a","url":"http://127.0.0.1:1","weight":2}]`, "kubernetes", "2", "20")
	f.Add(`[{"url":"http://a"},{"url":"http://a"}]`, "swarm", "-1", "1e3")
	f.Add(`{"id":[]}`, "", "${HOME}", "${file:/etc/hostname}")
	f.Add("- url: http://a\n  weight: &x 3\n- *x", "process", " 3 ", "0x10")
	f.Add("null", "vercel\n", "9223372036854775808", "")
	f.Fuzz(func(t *testing.T, instances, platform, low, high string) {
		hang := time.AfterFunc(30*time.Second, func() { panic("Load hangs") })
		defer hang.Stop()
		o := config.Options{ReadFile: readMap(nil), Environ: []string{
			"LOAD_BALANCER_INSTANCES=" + instances, "DEPLOYMENT_PLATFORM=" + platform, "SUPABASE_MIN_CONNECTIONS=" + low, "SUPABASE_MAX_CONNECTIONS=" + high,
		}}
		c, origins, err := config.Load(o)
		if origins == nil || (c == nil) == (err == nil) {
			t.Fatalf("got %v, %v, %v", c, origins, err)
		}
		if err != nil {
			readable(t, err)
			return
		}
		for name, fn := range c.Functions {
			if name != "default" || len(fn.Routes) != 1 || fn.Routes[0].Path != "/" || fn.Platform.Process != nil {
				t.Errorf("%q made the function %s: %+v", instances, name, fn)
			}
			for i := range fn.Instances {
				if !strings.HasPrefix(fn.Instances[i].URL, "http://") && !strings.HasPrefix(fn.Instances[i].URL, "https://") {
					t.Errorf("%q made an instance at %q", instances, fn.Instances[i].URL)
				}
			}
		}
		again, _, err := config.Load(o)
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("read twice: %v, %v", config.Diff(c, again), err)
		}
	})
}
