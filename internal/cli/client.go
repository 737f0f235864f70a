package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"syscall"
	"time"

	"holdfast/internal/admin"
	"holdfast/internal/app"
)

// client asks a running Holdfast through its local socket.
type client struct {
	dataDir string
	http    *http.Client
}

const (
	askTimeout = 40 * time.Second // a reload may take as long as the server allows
	askBytes   = 256 << 20        // 10,000 functions fit
)

func newClient(g *global) *client {
	dir := g.dataDirOf()
	socket := filepath.Join(dir, app.SocketName)
	var d net.Dialer
	return &client{dataDir: dir, http: &http.Client{
		Timeout: askTimeout,
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
			DisableKeepAlives: true,
		},
	}}
}

// get asks and reads the answer into v.
func (c *client) get(ctx context.Context, path string, v any) error {
	b, err := c.ask(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read the answer of the running Holdfast (is it of another version?): %w", err)
	}
	return nil
}

// ask returns the answer as it came.
func (c *client) ask(ctx context.Context, method, path string, query url.Values, body any) ([]byte, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	u := url.URL{Scheme: "http", Host: "holdfast", Path: "/api/v1/" + path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
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

// unreachable says what the lack of an answer means and what to do about it.
func (c *client) unreachable(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		err = fmt.Errorf("no Holdfast is running with the data directory %s\n"+
			"start one with holdfast up, or name the directory of the running one with --data-dir", c.dataDir)
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("the Holdfast with the data directory %s belongs to another user: run this as that user", c.dataDir)
	default:
		err = fmt.Errorf("ask the Holdfast with the data directory %s: %w", c.dataDir, err)
	}
	return withCode(exitUnreachable, err)
}

func refusedBy(status int, body []byte) error {
	var e admin.Error
	if json.Unmarshal(body, &e) != nil || e.Message == "" {
		return fmt.Errorf("the running Holdfast answered %d", status)
	}
	if e.Hint != "" {
		return fmt.Errorf("%s\n%s", clean(e.Message), clean(e.Hint))
	}
	return errors.New(clean(e.Message))
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
