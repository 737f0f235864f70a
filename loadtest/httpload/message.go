package httpload

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"holdfast/internal/http1"
	"holdfast/loadtest"
)

// message is a request as it is sent. One without variables is ready; the others are put together each time.
type message struct {
	ready []byte // all of it
	head  []part // up to the end of the fields, without Content-Length and the empty line
	body  []part
	sized bool // says how long its body is even when that is nothing
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

// compose reads a Request's text.
func (c *Client) compose(r *Request, method, host, target string) (message, error) {
	m := message{feed: c.config.Feed, sized: r.Body != "" || method == "POST" || method == "PUT" || method == "PATCH"}
	add := func(list *[]part, text string, escape bool) error {
		parts, err := c.parse(text, r.Verbatim, escape)
		*list = append(*list, parts...)
		return err
	}
	fields := []Field{{"Host", host}, {"User-Agent", "holdfast-load"}, {"Accept", "*/*"}}
	for _, f := range r.Header {
		var err error
		if fields, err = set(fields, f); err != nil {
			return message{}, err
		}
	}
	if c.config.NoKeepAlive {
		fields = append(fields, Field{"Connection", "close"})
	}
	err := errors.Join(add(&m.head, method+" ", false), add(&m.head, target, true), add(&m.head, " HTTP/1.1\r\n", false))
	for _, f := range fields {
		err = errors.Join(err, add(&m.head, f.Name+": ", false), add(&m.head, f.Value, false), add(&m.head, "\r\n", false))
	}
	if err = errors.Join(err, add(&m.body, r.Body, false)); err != nil {
		return message{}, err
	}
	if m.constant() && !c.config.Cookies {
		m.ready = m.append(nil, &loadtest.Shot{}, nil, new([]byte))
	}
	return m, nil
}

// set adds a header line, which takes the place of one that is there by itself.
func set(fields []Field, f Field) ([]Field, error) {
	switch strings.ToLower(f.Name) {
	case "content-length", "transfer-encoding", "connection", "expect", "upgrade":
		return nil, fmt.Errorf("the header %s is the generator's own: leave it out", f.Name)
	}
	if strings.ContainsFunc(f.Name+f.Value, control) {
		return nil, fmt.Errorf("the header %q holds a control character", f.Name)
	}
	for i := range fields[:3] {
		if strings.EqualFold(fields[i].Name, f.Name) {
			fields[i].Value = f.Value
			return fields, nil
		}
	}
	return append(fields, f), nil
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// parse cuts text at its variables.
func (c *Client) parse(text string, verbatim, escape bool) ([]part, error) {
	var parts []part
	for text != "" {
		before, after, found := strings.Cut(text, "{{")
		if verbatim || !found {
			return append(parts, part{text: text}), nil
		}
		if before != "" {
			parts = append(parts, part{text: before})
		}
		name, rest, closed := strings.Cut(after, "}}")
		if !closed {
			return nil, errors.New("a variable begins with {{ and does not end with }}")
		}
		p, err := c.variable(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		p.escape = escape
		parts, text = append(parts, p), rest
	}
	return parts, nil
}

func (c *Client) variable(name string) (part, error) {
	switch name {
	case "seq":
		return part{name: varSeq}, nil
	case "user":
		return part{name: varUser}, nil
	case "rand":
		return part{name: varRand}, nil
	}
	if column := c.config.Feed.column(name); column >= 0 {
		return part{name: varFeed, column: column}, nil
	}
	return part{}, fmt.Errorf("there is no variable {{%s}}: want seq, user, rand or a column of the feed", name)
}

func (m *message) constant() bool {
	for _, list := range [][]part{m.head, m.body} {
		for i := range list {
			if list[i].name != literal {
				return false
			}
		}
	}
	return true
}

// append puts the message together for a request; cookie is a header line or nothing, scratch is for the body.
func (m *message) append(dst []byte, s *loadtest.Shot, cookie []byte, scratch *[]byte) []byte {
	dst = append(m.appendParts(dst, m.head, s), cookie...)
	*scratch = m.appendParts((*scratch)[:0], m.body, s)
	if m.sized {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(*scratch)), 10)
		dst = append(dst, '\r', '\n')
	}
	return append(append(dst, '\r', '\n'), *scratch...)
}

func (m *message) appendParts(dst []byte, list []part, s *loadtest.Shot) []byte {
	for i := range list {
		switch p := &list[i]; p.name {
		case literal:
			dst = append(dst, p.text...)
		case varSeq:
			dst = strconv.AppendInt(dst, s.Seq, 10)
		case varUser:
			dst = strconv.AppendInt(dst, int64(s.User), 10)
		case varRand:
			dst = appendHex(dst, s.Random())
		case varFeed:
			dst = appendValue(dst, m.feed.value(s, p.column), p.escape)
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

// validate has the strict parser read what would be sent, for the first row of the feed.
func (m *message) validate() error {
	sent := m.ready
	if sent == nil {
		sent = m.append(nil, &loadtest.Shot{}, nil, new([]byte))
	}
	var r http1.Request
	r.Reset(http1.Limits{})
	n, err := r.Parse(sent)
	switch {
	case err != nil:
		return fmt.Errorf("make a request that servers understand: %w", err)
	case n == 0 || !bytes.HasPrefix(sent[n-4:], []byte("\r\n\r\n")):
		return errors.New("make a request that servers understand: its head does not end where it should")
	}
	return nil
}
