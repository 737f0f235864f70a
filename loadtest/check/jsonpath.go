package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// path is a way through a JSON document.
type path []step

// step is a member of an object, or an element of an array when name is "".
type step struct {
	name  string
	index int // from the end when negative
}

// parsePath reads $.a.b[0]["c d"]; the $ may be left out.
func parsePath(text string) (path, error) {
	rest := strings.TrimPrefix(text, "$")
	if rest == text && rest != "" && rest[0] != '[' && rest[0] != '.' {
		rest = "." + rest
	}
	var p path
	for rest != "" {
		s, n, err := parseStep(rest)
		if err != nil {
			return nil, fmt.Errorf("read the path %q at %q: %w", text, rest, err)
		}
		p, rest = append(p, s), rest[n:]
	}
	return p, nil
}

func parseStep(text string) (s step, n int, err error) {
	if text[0] == '.' {
		end := strings.IndexAny(text[1:], ".[")
		if end < 0 {
			end = len(text) - 1
		}
		if end == 0 {
			return step{}, 0, errors.New("want a name after the dot")
		}
		return step{name: text[1 : 1+end]}, 1 + end, nil
	}
	if text[0] != '[' {
		return step{}, 0, errors.New("want .name or [index]")
	}
	end := strings.IndexByte(text, ']')
	if strings.HasPrefix(text, `["`) {
		if end = strings.Index(text, `"]`); end > 2 {
			return step{name: text[2:end]}, end + 2, nil
		}
		return step{}, 0, errors.New(`want "] after the name`)
	}
	if end < 0 {
		return step{}, 0, errors.New("want ] after the index")
	}
	if s.index, err = strconv.Atoi(text[1:end]); err != nil {
		return step{}, 0, errors.New("want a whole number in the brackets")
	}
	return s, end + 1, nil
}

// find returns the value at the path as text: strings without quotes, numbers as they are written, objects and arrays as
// JSON. ok is false when there is none, or null.
func (p path) find(b []byte) (text string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil {
		return "", false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", false // something follows: it is not one document
	}
	for _, s := range p {
		if value = s.in(value); value == nil {
			return "", false
		}
	}
	switch v := value.(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	out, err := json.Marshal(value)
	return string(out), err == nil
}

func (s step) in(value any) any {
	if s.name != "" {
		object, _ := value.(map[string]any)
		return object[s.name]
	}
	array, _ := value.([]any)
	i := s.index
	if i < 0 {
		i += len(array)
	}
	if i < 0 || i >= len(array) {
		return nil
	}
	return array[i]
}
