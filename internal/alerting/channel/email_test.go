package channel_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"holdfast/internal/alerting/channel"
)

// mailServer is a real one that keeps what it takes.
type mailServer struct {
	address string
	roots   *x509.CertPool
	mu      sync.Mutex
	taken   []letter
	logins  []string
	// answer says what becomes of a recipient; nil: it is fine.
	answer func(to string) error
}

type letter struct {
	from string
	to   []string
	text []byte
}

type mailSession struct {
	server *mailServer
	letter letter
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.logins = append(s.server.logins, user+" "+password)
		if password != "hunter2hunter2" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.letter = letter{from: from}
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.answer != nil {
		if err := s.server.answer(to); err != nil {
			return err
		}
	}
	s.letter.to = append(s.letter.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) (err error) {
	if s.letter.text, err = io.ReadAll(r); err == nil {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.taken = append(s.server.taken, s.letter)
	}
	return err
}

func (*mailSession) Reset()        {}
func (*mailSession) Logout() error { return nil }

func (m *mailServer) letters() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.taken)
}

// newMailServer has STARTTLS, unless it speaks TLS from the first byte or not at
// all.
func newMailServer(t *testing.T, e channel.Encryption) *mailServer {
	t.Helper()
	lender := httptest.NewUnstartedServer(nil) // of a certificate for 127.0.0.1
	lender.StartTLS()
	t.Cleanup(lender.Close)
	m := &mailServer{roots: x509.NewCertPool()}
	m.roots.AddCert(lender.Certificate())
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{server: m}, nil }))
	server.Domain, server.ErrorLog = "localhost", silentLog{}
	server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
	server.AllowInsecureAuth = e == channel.Clear // so that it would take a password
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	secured := &tls.Config{Certificates: lender.TLS.Certificates, MinVersion: tls.VersionTLS12}
	switch e {
	case channel.StartTLS:
		server.TLSConfig = secured
	case channel.Implicit:
		l = tls.NewListener(l, secured)
	case channel.Clear:
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return m
}

type silentLog struct{}

func (silentLog) Printf(string, ...any) {}
func (silentLog) Println(...any)        {}

