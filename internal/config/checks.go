package config

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// check tests the text of a single value against enum and format, and may
// rewrite it to its plain form. message is empty when it is fine.
func (f *field) check(text *string) (message, hint string) {
	if !isText(*text) {
		return "must be UTF-8 text without control characters", ""
	}
	if len(f.enum) > 0 {
		return checkEnum(*text, f.enum)
	}
	if f.typ.Kind() == reflect.Map {
		if strings.HasSuffix(f.format, "header") {
			return checkHeaderValue(*text)
		}
		return "", ""
	}
	return checkFormat(f.format, text)
}

// isText reports whether s is UTF-8 whose only control characters are line ends
// and tabs.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool {
		return c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f
	})
}

func checkEnum(text string, enum []string) (message, hint string) {
	if slices.Contains(enum, text) {
		return "", ""
	}
	message = "must be one of " + strings.Join(enum, ", ")
	if len(enum) == 1 {
		message = "must be " + enum[0]
	}
	if near := nearest(text, enum); near != "" {
		hint = "did you mean " + near + "?"
	}
	return message, hint
}

func checkFormat(format string, text *string) (message, hint string) {
	if *text == "" && !slices.Contains([]string{"listen", "nonempty", "store", "path", "method", "check-method", "instance-url", "statuses", "condition", "receiver-url", "mail-server", "mail-address", "issuer", "scope"}, format) {
		return "", "" // empty is the way to say none
	}
	switch format {
	case "":
		return "", ""
	case "nonempty":
		return when(*text == "", "must not be empty", "")
	case "listen":
		return checkListen(text)
	case "store":
		return checkStore(*text)
	case "route-host":
		return checkRouteHost(text)
	case "host-name":
		return when(!isHostName(*text), "must be a name or an address without port", "")
	case "path", "request-path":
		return checkPath(*text, format == "request-path")
	case "check-method":
		if *text == "CONNECT" {
			return "must be a method that asks for an answer", ""
		}
		return checkMethod(*text)
	case "method":
		return checkMethod(*text)
	case "header-name", "token":
		return when(!isToken(*text), "must be a name of letters, digits and -", "")
	case "header-value":
		return checkHeaderValue(*text)
	case "instance-id", "label":
		return when(!isLabel(*text), "must be at most 128 letters, digits and . _ : - [ ]", "")
	case "instance-url":
		return checkInstanceURL(text)
	case "docker-host":
		return checkDockerHost(*text)
	case "kubernetes-target":
		return checkTarget(*text)
	case "platform-name":
		return when(!isPlatformName(*text), "must be a name of letters, digits, ., _ and -", "")
	case "redirect":
		return checkRedirect(*text)
	case "host-header":
		return when(!isHostPort(*text), "must be a host, with or without :port", "")
	case "statuses":
		return when(!areStatuses(*text), "must be statuses such as 200-399 or 200,204", "")
	case "signal-url":
		return checkSignalURL(*text)
	case "issuer":
		return checkIssuer(*text)
	case "callback":
		return checkCallback(*text)
	case "scope":
		return when(*text == "" || strings.ContainsAny(*text, " \"\\") || hasControl(*text), "must be a scope such as groups", "one in each element of the list")
	case "receiver-url":
		return checkReceiverURL(*text)
	case "mail-server":
		return checkMailServer(*text)
	case "mail-address":
		return checkMailAddress(*text)
	case "webhook-secret":
		return checkWebhookSecret(*text)
	case "json-path":
		return when(!isJSONPath(*text), "must be a way to a number, such as jobs.waiting or queues.0.length", `\. is a dot within a key`)
	case "zone":
		return checkZone(*text)
	case "time":
		_, err := time.Parse(time.RFC3339, *text)
		return when(err != nil, "must be a time such as 2026-12-01T06:00:00Z", "")
	case "condition":
		return when(!isCondition(*text), `must be a condition such as "status == ok" or "queue < 100"`, "the signs are == != < <= > >=; all but the first two need a number")
	}
	panic("no format " + format)
}

