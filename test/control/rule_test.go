package control_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"holdfast/test/holdfast"
)

// dangerous are the keys that run programs, name files, or move the interface
// itself, and all there is about processes and the admin listener.
var dangerous = regexp.MustCompile(`^(listen|data_dir|store|include|defaults|trusted_proxies|engine|platform)$|^admin\.|\.platform\.|\.command$|\.env$|\.dir$|\.output$|\.file$|\.cert$`)

// Every documented key that would let the API run something, read a file or
// reach the listeners is refused, by whichever of the two ways it is sent. The
// keys come from the reference, so that a new one is looked at as well.
func TestNoDocumentedKeyLetsTheAPIRunOrReadAnything(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "")))
	p.Ready(t, ready)
	a := login(t, p)
	section, tried := "", 0
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, ok := strings.CutPrefix(line, "## `"); ok {
			section = strings.TrimSuffix(strings.ReplaceAll(name, "NAME", "public"), "`") + "."
		} else if strings.HasPrefix(line, "## ") {
			section = ""
		}
		key, ok := strings.CutPrefix(line, "| `")
		key, _, _ = strings.Cut(key, "`")
		path := section + key
		if !ok || !dangerous.MatchString(path) {
			continue
		}
		switch strings.TrimPrefix(path, "functions.public.platform.") {
		case "tls", "admin.tls", "admin.oidc", "admin.oidc.roles", "process", "docker-swarm", "docker-swarm.tls", "kubernetes":
			continue // blocks: nobody sets one as a whole
		}
		tried++
		for _, value := range []string{`"x"`, `["sh"]`, `{"a":"b"}`} {
			a.refused(403, "PUT", "/api/v1/config/values", fmt.Sprintf(`{"path":%q,"value":%s}`, path, value), "")
		}
	}
	if tried < 15 {
		t.Errorf("only %d keys were found in the reference", tried)
	}
	for _, document := range []string{
		`{"health":{"command":["sh"]}}`, `{"fallback":{"body":"${file:/etc/passwd}"}}`, `{"health":{"headers":{"a":"${HOME}"}}}`,
	} {
		a.refused(403, "PUT", recovery, fmt.Sprintf(`{"function_name":"public","recovery_config":%s}`, document), "")
	}
}
