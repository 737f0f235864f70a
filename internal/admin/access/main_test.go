package access_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store that can be switched off.
type memory struct {
	mu      sync.Mutex
	down    bool
	tokens  []store.Token
	entries []store.AuditEntry
	reads   int
	slow    time.Duration
}

var (
	_ access.TokenStore = store.Store(nil)
	_ access.Auditor    = store.Store(nil)
)

func (m *memory) unavailable() error {
	if m.down {
		return &store.Error{Op: "ask", Kind: store.ErrUnavailable}
	}
	return nil
}

func (m *memory) setDown(down bool) { m.mu.Lock(); m.down = down; m.mu.Unlock() }

func (m *memory) Tokens(ctx context.Context) ([]store.Token, error) {
	if m.slow > 0 {
		select {
		case <-time.After(m.slow):
		case <-ctx.Done():
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	return append([]store.Token{}, m.tokens...), m.unavailable()
}

func (m *memory) readCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads
}

func (m *memory) AddToken(_ context.Context, t store.Token, _ store.Actor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.unavailable(); err != nil {
		return err
	}
	m.tokens = append(m.tokens, t)
	return nil
}

func (m *memory) RevokeToken(_ context.Context, id string, _ store.Actor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.unavailable(); err != nil {
		return err
	}
	for i := range m.tokens {
		if m.tokens[i].ID == id {
			m.tokens[i].RevokedAt = time.Now()
			return nil
		}
	}
	return store.ErrNotFound
}

func (m *memory) Audit(_ context.Context, e store.AuditEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.unavailable(); err != nil {
		return err
	}
	m.entries = append(m.entries, e)
	return nil
}

func (m *memory) audited() []store.AuditEntry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]store.AuditEntry{}, m.entries...)
}

// put adds a token as another node would.
func (m *memory) put(name string, role store.Role, expires time.Time) (id, secret string) {
	t, secret := store.NewToken(name, role, expires, time.Now())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens = append(m.tokens, t)
	return t.ID, secret
}

// running starts Tokens and waits for its first read; it ends with the test,
// which is inside of a synctest bubble.
func running(t *testing.T, c access.TokensConfig) *access.Tokens {
	t.Helper()
	tokens := started(t, c)
	if m, ok := c.Store.(*memory); ok {
		time.Sleep(m.slow)
	}
	synctest.Wait()
	return tokens
}

// started starts Tokens anywhere, and waits for nothing.
func started(t *testing.T, c access.TokensConfig) *access.Tokens {
	t.Helper()
	tokens := access.NewTokens(c)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tokens.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return tokens
}

// bench is a guard with a token for each role, and all it writes.
type bench struct {
	store   *memory
	tokens  *access.Tokens
	guard   *access.Guard
	audit   *access.Audit
	handler http.Handler
	logs    *lockedBuffer
	ids     map[store.Role]string
	secrets map[store.Role]string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newBench must be called inside of a synctest bubble.
func newBench(t *testing.T, adjust func(*access.Config)) *bench {
	t.Helper()
	return benchWith(t, running, adjust)
}

func benchWith(t *testing.T, tokens func(*testing.T, access.TokensConfig) *access.Tokens, adjust func(*access.Config)) *bench {
	t.Helper()
	b := &bench{store: &memory{}, logs: &lockedBuffer{}, ids: map[store.Role]string{}, secrets: map[store.Role]string{}}
	for _, r := range []store.Role{store.Viewer, store.Operator, store.Admin} {
		b.ids[r], b.secrets[r] = b.store.put("the "+string(r), r, time.Time{})
	}
	logger := slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.tokens = tokens(t, access.TokensConfig{Store: b.store, Logger: logger})
	b.audit = access.NewAudit(b.store, logger)
	c := access.Config{Tokens: b.tokens, Logger: logger, Audit: b.audit, Hosts: []string{"holdfast.example"}}
	if adjust != nil {
		adjust(&c)
	}
	var err error
	if b.guard, err = access.New(c); err != nil {
		t.Fatal(err)
	}
	b.handler = b.guard.Handler(b.audit.Handler(b.routes()))
	return b
}

func (b *bench) routes() http.Handler {
	mux := http.NewServeMux()
	said := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	mux.Handle("GET /healthz", said("alive"))
	mux.Handle("/read", b.guard.Require(store.Viewer, said("read")))
	mux.Handle("/act", b.guard.Require(store.Operator, said("acted")))
	mux.Handle("/change", b.guard.Require(store.Admin, said("changed")))
	mux.Handle("POST /login", b.guard.Login())
	mux.Handle("POST /logout", b.guard.Logout())
	mux.Handle("GET /who", b.guard.WhoAmI())
	mux.Handle("GET "+access.SignInPath, b.guard.StartSignIn())
	mux.Handle("GET "+access.CallbackPath, b.guard.FinishSignIn())
	return mux
}

// ask sends a request through the handler; headers are "Name: value".
func (b *bench) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:8081"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		switch name {
		case "Host":
			r.Host = value
		case "Remote":
			r.RemoteAddr = value
		default:
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

func bearerOf(secret string) string { return "Authorization: Bearer " + secret }

// login returns the Cookie header of a new session.
func (b *bench) login(t *testing.T, role store.Role, headers ...string) string {
	t.Helper()
	w := b.ask("POST", "/login", `{"token":"`+b.secrets[role]+`"}`, append(headers, "Content-Type: application/json", "Sec-Fetch-Site: same-origin")...)
	if w.Code != http.StatusOK {
		t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("login set %d cookies", len(cookies))
	}
	return "Cookie: " + cookies[0].Name + "=" + cookies[0].Value
}
