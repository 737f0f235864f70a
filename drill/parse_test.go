package drill_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/drill"
)

func TestEveryBuiltInExperimentParses(t *testing.T) {
	t.Parallel()
	for _, name := range drill.Names() {
		x, err := drill.Builtin(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if x.Name != name || x.About == "" || len(x.Expect) == 0 || len(x.Steady) == 0 || x.Length() > 30*time.Second {
			t.Errorf("%s is incomplete or too long for a short form: %+v", name, x)
		}
	}
	if _, err := drill.Builtin("nothing"); err == nil {
		t.Error("there is an experiment nothing")
	}
}

const good = `name: a
baseline: 1s
fault: 4s
recovery: 1s
load: {rate: 10}
inject:
  - {do: freeze, whom: one, at: 1s, for: 2s}
expect: [detect<1s]
`

func TestWhatIsWrongIsToldWithItsLine(t *testing.T) {
	t.Parallel()
	if _, err := drill.Parse([]byte(good), "x.yaml"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ from, to, want string }{
		{"name: a", "nam: a", `x.yaml:1: unknown field "nam"`},
		{"baseline: 1s", "baseline: 1500ms", "x.yaml:2: baseline: want whole seconds"},
		{"fault: 4s", "fault: soon", `x.yaml:3: want a duration like 30s, not "soon"`},
		{"recovery: 1s\n", "", "recovery: want whole seconds"},
		{"rate: 10", "rate: -1", "x.yaml:5: load.rate: must be above 0"},
		{"rate: 10", "rate: 10, posts: 2", "x.yaml:5: load.posts"},
		{"rate: 10", "rate: 10, surge: 99999", "x.yaml:5: load.surge"},
		{"do: freeze", "do: sing", "x.yaml:7: inject[0]: do: want kill"},
		{"whom: one", "whom: nobody", "x.yaml:7: inject[0]: whom: want one"},
		{"do: freeze, whom: one", "do: scale, whom: one", "inject[0]: whom"},
		{"for: 2s", "for: 9s", "x.yaml:7: inject[0]: at and for"},
		{"for: 2s", "for: 1s, every: 1s", "x.yaml:7: inject[0]: every"},
		{"do: freeze", "do: cpu, value: 200", "x.yaml:7: inject[0]: value: want 1 to 100"},
		{"do: freeze, whom: one", "do: scale", "inject[0]: value: want how many"},
		{"do: freeze, whom: one", "do: set", "inject[0]: path and text"},
		{"do: freeze", "do: tcp", "inject[0]: text: say what goes wrong"},
		{"do: freeze", "do: tcp, text: latency=soon", `x.yaml:7: inject[0]: text: parse fault "latency=soon"`},
		{"do: freeze", "do: http, text: status=99", `inject[0]: text: parse rule "status=99"`},
		{"do: freeze, whom: one", "do: http, text: close", "inject[0]: whom"},
		{"do: freeze, whom: one", "do: lose-database, text: burn", "inject[0]: text: want refuse or drop"},
		{"[detect<1s]", "[]", "x.yaml:8: expect: say what is expected"},
		{"[detect<1s]", "[speed<1s]", "x.yaml:8: expect: \"speed<1s\": there is no figure speed"},
		{"[detect<1s]", "[detect<1]", "x.yaml:8: expect: \"detect<1\": want a duration"},
		{"[detect<1s]", "[detect=1s]", "x.yaml:8: expect: \"detect=1s\": want a figure"},
		{"[detect<1s]", `["availability>=101%"]`, "want a share like 99.9%"},
		{"[detect<1s]", "[lost<=NaN]", "want a number"},
		{"name: a", "name: [", "x.yaml:"},
	} {
		_, err := drill.Parse([]byte(strings.Replace(good, test.from, test.to, 1)), "x.yaml")
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q for %q gives %v, want %s", test.to, test.from, err, test.want)
		}
	}
}

func TestTheExperimentsOfTheManualParse(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docs/drills.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(b), "```yaml\n")[1:]
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		if _, err := drill.Parse([]byte(text), "drills.md"); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	if len(blocks) < 2 {
		t.Errorf("there are %d experiments in it", len(blocks))
	}
}

func TestAnExperimentIsStretchedButItsPulsesAreNot(t *testing.T) {
	t.Parallel()
	x, err := drill.Builtin("flapping")
	if err != nil {
		t.Fatal(err)
	}
	long := x.Stretch(5)
	if long.Length() != 5*x.Length() || long.Inject[0].For != x.Inject[0].For || long.Inject[0].Every != x.Inject[0].Every {
		t.Errorf("it became %+v", long)
	}
	if x, err = drill.Builtin("failover"); err != nil {
		t.Fatal(err)
	}
	if long = x.Stretch(5); long.Inject[1].For != 5*x.Inject[1].For || long.Inject[1].At != 5*x.Inject[1].At || x.Inject[1].At != 3*time.Second {
		t.Errorf("it became %+v of %+v", long.Inject, x.Inject)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for _, name := range drill.Names() {
		f.Add([]byte("name: " + name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := drill.Parse(data, "x")
		if err != nil {
			if strings.Contains(err.Error(), "\n") && !strings.Contains(string(data), "\n") {
				t.Errorf("the error has lines: %v", err)
			}
			return
		}
		if x.Length() <= 0 || len(x.Expect) == 0 {
			t.Errorf("it was taken: %+v", x)
		}
	})
}
