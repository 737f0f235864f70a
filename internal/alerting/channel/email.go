package channel

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Encryption is how a mail server is spoken to.
type Encryption string

// The ways. There is none that starts in the clear and stays so if the server
// has nothing better: whoever stands in between would choose it.
const (
	StartTLS Encryption = "starttls" // the connection begins in the clear and must change; port 587 or 25
	Implicit Encryption = "implicit" // TLS from the first byte; port 465
	Clear    Encryption = "none"     // for a relay on this machine; excludes a password
)

// EmailConfig is a mail server and who gets what.
type EmailConfig struct {
	Name string
	// Server is host:port.
	Server string
	// Encryption of the connection; empty: StartTLS.
	Encryption Encryption
	// User and Password are shown to the server over TLS only; empty: it wants none.
	User, Password string
	// From is an address, with a name or without: Holdfast <holdfast@example.com>.
	From string
	// To are the recipients. Each gets a mail of its own, so that a wrong address
	// keeps nobody else from being told.
	To []string
	// Reach.Timeout is 30 s here when it is 0: mail servers take their time.
	Reach Reach
}

const (
	mailTimeout = 30 * time.Second
	mailSubject = 200
)

// Email sends notifications as mail, text and HTML.
type Email struct {
	config    EmailConfig
	host      string
	port      int
	from      *mail.Address
	to        []*mail.Address
	secrets   redactor
	delivered delivered // by Message-Id
}

var (
	errMailServer = errors.New("read the server: want host:port")
	errMailTo     = errors.New("no recipient")
	errMailClear  = errors.New("a password needs TLS")
)

// NewEmail opens no connection.
func NewEmail(c EmailConfig) (*Email, error) {
	if c.Encryption == "" {
		c.Encryption = StartTLS
	}
	if c.Reach.Timeout <= 0 {
		c.Reach.Timeout = mailTimeout
	}
	e := &Email{config: c, secrets: redactorOf(&url.URL{}, []string{c.Password, c.User, basic(c.User, c.Password), plainAuth(c.User, c.Password)})}
	if err := e.read(); err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	return e, nil
}

// plainAuth is what the mechanism PLAIN sends.
func plainAuth(user, password string) string {
	if password == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

func (e *Email) read() error {
	host, port, err := net.SplitHostPort(e.config.Server)
	if err == nil {
		e.port, err = strconv.Atoi(port)
	}
	if err != nil || host == "" || e.port < 1 || e.port > 65535 {
		return errMailServer
	}
	e.host = host
	if e.config.Encryption == Clear && (e.config.User != "" || e.config.Password != "") {
		return errMailClear
	}
	if e.from, err = mail.ParseAddress(e.config.From); err != nil {
		return fmt.Errorf("read the sender's address: %w", err)
	}
	for _, text := range e.config.To {
		address, err := mail.ParseAddress(text)
		if err != nil {
			return fmt.Errorf("read a recipient's address: %w", err)
		}
		e.to = append(e.to, address)
	}
	if len(e.to) == 0 {
		return errMailTo
	}
	return nil
}

// Name implements Channel.
func (e *Email) Name() string { return e.config.Name }

// Kind implements Channel.
func (*Email) Kind() string { return "email" }

func (*Email) wants(n *Notification) bool { return !n.Heartbeat }

// Send implements Channel. It returns nil only when every recipient's mail was
// taken; who was reached already gets no second one from this process.
func (e *Email) Send(ctx context.Context, n *Notification) error {
	if !e.wants(n) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.config.Reach.Timeout)
	defer cancel()
	letters, err := e.letters(clean(n))
	if err != nil || len(letters) == 0 {
		return err
	}
	return e.deliver(ctx, letters)
}

