package access_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

// Every secret goes to every place where somebody may put one, and nothing
// that comes out may hold it.
func TestNoSecretShowsInLogsAnswersErrorsOrEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *access.Config) {
			c.Limits.Failures, c.Limits.Address = 1000, access.Rate{PerSecond: 1e6, Burst: 1e6}
		})
		var out strings.Builder
		note := func(w *httptest.ResponseRecorder) {
			fmt.Fprintln(&out, w.Code, w.Body)
			for name, values := range w.Header() {
				if name != "Set-Cookie" {
					fmt.Fprintln(&out, name, values)
				}
			}
		}
		cookie := b.login(t, store.Viewer)
		session := cookie[strings.LastIndex(cookie, "_")+1:]
		secrets := []string{b.secrets[store.Viewer], b.secrets[store.Admin], "hf_0123456789ab_" + strings.Repeat("5", 64), "hfs_" + session}
		for _, s := range secrets {
			for _, headers := range [][]string{
				{bearerOf(s)},
				{"Authorization: " + s},
				{"Authorization: Basic " + s},
				{"Cookie: holdfast=" + s},
				{"Host: " + s},
				{"Content-Type: application/json", "Sec-Fetch-Site: cross-site"},
				{"Content-Type: application/json", "Origin: http://" + s},
				{"Content-Type: application/json"},
			} {
				for _, body := range []string{`{"token":"` + s + `"}`, `{"token":"` + s + `x"}`, `{"` + s + `":1}`, s} {
					note(b.ask("POST", "/login", body, headers...))
				}
				note(b.ask("GET", "/"+s+"?token="+s, "", headers...))
				note(b.ask("DELETE", "/change/"+s, "", headers...))
				note(b.ask("PUT", "/change", "", headers...))
			}
			_, err := b.tokens.Verify(t.Context(), s+"0", time.Now())
			fmt.Fprintln(&out, err)
			_, _, err = b.tokens.Create(t.Context(), access.NewToken{Name: s, Role: store.Role(s[:5])}, store.Actor{})
			fmt.Fprintln(&out, err)
			fmt.Fprintln(&out, b.tokens.Revoke(t.Context(), s[:16], store.Actor{}))
			fmt.Fprintln(&out, access.AsError(errors.New("ask "+s)))
			_, err = access.New(access.Config{Tokens: b.tokens, Hosts: []string{s + "/"}})
			fmt.Fprintln(&out, access.AsError(err))
		}
		fmt.Fprintf(&out, "%s\n%+v\n", b.logs, b.store.audited())
		for _, s := range secrets {
			if i := strings.Index(out.String(), s[len(s)-64:]); i >= 0 {
				t.Errorf("a secret shows: ...%s", out.String()[max(0, i-200):min(out.Len(), i+80)])
			}
		}
		if !strings.Contains(b.logs.String(), "token refused") || out.Len() < 10_000 {
			t.Error("nothing was written, so nothing was tested")
		}
	})
}

func TestLogAttributesAreMasked(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	log := slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{ReplaceAttr: access.MaskAttr}))
	log.LogAttrs(t.Context(), slog.LevelInfo, "said "+sample,
		slog.String("text", sample), slog.Any("error", errors.New("bad "+sample)), slog.String("password", "p4ss"),
		slog.Any("header", http.Header{"X": {sample}}), slog.Group("g", slog.String("url", "http://u:p4ss@h/")), slog.Int("n", 7), slog.String("token_id", "abc"))
	got := buf.String()
	if strings.Contains(got, sample[20:]) || strings.Contains(got, "p4ss") {
		t.Errorf("%s", got)
	}
	for _, want := range []string{"hf_0123456789ab_***", "n=7", "token_id=abc", "http://u:***@h/"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
}

func TestTheBootstrapTokenIsMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tok, made, err := access.Bootstrap(dir)
	if err != nil || !made || tok.Role != store.Admin || tok.Name != "bootstrap" {
		t.Fatalf("%+v, %v, %v", tok, made, err)
	}
	path := filepath.Join(dir, access.BootstrapName)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	secret, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := tok.Check(strings.TrimSpace(string(secret)), time.Now()); err != nil {
		t.Errorf("the file is not the token: %v", err)
	}
	again, made, err := access.Bootstrap(dir)
	if err != nil || made || again.ID != tok.ID || !bytes.Equal(again.Hash, tok.Hash) {
		t.Errorf("the second time: %+v, %v, %v", again, made, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestABootstrapTokenThatMayBeKnownToOthersIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"open to the group": {sample, 0o640, "chmod 600"},
		"open to all":       {sample, 0o604, "chmod 600"},
		"cut short":         {sample[:70], 0o600, "delete it"},
		"empty":             {"", 0o600, "delete it"},
		"something else":    {"hunter2", 0o600, "delete it"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, access.BootstrapName)
		if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
		_, _, err := access.Bootstrap(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.content != "" && strings.Contains(err.Error(), c.content) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := access.Bootstrap(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a directory that does not exist")
	}
}
