package formula_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/formula"
)

func signals() []string { return []string{"in_flight", "lag", "queue"} }

// of has queue 12 and in_flight 3; nobody knows lag.
func of(name string) (float64, bool) {
	v, ok := map[string]float64{"queue": 12, "in_flight": 3}[name]
	return v, ok
}

func TestFormulasCalculate(t *testing.T) {
	t.Parallel()
	unknown := math.NaN()
	for text, want := range map[string]float64{
		"queue / 10 + in_flight": 4.2, "queue": 12, "7": 7, "-queue": -12, "queue ** 2": 144, "(queue - 2) * 0.5": 5,
		"lag": unknown, "lag + queue": unknown, "queue > lag ? 1 : 2": unknown, "max(queue, lag)": unknown, "-lag": unknown,
		"lag ?? 5": 5, "lag ?? queue": 12, "lag ?? lag": unknown, "queue ?? 5": 12, "(lag ?? 1) * queue": 12,
		"max(queue, in_flight)": 12, "min(queue, in_flight, 2)": 2, "abs(0 - queue)": 12, "ceil(queue / 5)": 3, "floor(queue / 5)": 2, "round(2.6)": 3,
		"max(lag ?? 1, lag ?? in_flight)": 3, "queue > 10 and in_flight < 5 ? queue : in_flight": 12, "queue > 100 ? lag : in_flight": 3,
		"queue > 10 ? lag : in_flight": unknown, "not (queue == 12) ? 1 : 2": 2, "1 / 0": unknown, "(0 - 1) ** 0.5": unknown, "queue > 1 ? (queue > 2 ? queue : 1) : 0": 12,
	} {
		f, err := formula.Compile(text, signals())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		v, ok := f.Value(of)
		if ok == math.IsNaN(want) || ok && math.Abs(v-want) > 1e-9 {
			t.Errorf("%s is %v, %v; want %v", text, v, ok, want)
		}
	}
}

func TestWhatIsNoFormulaIsRefusedInOneSentence(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "is empty",
		"  ":                           "is empty",
		strings.Repeat("1+", 600):      "longer than 1000 bytes",
		strings.Repeat("-", 900) + "1": "more than 200 parts",
		"queue +":                      "does not work at character 7",
		"quue * 2":                     "uses quue, which is no signal",
		"queue + 'x'":                  "only numbers",
		"queue > 3":                    "expected float64, but got bool",
		"true":                         "expected float64, but got bool",
		"nil":                          "nil is not a number",
		"1..9":                         ".. is not for numbers",
		"queue in [1]":                 "only numbers",
		"let a = queue; a":             "only numbers",
		"filter([1], # > 0)":           "only numbers",
		"len(queue)":                   "there is no function len",
		"now()":                        "there is no function now",
		"queue()":                      "there is no such function",
		"queue.x":                      "only numbers",
		"[1][0]":                       "only numbers",
		"queue | max(2)":               "",
		"queue; 1":                     "only numbers",
		"queue + (queue > 1)":          "mismatched types",
		"max(queue > 1, 2)":            "",
		"$env":                         "uses $env",
	} {
		f, err := formula.Compile(text, signals())
		if want == "" {
			continue // whatever it is: it must not panic
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, %v, want %q", text, f, err, want)
		}
	}
	_, err := formula.Compile("quue", signals())
	if e, ok := errors.AsType[*formula.NameError](err); !ok || e.Name != "quue" || !slices.Equal(e.Known, signals()) {
		t.Errorf("%v does not name what is known", err)
	}
}

func TestFormulasComeAfterThoseTheyUse(t *testing.T) {
	t.Parallel()
	known := []string{"a", "b", "c", "x"}
	compile := func(text string) *formula.Formula {
		f, err := formula.Compile(text, known)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	order, err := formula.Order(map[string]*formula.Formula{"a": compile("b + c"), "b": compile("c * x"), "c": compile("x")})
	if err != nil || !slices.Equal(order, []string{"c", "b", "a"}) {
		t.Errorf("%v, %v", order, err)
	}
	_, err = formula.Order(map[string]*formula.Formula{"a": compile("x + b"), "b": compile("c"), "c": compile("b")})
	if err == nil || err.Error() != "uses itself: b -> c -> b" {
		t.Errorf("a circle gives %v", err)
	}
}

func TestWordsOfTheLanguageAreNoNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"queue": true, "in_flight": true, "and": false, "not": false, "max": false, "nil": false, "true": false, "let": false, "a b": false, "a.b": false, "": false, "2a": false, "len": true} {
		if formula.IsName(text) != want {
			t.Errorf("%q is a name: %v", text, !want)
		}
	}
}

// Whatever compiles runs without a panic, and never calls unknown what does not
// depend on the unknown.
func FuzzFormulas(f *testing.F) {
	for _, text := range []string{"queue / 10 + in_flight", "lag ?? max(queue, 2)", "queue > 1 ? lag : 3", "-(-queue) ** 0.5"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		compiled, err := formula.Compile(text, signals())
		if err != nil {
			return
		}
		if v, ok := compiled.Value(of); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
			t.Errorf("%q is %v", text, v)
		}
	})
}