func when(bad bool, message, hint string) (string, string) {
	if bad {
		return message, hint
	}
	return "", ""
}

// checkMapKey tests a key of a map against the format of its field.
func checkMapKey(format, key string) (message, hint string) {
	switch format {
	case "function-name":
		return when(!isFunctionName(key), "is not a function name", "use 1 to 63 lower-case letters, digits, - and _, beginning with a letter or digit")
	case "rule-name":
		return when(!isSignalName(key), "is not the name of a rule", "use 1 to 63 lower-case letters, digits and _, beginning with a letter")
	case "channel-name":
		return when(!isFunctionName(key), "is not the name of a channel", "use 1 to 63 lower-case letters, digits, - and _, beginning with a letter or digit")
	case "header":
		return when(!isToken(key), "is not a header name", "use letters, digits and -")
	case "check-header":
		return checkCheckHeader(key)
	case "component":
		return when(!plainKey(key), "is not the name of a component", "use letters, digits, - and _")
	case "signal":
		return when(!isSignalName(key), "is not the name of a signal", "use 1 to 63 lower-case letters, digits and _, beginning with a letter")
	case "label":
		return when(key == "" || !isLabel(key), "must be at most 128 letters, digits and . _ : - [ ]", "")
	case "variable":
		return when(key == "" || strings.Contains(key, "=") || !isText(key), "is not the name of an environment variable", "")
	}
	panic("no format for keys " + format)
}

// checkCheckHeader refuses headers that a health check sets itself.
func checkCheckHeader(name string) (message, hint string) {
	switch strings.ToLower(name) {
	case "host":
		return "has a key of its own", "write health.host"
	case "connection", "content-length", "transfer-encoding", "upgrade", "expect", "te", "trailer":
		return "is set by the check itself", "remove it"
	}
	return checkMapKey("header", name)
}

func isFunctionName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (i == 0 || c != '-' && c != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 256
}

func isLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("._:-[]", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

func checkHeaderValue(s string) (message, hint string) {
	bad := strings.ContainsAny(s, "\r\n\x00") || len(s) > 8<<10
	return when(bad, "must be one line of at most 8KiB", "")
}

func checkListen(text *string) (message, hint string) {
	if n, err := strconv.Atoi(*text); err == nil && n >= 0 && n <= 65535 {
		return "must be host:port", fmt.Sprintf("write 127.0.0.1:%d, or :%d for every address of this machine", n, n)
	}
	host, port, err := net.SplitHostPort(*text)
	n, errPort := strconv.Atoi(port)
	if err != nil || errPort != nil || n < 0 || n > 65535 || strings.ContainsAny(host, " /@") || hasControl(host) {
		return "must be host:port, such as 127.0.0.1:8080", "put an IPv6 address in brackets: [::1]:8080"
	}
	return "", ""
}

func checkStore(text string) (message, hint string) {
	if text == "sqlite" {
		return "", ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" && u.Query().Get("host") == "" {
		return "must be sqlite or a URL such as postgres://user@host/db", "percent-encode special characters of a password"
	}
	return "", ""
}

func checkRouteHost(text *string) (message, hint string) {
	name := strings.TrimPrefix(strings.ToLower(*text), "*.")
	if !isHostName(name) {
		return "must be a host name such as api.example.com or *.example.com", "leave out scheme, port and path"
	}
	*text = strings.ToLower(*text)
	return "", ""
}

// isHostName accepts names, IPv4 addresses, and IPv6 addresses in brackets.
func isHostName(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		return net.ParseIP(strings.TrimSuffix(inner, "]")) != nil
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || !isToken(label) || strings.ContainsAny(label, "!#$%&'*+^`|~") {
			return false
		}
	}
	return len(s) <= 253
}

