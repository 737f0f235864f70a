package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/admin"
	"holdfast/internal/app"
)

// client asks a running Holdfast: the one on this machine through its local
// socket, or another one with a token.
type client struct {
	name string // of what is asked, for people
	base string
	http *http.Client
	head http.Header
	err  error // why nothing can be asked
}

const (
	askTimeout = 40 * time.Second // a reload may take as long as the server allows
	askBytes   = 256 << 20        // 10,000 functions fit
)

func newClient(g *global) *client {
	if g.url != "" {
		return remoteClient(g)
	}
	dir := g.dataDirOf()
	socket := filepath.Join(dir, app.SocketName)
	var d net.Dialer
	return &client{name: "with the data directory " + dir, base: "http://holdfast", http: &http.Client{
		Timeout: askTimeout,
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
			DisableKeepAlives: true,
		},
	}}
}

var errAnswer = errors.New("read the answer of the running Holdfast (is it of another version?)")

// get asks and reads the answer into v.
func (c *client) get(ctx context.Context, path string, v any) error {
	b, err := c.ask(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	return nil
}

// ask returns the answer as it came. Path is below /api/v1/, escaped.
func (c *client) ask(ctx context.Context, method, path string, query url.Values, body any) ([]byte, error) {
	req, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(res.Body, askBytes))
	if err != nil {
		return nil, c.unreachable(err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, refusedBy(res.StatusCode, b)
	}
	return b, nil
}

func (c *client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	if c.err != nil {
		return nil, c.err
	}
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	u, err := url.Parse(c.base + "/api/v1/" + path)
	if err != nil {
		return nil, err
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, c.head)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// escaped is a path of parts that may hold anything.
func escaped(parts ...string) string {
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// unreachable says what the lack of an answer means and what to do about it.
func (c *client) unreachable(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case c.head == nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		err = fmt.Errorf("no Holdfast is running %s\n"+
			"start one with holdfast up, or name the directory of the running one with --data-dir", c.name)
	case c.head == nil && errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("the Holdfast %s belongs to another user: run this as that user", c.name)
	default:
		err = fmt.Errorf("ask the Holdfast %s: %w", c.name, err)
	}
	return withCode(exitUnreachable, err)
}

// answerError is an answer that is none to what was asked.
type answerError struct {
	status int
	text   string
}

// Error implements error.
func (e *answerError) Error() string { return e.text }

func refusedBy(status int, body []byte) error {
	var e admin.Error
	if json.Unmarshal(body, &e) != nil || e.Message == "" {
		return &answerError{status, fmt.Sprintf("the running Holdfast answered %d", status)}
	}
	lines := []string{clean(e.Message)}
	if len(e.Problems) > 1 {
		lines[0] = "there is more than one problem:"
		for _, p := range e.Problems {
			lines = append(lines, "  "+clean(p.Field+": "+p.Message))
		}
	}
	if e.Hint != "" {
		lines = append(lines, clean(e.Hint))
	}
	return &answerError{status, strings.Join(lines, "\n")}
}

// query keeps what is set.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// writeIndented prints the API's JSON for people and programs alike.
func writeIndented(w io.Writer, b []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(b), "", "  "); err != nil {
		return fmt.Errorf("read the answer of the running Holdfast: %w", err)
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}
