package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
)

// masked stands for a secret, whatever its length.
const masked = "***"

var (
	tokenText   = regexp.MustCompile(`(hf_[0-9a-zA-Z]{1,32}_|hf[so]_)[0-9a-zA-Z_]+`)
	bearerText  = regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[^\s"',;]{12,}`)
	urlPassword = regexp.MustCompile(`(://[^\s/?#:@"']*):[^\s"']*@`)
	secretKey   = regexp.MustCompile(`(?i)authorization|cookie|token|secret|passw|passphrase|pwd|credential|private|dsn|key$|keys$|^hash$`)
	publicKey   = regexp.MustCompile(`(?i)^token_?id$|^public_?key|^hash_(?:on|balance_factor)$`)
)

// Mask hides what looks like a secret in text: tokens (their id stays, so that
// they can be found and revoked), session cookies, Authorization values and
// passwords in URLs.
func Mask(text string) string {
	if strings.Contains(text, "hf") {
		text = tokenText.ReplaceAllString(text, "${1}"+masked)
	}
	if strings.Contains(text, "://") {
		text = urlPassword.ReplaceAllString(text, "${1}:"+masked+"@")
	}
	if strings.ContainsAny(text, "bB") && strings.ContainsAny(text, " \t\r\n\f\v") { // "Bearer ", "Basic "
		text = bearerText.ReplaceAllString(text, "${1}"+masked)
	}
	return text
}

// MaskAttr is a slog.HandlerOptions.ReplaceAttr that masks texts, errors, and
// whatever stands under a telling key.
func MaskAttr(_ []string, a slog.Attr) slog.Attr {
	if isSecretKey(a.Key) && a.Value.Kind() != slog.KindGroup {
		return slog.String(a.Key, masked)
	}
	switch v := a.Value.Resolve(); v.Kind() { //nolint:exhaustive // numbers, times and groups hold no text
	case slog.KindString:
		return slog.String(a.Key, Mask(v.String()))
	case slog.KindAny:
		return maskAny(a.Key, v.Any())
	}
	return a
}

func maskAny(key string, v any) slog.Attr {
	text := fmt.Sprintf("%+v", v)
	if hidden := Mask(text); hidden != text {
		return slog.String(key, hidden)
	}
	return slog.Any(key, v)
}

// isSecretKey is asked for every attribute of every line of the log, and there
// are few keys; those of documents may be anything, so not all are remembered.
func isSecretKey(key string) bool {
	if secret, known := knownKeys.Load(key); known {
		return secret == true
	}
	secret := secretKey.MatchString(key) && !publicKey.MatchString(key)
	if len(key) <= maxKnownKey && keysKnown.Add(1) <= maxKnownKeys {
		knownKeys.Store(strings.Clone(key), secret)
	}
	return secret
}

const (
	maxKnownKeys = 4096
	maxKnownKey  = 64
)

//nolint:gochecknoglobals // what is remembered follows from the expressions above
var (
	knownKeys sync.Map // whether it is secret, by key
	keysKnown atomic.Int64
)

// MaskJSON writes v as JSON for the audit log: values under a telling key
// (password, token, authorization, api_key ...) are hidden whatever they are,
// and texts pass Mask. Nil gives nil. A value that JSON cannot hold gives a text
// that says so, because an entry without detail is better than none.
func MaskJSON(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`"not representable"`)
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // large numbers stay what they are
	if d.Decode(&tree) != nil {
		return json.RawMessage(`"not representable"`)
	}
	b, err = json.Marshal(maskTree(tree))
	if err != nil {
		return json.RawMessage(`"not representable"`)
	}
	return b
}

func maskTree(v any) any {
	switch v := v.(type) {
	case string:
		return Mask(v)
	case []any:
		for i := range v {
			v[i] = maskTree(v[i])
		}
	case map[string]any:
		return maskMap(v)
	}
	return v
}

// maskMap makes a new map, because keys may hold secrets as well.
func maskMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	name, _ := m["name"].(string) // {"name": "Authorization", "value": ...}
	for k, inner := range m {
		if inner != nil && inner != "" && (isSecretKey(k) || k == "value" && isSecretKey(name)) {
			out[Mask(k)] = masked
			continue
		}
		out[Mask(k)] = maskTree(inner)
	}
	return out
}
