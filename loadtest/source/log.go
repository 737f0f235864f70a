package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"holdfast/loadtest/httpload"
)

// Log reads an access log in the common or combined format (nginx, Apache, and the like): of each line the quoted request
// counts. A log has no bodies and no headers, so only GET, HEAD and OPTIONS are taken. They go to target.
func Log(in io.Reader, target string) (*Requests, error) {
	c := newCounter()
	target = strings.TrimSuffix(target, "/")
	if err := lines(in, func(line string) error { c.line(line, target); return nil }); err != nil {
		return nil, err
	}
	list, err := c.requests()
	if err != nil {
		return nil, fmt.Errorf("read the access log: %w", err)
	}
	return list, nil
}

// lines hands over the lines that are not blank.
func lines(in io.Reader, each func(line string) error) error {
	for r := bufio.NewReaderSize(in, maxLine); ; {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("read the access log: a line is longer than %d bytes", maxLine)
		}
		if len(strings.TrimSpace(string(line))) > 0 {
			if err := each(string(line)); err != nil {
				return fmt.Errorf("read the access log: %w", err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the access log: %w", err)
		}
	}
}

// line takes the request of a line: the first text in quotes that reads METHOD SP target SP HTTP/d.d. It returns nil when
// there is none that can be sent.
func (c *counter) line(line, target string) *counted {
	for rest := line; ; {
		_, after, found := strings.Cut(rest, `"`)
		quoted, behind, closed := strings.Cut(after, `"`)
		if !found || !closed {
			c.skip("their lines hold no request in quotes")
			return nil
		}
		words := strings.Split(quoted, " ")
		if len(words) != 3 || !strings.HasPrefix(words[2], "HTTP/") {
			rest = behind
			continue
		}
		method, path := words[0], words[1]
		switch {
		case !safe(method):
			c.skip("a log has no body to send " + method + " with")
		case !strings.HasPrefix(path, "/"):
			c.skip("they were not for this server")
		default:
			path, _, _ = strings.Cut(path, "#")
			name, _, _ := strings.Cut(path, "?")
			return c.add(httpload.Request{Name: method + " " + name, Method: method, URL: target + path})
		}
		return nil
	}
}