func isHostPort(s string) bool {
	if host, port, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.Atoi(port)
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return err == nil && n > 0 && n <= 65535 && isHostName(host)
	}
	return isHostName(s)
}

func checkPath(s string, query bool) (message, hint string) {
	path, _, hasQuery := strings.Cut(s, "?")
	switch {
	case !strings.HasPrefix(s, "/"):
		return "must begin with /", ""
	case strings.ContainsAny(s, " #\\") || hasControl(s):
		return "must be a path without spaces, # and \\", "percent-encode them"
	case hasQuery && !query:
		return "must be a path without ?", "queries are not part of a match"
	}
	return checkSegments(path)
}

// checkSegments refuses what a gateway and an application could read as
// different paths, also when it is escaped.
func checkSegments(path string) (message, hint string) {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return "must have two hexadecimal digits behind each %", "write %25 for a plain %"
	}
	if hasControl(plain) || strings.Contains(plain, "\\") || !utf8.ValidString(plain) {
		return "must not hold escaped control characters or backslashes", ""
	}
	for segment := range strings.SplitSeq(plain, "/") {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return "must be a path without . and .. segments", ""
		}
	}
	return "", ""
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func checkMethod(s string) (message, hint string) {
	if !isToken(s) {
		return "must be a method such as GET", ""
	}
	return when(s != strings.ToUpper(s), "must be in capitals", "write "+strings.ToUpper(s))
}

func checkInstanceURL(text *string) (message, hint string) {
	const example = "write it as http://host:port"
	u, err := url.Parse(*text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https":
		if !strings.Contains(*text, "://") { // so that hostOf cannot come back here with the same text
			if meant, err := hostOf(*text); err == nil {
				return "must begin with http:// or https://", "write " + meant
			}
		}
		return "must be a URL of the form http://host:port", example
	case u.User != nil:
		return "must not hold a user or password", "credentials belong into the application, not into an instance's address"
	case !isHostPort(u.Host):
		return "must name a host, and a port from 1 to 65535 if any", example
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "must end after the port", "paths are chosen by routes; write " + u.Scheme + "://" + clip(u.Host)
	}
	*text = u.Scheme + "://" + strings.ToLower(u.Host)
	return "", ""
}

func checkRedirect(s string) (message, hint string) {
	u, err := url.Parse(s)
	bad := err != nil || hasControl(s) || u.User != nil
	if !bad && u.Scheme == "" {
		bad = !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.HasPrefix(s, "/\\")
	} else if !bad {
		bad = u.Scheme != "http" && u.Scheme != "https" || u.Host == ""
	}
	return when(bad, "must be an http or https URL, or a path", "")
}

// areStatuses reports whether s is `200-399`, `204`, or several of them
// separated by commas.
func areStatuses(s string) bool {
	for part := range strings.SplitSeq(s, ",") {
		lo, hi, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			hi = lo
		}
		from, err1 := strconv.Atoi(strings.TrimSpace(lo))
		to, err2 := strconv.Atoi(strings.TrimSpace(hi))
		if err1 != nil || err2 != nil || from < 100 || to > 599 || from > to {
			return false
		}
	}
	return true
}

// isCondition reports whether s is a test of a field of a JSON answer:
// `status == ok`, `queue < 100`. It accepts less than health.ParseCondition,
// which reads it later.
func isCondition(s string) bool {
	i := strings.IndexAny(s, "=!<>")
	if i < 0 {
		return false
	}
	end := i + 1
	if end < len(s) && s[end] == '=' {
		end++
	}
	name, sign, value := strings.TrimSpace(s[:i]), s[i:end], strings.TrimSpace(s[end:])
	if name == "" || value == "" || sign == "!" || value[0] == '=' {
		return false
	}
	if value[0] == '"' {
		unquoted, err := strconv.Unquote(value)
		if err != nil {
			return false
		}
		value = unquoted
	}
	_, notNumber := parseFloat(value)
	return sign == "=" || sign == "==" || sign == "!=" || notNumber == nil
}