func (m *mailServer) channel(t *testing.T, change func(*channel.EmailConfig)) *channel.Email {
	t.Helper()
	c := channel.EmailConfig{
		Name: "c", Server: m.address, From: "Holdfast <holdfast@example.com>", To: []string{"a@example.com", "Bärbel <b@example.com>"},
		Reach: channel.Reach{RootCAs: m.roots},
	}
	if change != nil {
		change(&c)
	}
	e, err := channel.NewEmail(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// parts reads a mail as a mail program does.
func parts(t *testing.T, text []byte) (header mail.Header, plain, html string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err != nil {
			return m.Header, plain, html
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil || p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatalf("%v, %v", p.Header, err)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			html = string(body)
		} else {
			plain = string(body)
		}
	}
}

func TestAMailIsTextAndHTMLAndOneThreadPerGroup(t *testing.T) {
	t.Parallel()
	m := newMailServer(t, channel.StartTLS)
	e := m.channel(t, func(c *channel.EmailConfig) { c.User, c.Password = "me", "hunter2hunter2" })
	for _, n := range []*channel.Notification{twoAlerts(), oneResolved(), testButton(), heartbeat()} {
		if err := e.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	all := m.letters()
	if len(all) != 6 || !slices.Equal(m.logins, []string{"me hunter2hunter2", "me hunter2hunter2", "me hunter2hunter2"}) {
		t.Fatalf("%d mails, logins %q", len(all), m.logins)
	}
	first, plain, html := parts(t, all[0].text)
	subject, err := new(mime.WordDecoder).DecodeHeader(first.Get("Subject"))
	if err != nil || subject != "CRITICAL: payments: 42.5 % of 1200 requests failed in the last minute <!channel> & *bold* (and 4 more)" {
		t.Errorf("%q, %v", subject, err)
	}
	for _, want := range []string{"Likely cause: the database refuses connections", "Next step: holdfast explain payments", "error_percent: 42.5", "RESOLVED payments/10.0.0.1:3000", "and 3 more alerts", "Page: https://holdfast.example/"} {
		if !strings.Contains(plain, want) {
			t.Errorf("no %q in\n%s", want, plain)
		}
	}
	if !strings.Contains(html, "&lt;!channel&gt; &amp; *bold*") || strings.Contains(html, "<!channel>") || strings.Contains(html, "src=") {
		t.Errorf("%s", html)
	}
	second, _, _ := parts(t, all[1].text)
	later, _, _ := parts(t, all[2].text)
	if first.Get("References") == "" || first.Get("References") != later.Get("References") {
		t.Errorf("threads %q and %q", first.Get("References"), later.Get("References"))
	}
	if first.Get("Message-Id") == second.Get("Message-Id") || first.Get("Message-Id") == later.Get("Message-Id") || !strings.HasSuffix(first.Get("Message-Id"), "@example.com>") {
		t.Errorf("ids %q, %q, %q", first.Get("Message-Id"), second.Get("Message-Id"), later.Get("Message-Id"))
	}
	if first.Get("Importance") != "high" || later.Get("Importance") != "" || first.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%v", first)
	}
	if to, err := second.AddressList("To"); err != nil || len(to) != 1 || to[0].Name != "Bärbel" || all[1].from != "holdfast@example.com" {
		t.Errorf("to %v from %s, %v", to, all[1].from, err)
	}
}

func TestMailGoesOverTLSOrNotAtAll(t *testing.T) {
	t.Parallel()
	login := func(e channel.Encryption) func(*channel.EmailConfig) {
		return func(c *channel.EmailConfig) {
			c.Encryption, c.User, c.Password = e, "me", "hunter2hunter2"
		}
	}
	implicit := newMailServer(t, channel.Implicit)
	if err := implicit.channel(t, login(channel.Implicit)).Send(t.Context(), twoAlerts()); err != nil || len(implicit.letters()) != 2 || len(implicit.logins) != 1 {
		t.Errorf("implicit: %v", err)
	}
	bare := newMailServer(t, channel.Clear)
	if err := bare.channel(t, func(c *channel.EmailConfig) { c.Encryption = channel.Clear }).Send(t.Context(), twoAlerts()); err != nil || len(bare.letters()) != 2 {
		t.Errorf("none: %v", err)
	}
	// Somebody in between hides STARTTLS: nothing is said, and it is tried again.
	err := bare.channel(t, login(channel.StartTLS)).Send(t.Context(), twoAlerts())
	if err == nil || errors.Is(err, channel.ErrRefused) || !strings.Contains(err.Error(), "STARTTLS") || len(bare.letters()) != 2 || len(bare.logins) != 0 {
		t.Errorf("%d mails, logins %q: %v", len(bare.letters()), bare.logins, err)
	}
	// Somebody else's certificate.
	for _, e := range []channel.Encryption{channel.StartTLS, channel.Implicit} {
		m := newMailServer(t, e)
		err := m.channel(t, func(c *channel.EmailConfig) {
			login(e)(c)
			c.Reach.RootCAs = nil
		}).Send(t.Context(), twoAlerts())
		if err == nil || errors.Is(err, channel.ErrRefused) || !strings.Contains(err.Error(), "certificate") || len(m.logins) != 0 {
			t.Errorf("%s: %v", e, err)
		}
	}
	if _, err := channel.NewEmail(channel.EmailConfig{Name: "c", Server: "a:25", Encryption: channel.Clear, User: "me", Password: "x", From: "a@example.com", To: []string{"b@example.com"}}); err == nil {
		t.Error("a password without TLS was accepted")
	}
}

func TestAWrongPasswordIsRefusedAndNotShown(t *testing.T) {
	t.Parallel()
	m := newMailServer(t, channel.StartTLS)
	err := m.channel(t, func(c *channel.EmailConfig) { c.User, c.Password = "me", "hunter3hunter3" }).Send(t.Context(), twoAlerts())
	if !errors.Is(err, channel.ErrRefused) || !strings.Contains(err.Error(), "Authentication failed") || strings.Contains(err.Error(), "hunter3") {
		t.Errorf("%v", err)
	}
}

func TestOneRecipientThatIsRefusedKeepsNobodyElseFromBeingTold(t *testing.T) {
	t.Parallel()
	m := newMailServer(t, channel.StartTLS)
	gone := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	busy := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "come back later"}
	answer := error(busy)
	m.answer = func(to string) error {
		if to == "a@example.com" {
			return answer
		}
		return nil
	}
	e := m.channel(t, nil)
	n := twoAlerts()
	if err := e.Send(t.Context(), n); err == nil || errors.Is(err, channel.ErrRefused) || !strings.Contains(err.Error(), "come back later") {
		t.Errorf("%v", err)
	}
	if err := e.Send(t.Context(), n); err == nil || len(m.letters()) != 1 {
		t.Errorf("%d mails after the second try, %v", len(m.letters()), err)
	}
	m.mu.Lock()
	answer = gone
	m.mu.Unlock()
	if err := e.Send(t.Context(), n); !errors.Is(err, channel.ErrRefused) || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("%v", err)
	}
	m.mu.Lock()
	answer = nil
	m.mu.Unlock()
	for range 2 { // the second finds nothing to do
		if err := e.Send(t.Context(), n); err != nil || len(m.letters()) != 2 {
			t.Errorf("%d mails in the end, %v", len(m.letters()), err)
		}
	}
	if to := m.letters()[1].to; !slices.Equal(to, []string{"a@example.com"}) {
		t.Errorf("to %q", to)
	}
}

func TestAMailServerThatSaysNothingCostsTheDeadline(t *testing.T) {
	t.Parallel()
	silent := listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
	halfway := listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "220 hello\r\n")
		_, _ = c.Read(make([]byte, 100))
		_, _ = c.Read(make([]byte, 100))
	})
	for _, address := range []string{silent, halfway} {
		m := &mailServer{address: address}
		err := m.channel(t, func(c *channel.EmailConfig) { c.Reach.Timeout = 100 * time.Millisecond }).Send(t.Context(), twoAlerts())
		if !errors.Is(err, context.DeadlineExceeded) && (err == nil || !strings.Contains(err.Error(), "timeout")) || errors.Is(err, channel.ErrRefused) {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(20*time.Millisecond, cancel)
		if err := m.channel(t, func(c *channel.EmailConfig) { c.Reach.Timeout = 200 * time.Millisecond }).Send(ctx, twoAlerts()); err == nil {
			t.Error("nothing was wrong")
		}
		stop.Stop()
		cancel()
	}
}
