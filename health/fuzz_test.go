package health

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// FuzzAnswer feeds hostile bytes to the answer reader: it must neither panic
// nor break its limits, and what comes out must be judged without a panic.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"n\":1}",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 103 Early\r\n\r\nHTTP/1.0 404 No\r\n\r\nbody", "HTTP/1.1 -20 X\r\n\r\n", "HTTP/1.1 101 S\r\n\r\nx",
		"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nabcde", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
	} {
		f.Add([]byte(seed), "GET")
	}
	f.Fuzz(func(t *testing.T, data []byte, method string) {
		if !isToken(method) {
			return
		}
		h, err := NewHTTP(HTTPConfig{URL: "http://h/", BodyMatches: "x", JSON: []Condition{{Field: "a.0.b", Op: Less, Value: "3"}}})
		if err != nil {
			t.Fatal(err)
		}
		s := takeScratch(bytes.NewReader(data))
		defer s.giveBack()
		a, err := readAnswer(s, &http.Request{Method: method})
		if err != nil {
			if reason := h.broken(t.Context(), s, err, 0); !strings.HasPrefix(reason, ": ") || strings.ContainsAny(reason, "\r\n\x00") {
				t.Errorf("reason %q", reason)
			}
			return
		}
		if len(a.body) > maxBody {
			t.Errorf("body of %d bytes", len(a.body))
		}
		if a.keep && s.br.Buffered() > 0 {
			t.Errorf("connection kept with %d bytes read beyond the answer", s.br.Buffered())
		}
		r := h.judge(t.Context(), a, 0)
		if r.Reason == "" || strings.ContainsAny(r.Reason, "\r\n\x00") || len(r.Numbers) > maxNumbers {
			t.Errorf("result %+v", r)
		}
	})
}

// FuzzNumbers compares the number reader and the path lookup with encoding/json.
func FuzzNumbers(f *testing.F) {
	for _, seed := range []string{
		`{"cpu_percent":12.5,"n":-1e3,"s":"x","o":{"a":[1,{"b":2}]},"a":[],"e":{},"b":true,"z":null}`,
		`{"a":1,"a":"x"}`, `{"\u0061":1,"a":2,"big":1e999,"":0}`, ` [1,[2,3],{"a":"]"}] `, `"x"`, `1`, `{`, `{"a":"\\\"}"}`, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed), "a")
	}
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		if len(data) > 1<<12 {
			return // beyond the caps the two differ on purpose
		}
		got := numbersOf(data)
		var doc any
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if !json.Valid(data) || decoder.Decode(&doc) != nil {
			if got != nil {
				t.Errorf("numbers %v of invalid JSON", got)
			}
			return
		}
		object, _ := doc.(map[string]any)
		if w := numbersIn(object); len(w) < maxNumbers && !maps.Equal(got, w) && !longKeys(w) && len(got) < maxNumbers {
			t.Errorf("numbers %v, want %v", got, w)
		}
		raw, found := lookup(data, []string{key})
		if _, is := doc.([]any); is {
			return
		}
		value, has := object[key]
		if found != has {
			t.Fatalf("lookup of %q found %v, want %v", key, found, has)
		}
		if s, is := value.(string); is && text(raw) != s {
			t.Errorf("text %q, want %q", text(raw), s)
		}
		for _, op := range []Op{Equal, Less} {
			c := Condition{Field: key, Op: op, Value: "1"}
			c.check(data, []string{key, "0", "x"}, nil)
			c.check(data, []string{key}, nil)
		}
	})
}

func numbersIn(object map[string]any) map[string]float64 {
	found := map[string]float64{}
	for key, value := range object {
		if n, ok := value.(json.Number); ok {
			if x, err := n.Float64(); err == nil {
				found[key] = x
			}
		}
	}
	return found
}

func longKeys(m map[string]float64) bool {
	for key := range m {
		if len(key) > maxKey/6 { // an escape takes up to six bytes
			return true
		}
	}
	return false
}

func TestNumbersAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"` + strings.Repeat("k", 500) + `":1`)
	for i := range 1000 {
		b.WriteString(`,"k` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26) + `":1`)
	}
	b.WriteString("}")
	if got := numbersOf([]byte(b.String())); len(got) != maxNumbers {
		t.Errorf("%d numbers", len(got))
	}
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	if got := numbersOf([]byte(`{"deep":` + deep + `,"n":1}`)); got["n"] != 1 {
		t.Errorf("after a deep value: %v", got)
	}
}
