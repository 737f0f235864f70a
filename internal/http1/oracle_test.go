package http1_test

import (
	"errors"
	"strconv"
	"strings"
)

// message is a request as the oracle reads it.
type message struct {
	line, body string
}

var errOracle = errors.New("the oracle cannot read it")

// oracle is a second parser, as simple as can be: it reads all requests of a
// stream the way an instance would, looking only at CRLF, Content-Length and
// Transfer-Encoding. It trusts what it reads; whoever forwards must not send it
// anything that it takes for two requests.
func oracle(stream string) (list []message, err error) {
	for stream != "" {
		head, rest, ok := strings.Cut(stream, "\r\n\r\n")
		if !ok {
			return list, errOracle
		}
		lines := strings.Split(head, "\r\n")
		m := message{line: lines[0]}
		length, chunked := 0, false
		for _, line := range lines[1:] {
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				return list, errOracle
			}
			// As lenient as the worst reader: names are trimmed, underscores are
			// dashes, a coding need only end in chunked.
			name = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), "_", "-"))
			value = strings.ToLower(strings.TrimSpace(value))
			switch name {
			case "content-length":
				if length, err = strconv.Atoi(value); err != nil {
					return list, errOracle
				}
			case "transfer-encoding":
				chunked = strings.HasSuffix(value, "chunked")
			}
		}
		switch {
		case chunked:
			if m.body, stream, ok = oracleChunks(rest); !ok {
				return list, errOracle
			}
		case len(rest) < length:
			return list, errOracle
		default:
			m.body, stream = rest[:length], rest[length:]
		}
		list = append(list, m)
	}
	return list, nil
}

func oracleChunks(in string) (body, rest string, ok bool) {
	for {
		line, after, found := strings.Cut(in, "\r\n")
		line, _, _ = strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 62)
		if !found || err != nil || int64(len(after)) < n {
			return "", "", false
		}
		if n > 0 {
			body += after[:n]
			if in, found = strings.CutPrefix(after[n:], "\r\n"); !found {
				return "", "", false
			}
			continue
		}
		for { // trailers
			line, after, found = strings.Cut(after, "\r\n")
			if !found {
				return "", "", false
			}
			if line == "" {
				return body, after, true
			}
		}
	}
}