// letters are the mails that are still to be sent.
func (e *Email) letters(n *Notification) ([]*gomail.Msg, error) {
	text, html, err := letterOf(n)
	if err != nil {
		return nil, fmt.Errorf("%w: write mail: %w", ErrRefused, err)
	}
	var list []*gomail.Msg
	for _, to := range e.to {
		id := e.messageID(n.ID + "\n" + to.Address)
		if e.delivered.has(id) {
			continue
		}
		m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
		m.FromMailAddress(e.from)
		m.ToMailAddress(to)
		m.Subject(shorten(headline(n), mailSubject))
		m.SetDateWithValue(n.At)
		m.SetMessageIDWithValue(id)
		m.SetGenHeader(gomail.HeaderReferences, "<"+e.messageID(n.Group)+">") // mail programs show a group as a thread
		m.SetGenHeader("Auto-Submitted", "auto-generated")                    // nobody's absence note answers
		if worst(n) == Critical {
			m.SetImportance(gomail.ImportanceHigh)
		}
		m.SetBodyString(gomail.TypeTextPlain, text)
		m.AddAlternativeString(gomail.TypeTextHTML, html)
		list = append(list, m)
	}
	return list, nil
}

// messageID is the same for the same thing, and holds nothing that could end a
// header.
func (e *Email) messageID(of string) string {
	sum := sha256.Sum256([]byte(of))
	domain := e.from.Address[strings.LastIndexByte(e.from.Address, '@')+1:]
	return hex.EncodeToString(sum[:16]) + "@" + domain
}

// deliver sends all in one session.
func (e *Email) deliver(ctx context.Context, letters []*gomail.Msg) error {
	var connection net.Conn
	client, err := gomail.NewClient(e.host, e.options(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := e.dial(ctx, network, address)
		connection = c
		return c, err
	})...)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrRefused, e.secrets.redact(err.Error()))
	}
	defer func() {
		if connection != nil { // the library leaves it open when the greeting or the password fails
			_ = connection.Close()
		}
	}()
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return e.failed(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	var refused, passing []error
	for _, m := range letters {
		if err := client.SendWithSMTPClient(session, m); err != nil && !m.IsDelivered() {
			if err = e.failed(ctx, err); errors.Is(err, ErrRefused) {
				refused = append(refused, err)
			} else {
				passing = append(passing, err)
			}
			continue
		}
		e.delivered.add(strings.Trim(m.GetMessageID(), "<>"))
	}
	_ = client.CloseWithSMTPClient(session) // what was taken is taken, however the goodbye goes
	if len(passing) > 0 {
		return passing[0]
	}
	return together(refused)
}

// options of a client that tells nothing over a line others can read.
func (e *Email) options(dial gomail.DialContextFunc) []gomail.Option {
	options := []gomail.Option{
		gomail.WithPort(e.port), gomail.WithTimeout(e.config.Reach.Timeout), gomail.WithDialContextFunc(dial),
		gomail.WithTLSConfig(e.config.Reach.tls(e.host)), gomail.WithoutNoop(),
	}
	switch e.config.Encryption {
	case Implicit:
		options = append(options, gomail.WithSSL())
	case Clear:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if e.config.User != "" {
		options = append(options, gomail.WithUsername(e.config.User), gomail.WithPassword(e.config.Password),
			// PLAIN and LOGIN are those of the library that refuse a line without TLS.
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return options
}

// dial connects, with TLS at once where that is wanted.
func (e *Email) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := e.config.Reach.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	plain, err := dial(ctx, network, address)
	if err != nil || e.config.Encryption != Implicit {
		return plain, err
	}
	secured := tls.Client(plain, e.config.Reach.tls(e.host))
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		return nil, err
	}
	return secured, nil
}

// failed says what a server's answer means: 5xx is for good.
func (e *Email) failed(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("reach %s: no answer within %v: %w", e.config.Server, e.config.Reach.Timeout, cause)
	}
	code := 0
	if sent, ok := errors.AsType[*gomail.SendError](err); ok {
		code = sent.ErrorCode()
	} else if answer, ok := errors.AsType[*textproto.Error](err); ok {
		code = answer.Code
	}
	text := e.secrets.redact(err.Error())
	if code >= 500 && code <= 599 {
		return fmt.Errorf("%w: %s: %s", ErrRefused, e.config.Server, text)
	}
	return fmt.Errorf("send mail through %s: %s", e.config.Server, text)
}
