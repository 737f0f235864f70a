package health

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxNumbers = 64
	maxKey     = 128
)

// numbersOf returns the numbers among the members of a JSON object, nil when
// there are none or the body is no JSON object.
func numbersOf(body []byte) map[string]float64 {
	if i := skipSpace(body, 0); i == len(body) || body[i] != '{' || !json.Valid(body) {
		return nil
	}
	var found map[string]float64
	members(body, func(key, value []byte) {
		n, ok := number(value)
		switch {
		case len(key) > maxKey:
		case !ok && len(found) > 0:
			delete(found, text(key)) // of equal keys the last counts
		case ok && len(found) < maxNumbers:
			if found == nil {
				found = make(map[string]float64, 8)
			}
			found[text(key)] = n
		}
	})
	if len(found) == 0 {
		return nil
	}
	return found
}

// Number returns the number at a way of object keys and array indexes, such as
// jobs.waiting or queues.0.length; `\.` is a dot within a key, and "" the
// document itself. False: the document is not JSON, has no such place, or has
// something else there.
func Number(doc []byte, way string) (float64, bool) {
	if !json.Valid(doc) {
		return 0, false
	}
	var steps []string
	if way != "" {
		steps = stepsOf(way)
	}
	raw, ok := lookup(doc, steps)
	if !ok {
		return 0, false
	}
	return number(raw)
}

// numbersAt adds the numbers at the ways, by the ways; what is not there is left
// out.
func numbersAt(found map[string]float64, doc []byte, ways []string) map[string]float64 {
	for _, way := range ways {
		n, ok := Number(doc, way)
		if !ok {
			continue
		}
		if found == nil {
			found = make(map[string]float64, len(ways))
		}
		found[way] = n
	}
	return found
}

// number reads a JSON number; values beyond float64 are none.
func number(value []byte) (float64, bool) {
	if len(value) == 0 || value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return 0, false
	}
	return parseNumber(string(value))
}

// parseNumber reads a finite number: nothing can be said about less or more than
// NaN, and with infinity always the same.
func parseNumber(s string) (float64, bool) {
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsInf(n, 0) && !math.IsNaN(n)
}

// text returns the content of a JSON string, quotes included in raw.
func text(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if simple(inner) {
		return string(inner)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(inner) // cannot happen on valid JSON
	}
	return s
}

func simple(b []byte) bool {
	return bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b)
}

// lookup returns the raw value at a path of object keys and array indexes. doc
// must be valid JSON.
func lookup(doc []byte, path []string) ([]byte, bool) {
	doc = trimmed(doc)
	for _, step := range path {
		next, ok := child(doc, step)
		if !ok {
			return nil, false
		}
		doc = next
	}
	return doc, true
}

func child(doc []byte, step string) (found []byte, ok bool) {
	switch doc[0] {
	case '{':
		members(doc, func(key, value []byte) {
			if text(key) == step {
				found, ok = value, true // the last of equal keys, as encoding/json has it
			}
		})
	case '[':
		index, err := strconv.Atoi(step)
		if err != nil {
			return nil, false
		}
		elements(doc, func(i int, value []byte) {
			if i == index {
				found, ok = value, true
			}
		})
	}
	return found, ok
}

// members calls yield with each raw key and raw value of a valid JSON object.
func members(doc []byte, yield func(key, value []byte)) {
	i := skipSpace(doc, skipSpace(doc, 0)+1)
	for doc[i] != '}' {
		keyEnd := skipValue(doc, i)
		start := skipSpace(doc, skipSpace(doc, keyEnd)+1) // past the colon
		end := skipValue(doc, start)
		yield(doc[i:keyEnd], doc[start:end])
		i = skipSeparator(doc, end)
	}
}

// elements calls yield with each raw value of a valid JSON array.
func elements(doc []byte, yield func(i int, value []byte)) {
	at := skipSpace(doc, skipSpace(doc, 0)+1)
	for n := 0; doc[at] != ']'; n++ {
		end := skipValue(doc, at)
		yield(n, doc[at:end])
		at = skipSeparator(doc, end)
	}
}

// skipSeparator moves past a comma, or stays on the closing bracket.
func skipSeparator(doc []byte, i int) int {
	i = skipSpace(doc, i)
	if doc[i] == ',' {
		i = skipSpace(doc, i+1)
	}
	return i
}

func skipSpace(doc []byte, i int) int {
	for i < len(doc) && isSpace(doc[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// skipValue returns the end of the value that starts at i. It counts brackets
// instead of calling itself, so that nesting costs no stack.
func skipValue(doc []byte, i int) int {
	depth := 0
	for i < len(doc) {
		switch c := doc[i]; {
		case c == '"':
			i = skipString(doc, i)
		case c == '{' || c == '[':
			depth++
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case depth == 0:
			return skipLiteral(doc, i)
		default:
			i++
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

func skipString(doc []byte, i int) int {
	for i++; i < len(doc) && doc[i] != '"'; i++ {
		if doc[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipLiteral(doc []byte, i int) int {
	for i < len(doc) && !isSpace(doc[i]) && strings.IndexByte(",]}", doc[i]) < 0 {
		i++
	}
	return i
}

func trimmed(doc []byte) []byte {
	end := len(doc)
	for end > 0 && isSpace(doc[end-1]) {
		end--
	}
	return doc[min(skipSpace(doc, 0), end):end]
}
