package config

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// masked stands for a secret, whatever its length.
const masked = "***"

var (
	urlPassword = regexp.MustCompile(`(//[^\s/?#:@"']*):[^\s"']*@`)
	// bareLogin is an address whose scheme was left out.
	bareLogin     = regexp.MustCompile(`(^[^\s/?#:@"']*):[^\s"'/][^\s"']*@`)
	secretSetting = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:password|passwd|secret|token|apikey|api_key|api-key|access_key|access-key)[a-z0-9_.-]*=)[^\s&"',;]+`)
	secretName    = regexp.MustCompile(`(?i)authorization|cookie|token|secret|passw|pwd|credential|key`)
)

// maskText hides passwords inside URLs and values of telling settings
// (`--password=x`, `?token=x`).
func maskText(s string) string {
	if !strings.ContainsAny(s, "@=") {
		return s
	}
	s = urlPassword.ReplaceAllString(s, "${1}:"+masked+"@")
	s = bareLogin.ReplaceAllString(s, "${1}:"+masked+"@")
	return secretSetting.ReplaceAllString(s, "${1}"+masked)
}

// isSecretName reports whether a header or variable of this name holds a secret.
func isSecretName(name string) bool { return secretName.MatchString(name) }

// maskArgument hides an argument of a command, also when the flag before it
// names a secret (`--token x`).
func maskArgument(args []string, i int) string {
	if i > 0 && strings.HasPrefix(args[i-1], "-") && !strings.Contains(args[i-1], "=") && !strings.HasPrefix(args[i], "-") && isSecretName(args[i-1]) {
		return masked
	}
	return maskText(args[i])
}

// maxShown bounds a value quoted in a message.
const maxShown = 80

// clip shortens text from outside, hides passwords, and makes control
// characters visible, so that a message stays one line.
func clip(s string) string {
	s = maskText(s)
	if utf8.RuneCountInString(s) > maxShown {
		runes := []rune(s)
		s = string(runes[:maxShown]) + "…"
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// shown is how a message shows a value: quoted unless it is a plain word or
// number, and not at all when it is a secret.
func shown(n *node, secret bool) string {
	switch {
	case n == nil || n.kind == nullNode:
		return "empty"
	case n.kind != scalarNode:
		return n.kind.String()
	case n.text == "":
		return "empty"
	case secret || n.secret:
		return masked
	case plainValue(n.text):
		return n.text
	}
	return `"` + clip(n.text) + `"`
}

func plainValue(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '.' && c != '-' && c != '_' && c != '%' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(s) <= maxShown
}
