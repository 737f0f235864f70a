package config_test

import (
	"strings"
	"testing"

	"holdfast/internal/config"
)

func TestOriginsReadLikeSentences(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]config.Origin{
		"default":                     {},
		"override":                    {Kind: config.OriginOverride},
		"file a.yaml:3:5":             {Kind: config.OriginFile, File: "a.yaml", Line: 3, Column: 5},
		"environment HOLDFAST_LISTEN": {Kind: config.OriginEnvironment, Variable: "HOLDFAST_LISTEN"},
	} {
		if got := o.String(); got != want || o.Kind.String() != strings.Fields(want)[0] {
			t.Errorf("got %s (%s), want %s", got, o.Kind, want)
		}
	}
	var none *config.Origins
	if none.Of("listen") != (config.Origin{}) {
		t.Error("no origins are not defaults")
	}
}

func TestProblemsComeInTheOrderOfTheLayers(t *testing.T) {
	t.Parallel()
	_, _, err := config.Load(config.Options{
		Files:     []string{"b.yaml", "a.yaml"},
		Environ:   []string{"HOLDFAST_ENGINE=x"},
		Overrides: map[string]any{"data_dir": ""},
		ReadFile:  readMap(map[string]string{"a.yaml": "listen: x\n", "b.yaml": "log: {level: x}\nstore: x\n"}),
	})
	var places []string
	for line := range strings.Lines(err.Error()) {
		place, _, _ := strings.Cut(line, ": ")
		places = append(places, place)
	}
	if got, want := strings.Join(places, " "), "b.yaml:1:14 b.yaml:2:8 a.yaml:1:9 HOLDFAST_ENGINE override"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLongAndStrangeValuesStayReadable(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, "listen: \""+strings.Repeat("ä", 500)+"\"\nengine: \"a\\nb\\u202ec\"\n")
	want := `holdfast.yaml:1:9: listen: must be host:port, such as 127.0.0.1:8080, is "` + strings.Repeat("ä", 80) + `…"; put an IPv6 address in brackets: [::1]:8080
holdfast.yaml:2:9: engine: must be one of std, http1, is "a\nb\u202ec"`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
