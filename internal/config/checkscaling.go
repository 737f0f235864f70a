package config

import (
	"net/url"
	"strings"
	"time"
	_ "time/tzdata" // zones of schedules, on machines and in images that have none
)

// isSignalName reports whether s can name a signal: formulas use the names.
func isSignalName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// isJSONPath reports whether s is steps separated by dots.
func isJSONPath(s string) bool {
	plain := strings.ReplaceAll(s, `\.`, "x")
	return len(s) <= 256 && !hasControl(s) && !strings.HasPrefix(plain, ".") && !strings.HasSuffix(plain, ".") && !strings.Contains(plain, "..")
}

func checkSignalURL(s string) (message, hint string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || hasControl(s) || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "must be a URL such as http://127.0.0.1:9090", ""
	case u.User != nil:
		return "must not hold a user or password", "put them into headers: {Authorization: \"Bearer ${file:PATH}\"}"
	case !isHostPort(u.Host):
		return "must name a host, and a port from 1 to 65535 if any", ""
	case u.Fragment != "":
		return "must end before the #", ""
	}
	return "", ""
}

func checkZone(s string) (message, hint string) {
	if s == "Local" {
		return "must be the name of a time zone", "say which: what is local depends on the machine"
	}
	_, err := time.LoadLocation(s)
	return when(err != nil, "must be the name of a time zone, such as Europe/Berlin", "")
}
