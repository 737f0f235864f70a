package config

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
)

// usualSeverity is the default of alerts.channels.NAME.severity.
const usualSeverity = "warning"

func (s *settler) alertChannels() {
	functions := slices.Sorted(maps.Keys(s.config.Functions))
	for _, name := range slices.Sorted(maps.Keys(s.config.Alerts.Channels)) {
		path := "alerts.channels." + name
		c := s.config.Alerts.Channels[name]
		if c.Kind() == "" && s.sound(path) {
			s.add(path, "leads nowhere", "write slack, pagerduty, email, alertmanager, webhook or heartbeat below it")
		}
		for i, function := range c.Functions {
			s.knownFunction(fmt.Sprintf("%s.functions[%d]", path, i), function, functions)
		}
		if c.Heartbeat != nil && (c.Severity != usualSeverity || len(c.Functions) > 0) {
			s.add(path, "is a heartbeat and told of no alerts, so severity and functions have no effect", "remove them")
		}
		if c.Email != nil {
			s.email(c.Email, path+".email")
		}
	}
}

// knownFunction wants a function that exists: a typo must not silence alerts.
func (s *settler) knownFunction(path, name string, functions []string) {
	if slices.Contains(functions, name) || s.problems.at["functions."+name] || !s.sound(path) {
		return
	}
	hint := "functions: " + clip(strings.Join(functions, ", "))
	if near := nearest(name, functions); near != "" {
		hint = "did you mean " + near + "?"
	}
	s.add(path, "names the function "+clip(name)+", which does not exist", hint)
}

func (s *settler) email(e *EmailChannel, path string) {
	if len(e.To) == 0 && s.sound(path+".to") {
		s.add(path+".to", "names nobody", "write the addresses that are written to")
	}
	switch {
	case e.User != "" && e.TLS == "none":
		s.add(path+".tls", "is none, and a password is not sent where others can read it", "write starttls or implicit, or remove user")
	case e.User != "" && e.Password == "" && s.sound(path+".password"):
		s.add(path+".password", "is missing", "write ${file:PATH}, or remove user")
	case e.User == "" && e.Password != "":
		s.add(path+".user", "is missing", "a password needs its user")
	}
}

func checkMailServer(s string) (message, hint string) {
	host, port, err := net.SplitHostPort(s)
	n, errPort := strconv.Atoi(port)
	return when(err != nil || errPort != nil || host == "" || n < 1 || n > 65535 || !isHostPort(s),
		"must be host:port, such as smtp.example.com:587", "")
}

func checkMailAddress(s string) (message, hint string) {
	a, err := mail.ParseAddress(s)
	return when(err != nil || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' }) || !strings.Contains(a.Address, "@"),
		"must be an address such as holdfast@example.com", "")
}

// checkWebhookSecret wants a key behind whsec_.
func checkWebhookSecret(s string) (message, hint string) {
	encoded, ok := strings.CutPrefix(s, "whsec_")
	if !ok {
		return checkHeaderValue(s)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	return when(err != nil || len(key) == 0, "must have base64 behind whsec_", "copy it once more, to its end")
}

// checkReceiverURL is about addresses that are secrets: it quotes nothing.
func checkReceiverURL(s string) (message, hint string) {
	if message, hint = checkSignalURL(s); strings.HasPrefix(message, "must be a URL") {
		message = "must be a URL that begins with https:// or http://"
	}
	return message, hint
}
