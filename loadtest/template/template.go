// Package template fills variables into the text of requests, for each request anew:
//
//	{{seq}}     number of the request in the run, from 0
//	{{user}}    number of the user, from 0
//	{{rand}}    16 hexadecimal digits, the same for the same seq and seed
//	{{COLUMN}}  the value in that column of a Feed
//
// What is filled in follows from the request and the seed only, so a run can be repeated.
package template

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holdfast/loadtest"
)

// Template is text with variables. It may be used from many goroutines. The zero Template is "".
type Template struct {
	parts []part
	feed  *Feed
}

// part is a piece of text or a variable.
type part struct {
	text   string
	name   variable
	column int
	escape bool
}

type variable uint8

const (
	literal variable = iota
	varSeq
	varUser
	varRand
	varFeed
)

// Verbatim is text in which nothing is filled in.
func Verbatim(text string) Template {
	if text == "" {
		return Template{}
	}
	return Template{parts: []part{{text: text}}}
}

// Parse cuts text at its variables. With escape, values of the feed are escaped for a URL. A nil feed has no columns.
func Parse(text string, feed *Feed, escape bool) (Template, error) {
	t := Template{feed: feed}
	for text != "" {
		before, after, found := strings.Cut(text, "{{")
		if !found {
			t.parts = append(t.parts, part{text: text})
			break
		}
		if before != "" {
			t.parts = append(t.parts, part{text: before})
		}
		name, rest, closed := strings.Cut(after, "}}")
		if !closed {
			return Template{}, errors.New("a variable begins with {{ and does not end with }}")
		}
		p, err := parseVariable(strings.TrimSpace(name), feed)
		if err != nil {
			return Template{}, err
		}
		p.escape = escape
		t.parts, text = append(t.parts, p), rest
	}
	return t, nil
}

func parseVariable(name string, feed *Feed) (part, error) {
	switch name {
	case "seq":
		return part{name: varSeq}, nil
	case "user":
		return part{name: varUser}, nil
	case "rand":
		return part{name: varRand}, nil
	}
	if column := feed.column(name); column >= 0 {
		return part{name: varFeed, column: column}, nil
	}
	return part{}, fmt.Errorf("there is no variable {{%s}}: want seq, user, rand or a column of the feed", name)
}

// Join is one template behind the other.
func Join(list ...Template) Template {
	var t Template
	for _, other := range list {
		t.parts = append(t.parts, other.parts...)
		if other.feed != nil {
			t.feed = other.feed
		}
	}
	return t
}

// Constant says that nothing is filled in.
func (t *Template) Constant() bool {
	return !slices.ContainsFunc(t.parts, func(p part) bool { return p.name != literal })
}

// Append appends the text for a request.
func (t *Template) Append(dst []byte, s *loadtest.Shot) []byte {
	for i := range t.parts {
		switch p := &t.parts[i]; p.name {
		case literal:
			dst = append(dst, p.text...)
		case varSeq:
			dst = strconv.AppendInt(dst, s.Seq, 10)
		case varUser:
			dst = strconv.AppendInt(dst, int64(s.User), 10)
		case varRand:
			dst = appendHex(dst, s.Random())
		case varFeed:
			dst = appendValue(dst, t.feed.value(s, p.column), p.escape)
		}
	}
	return dst
}

const hexDigits = "0123456789abcdef"

func appendHex(dst []byte, v uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[v>>shift&15])
	}
	return dst
}

// appendValue appends a value of the feed, escaped for a URL when asked to.
func appendValue(dst []byte, value string, escape bool) []byte {
	if !escape {
		return append(dst, value...)
	}
	for i := range len(value) {
		c := value[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
	return dst
}
