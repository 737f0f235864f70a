package channel

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Format is what the body of a webhook looks like.
type Format string

// The formats.
const (
	// Plain is the Notification, with a status and a text beside it.
	Plain Format = "holdfast"
	// Compatible is what Alertmanager sends to webhook receivers, version 4, so that
	// those which exist work.
	Compatible Format = "alertmanager"
)

// WebhookConfig is any address that takes a POST.
type WebhookConfig struct {
	Name string
	URL  string
	// Format of the body; empty: Plain.
	Format Format
	// Secret signs the request; empty: it is not signed. With the prefix whsec_ it
	// is the base64 of the key, as Standard Webhooks have it, else the key itself.
	Secret string
	Header map[string]string
	// Heartbeats are sent too; without, only alerts are.
	Heartbeats bool
	Reach      Reach
}

// Webhook posts notifications as JSON, signed the way of Standard Webhooks
// (https://www.standardwebhooks.com), for which receivers find libraries:
//
//	Webhook-Id         the same for each try: who keeps it drops doubles
//	Webhook-Timestamp  seconds since 1970, of this try
//	Webhook-Signature  v1,BASE64(HMAC-SHA256(key, id + "." + timestamp + "." + body))
//
// Verify does what a receiver has to.
type Webhook struct {
	config WebhookConfig
	key    []byte
	caller *caller
}

var errWebhookSecret = errors.New("read the secret: what follows whsec_ is not base64")

// NewWebhook opens no connection.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	key, err := webhookKey(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	to, err := newCaller(c.URL, c.Header, &c.Reach, c.Secret)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	return &Webhook{c, key, to}, nil
}

func webhookKey(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return []byte(secret), nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return nil, errWebhookSecret // the error would quote a part
	}
	return key, nil
}

// Name implements Channel.
func (w *Webhook) Name() string { return w.config.Name }

// Kind implements Channel.
func (*Webhook) Kind() string { return "webhook" }

func (w *Webhook) wants(n *Notification) bool { return !n.Heartbeat || w.config.Heartbeats }

// Send implements Channel.
func (w *Webhook) Send(ctx context.Context, n *Notification) error {
	if !w.wants(n) {
		return nil
	}
	body, err := w.body(clean(n))
	if err != nil {
		return fmt.Errorf("%w: write notification: %w", ErrRefused, err)
	}
	return w.caller.call(ctx, http.MethodPost, "application/json", body, w.signed(n.ID, body, time.Now()))
}

// plainBody is the format Plain.
type plainBody struct {
	Version int    `json:"version"`
	Status  string `json:"status"` // firing, resolved, heartbeat, test
	Text    string `json:"text"`
	*Notification
}

func (w *Webhook) body(n *Notification) ([]byte, error) {
	if w.config.Format == Compatible {
		return json.Marshal(receivedOf(w.config.Name, n))
	}
	if n.Alerts == nil {
		n.Alerts = []Alert{}
	}
	return json.Marshal(plainBody{1, status(n), headline(n), n})
}

func status(n *Notification) string {
	switch {
	case n.Test:
		return "test"
	case n.Heartbeat:
		return "heartbeat"
	case n.Resolved():
		return "resolved"
	}
	return "firing"
}

const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

func (w *Webhook) signed(id string, body []byte, now time.Time) map[string]string {
	id = oneLine(id)
	header := map[string]string{headerID: id, headerTimestamp: strconv.FormatInt(now.Unix(), 10)}
	if len(w.key) > 0 {
		header[headerSignature] = signature(w.key, id, header[headerTimestamp], body)
	}
	return header
}

// signature covers the time, so that what was overheard is of no use later.
func signature(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// ErrSignature is wrapped by every refusal of Verify.
var ErrSignature = errors.New("not signed by whom it should be")

// Tolerance is how far the clocks of the two sides may be apart.
const Tolerance = 5 * time.Minute

// Verify checks that a request with this header and body was signed with the
// secret at most Tolerance from now. Receivers call it before they read the body.
func Verify(secret string, header http.Header, body []byte, now time.Time) error {
	key, err := webhookKey(secret)
	if err != nil {
		return err
	}
	if len(key) == 0 {
		return fmt.Errorf("%w: no secret to check with", ErrSignature)
	}
	timestamp := header.Get(headerTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: no time", ErrSignature)
	}
	if at := time.Unix(seconds, 0); at.Before(now.Add(-Tolerance)) || at.After(now.Add(Tolerance)) {
		return fmt.Errorf("%w: the time is more than %v off", ErrSignature, Tolerance)
	}
	want := []byte(signature(key, header.Get(headerID), timestamp, body))
	given := strings.Fields(header.Get(headerSignature)) // several while a secret is changed
	if !slices.ContainsFunc(given, func(s string) bool { return hmac.Equal([]byte(s), want) }) {
		return fmt.Errorf("%w: the signature is another one", ErrSignature)
	}
	return nil
}
