package httpload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"holdfast/internal/http1"
	"holdfast/loadtest"
	"holdfast/loadtest/template"
)

// Feed is a table whose rows are given to requests in turn, or by chance.
type Feed = template.Feed

// ReadFeed reads a table in CSV, the first line of which names the columns. Errors name the line.
func ReadFeed(in io.Reader) (*Feed, error) { return template.ReadFeed(in) }

// message is a request as it is sent. One without variables is ready; the others are put together each time.
type message struct {
	ready []byte            // all of it
	head  template.Template // up to the end of the fields, without Content-Length and the empty line
	body  template.Template
	sized bool // says how long its body is even when that is nothing
}

// compose reads a Request's text.
func (c *Client) compose(r *Request, method, host, target string) (message, error) {
	m := message{sized: r.Body != "" || method == "POST" || method == "PUT" || method == "PATCH"}
	add := func(to *template.Template, text string, escape bool) error {
		piece, err := template.Verbatim(text), error(nil)
		if !r.Verbatim {
			piece, err = template.Parse(text, c.config.Feed, escape)
		}
		*to = template.Join(*to, piece)
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
	if m.head.Constant() && m.body.Constant() && !c.config.Cookies {
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

// append puts the message together for a request; cookie is a header line or nothing, scratch is for the body.
func (m *message) append(dst []byte, s *loadtest.Shot, cookie []byte, scratch *[]byte) []byte {
	dst = append(m.head.Append(dst, s), cookie...)
	*scratch = m.body.Append((*scratch)[:0], s)
	if m.sized {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(*scratch)), 10)
		dst = append(dst, '\r', '\n')
	}
	return append(append(dst, '\r', '\n'), *scratch...)
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
