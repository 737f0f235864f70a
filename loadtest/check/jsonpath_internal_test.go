package check

import "testing"

// Any path and any document: no panic, and a path that is read leads into no document that is not JSON.
func FuzzPath(f *testing.F) {
	f.Add("$.a[0].b", `{"a":[{"b":1}]}`)
	f.Add(`$["x y"][-1]`, `{"x y":[null,true]}`)
	f.Add("[", "")
	f.Add(".", "{}")
	f.Fuzz(func(t *testing.T, text, doc string) {
		p, err := parsePath(text)
		if err != nil {
			return
		}
		if value, ok := p.find([]byte(doc + "x")); ok {
			t.Errorf("%q found %q in what is no JSON: %q", text, value, doc+"x")
		}
		p.find([]byte(doc))
	})
}
