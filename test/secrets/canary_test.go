package secrets_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// canary is a secret that is known to nobody else, so that finding it means
// that it leaked.
type canary struct {
	name, value string
	// home are surfaces that may hold it, by a part of their name.
	home []string
}

// word is 32 random digits behind a letter, which no form of text is masked for.
func word() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return "q" + hex.EncodeToString(b[:])
}

// forms are the texts a secret shows itself by: whole, either half of it (it
// may have been cut), and encoded.
func (c canary) forms() []string {
	v := c.value
	list := []string{v, url.QueryEscape(v), hex.EncodeToString([]byte(v))}
	if len(v) >= 24 {
		list = append(list, v[:len(v)/2], v[len(v)/2:])
	}
	for shift := range 3 { // where in a longer text it begins decides what it looks like
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + v))
		list = append(list, text[4:len(text)-8])
	}
	return list
}

// surface is something people or programs can read.
type surface struct{ name, text string }

// leaks returns a line for every canary in a surface that is not its home.
func leaks(canaries []canary, surfaces []surface) []string {
	var list []string
	for _, c := range canaries {
		forms := c.forms()
		for _, s := range surfaces {
			if at := found(s.text, forms); at >= 0 && !c.at(s.name) {
				list = append(list, fmt.Sprintf("%s shows in %s: %q", c.name, s.name, s.text[max(0, at-120):min(len(s.text), at+120)]))
			}
		}
	}
	return list
}

func found(text string, forms []string) int {
	for _, f := range forms {
		if at := strings.Index(text, f); at >= 0 {
			return at
		}
	}
	return -1
}

func (c canary) at(name string) bool {
	for _, h := range c.home {
		if strings.Contains(name, h) {
			return true
		}
	}
	return false
}

func TestAPlantedLeakIsFound(t *testing.T) {
	t.Parallel()
	c := canary{name: "planted", value: word(), home: []string{"file state.db"}}
	for name, text := range map[string]string{
		"plain":         "level=INFO password=" + c.value + " done",
		"cut at front":  "…" + c.value[10:],
		"cut at end":    c.value[:20] + "…",
		"hex":           hex.EncodeToString([]byte("pw=" + c.value)),
		"base64":        base64.StdEncoding.EncodeToString([]byte("user:" + c.value + "!")),
		"base64 of url": base64.URLEncoding.EncodeToString([]byte("a" + c.value + "bc")),
		"JSON":          `{"a":"\u0061` + c.value + `"}`,
	} {
		if got := leaks([]canary{c}, []surface{{"file x", "well"}, {"log", text}}); len(got) != 1 || !strings.Contains(got[0], "planted shows in log") {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := leaks([]canary{c}, []surface{{"log", "well"}, {"file state.db-wal", c.value}, {"other", word()}}); len(got) != 0 {
		t.Errorf("found what is not there, or at home: %v", got)
	}
}
