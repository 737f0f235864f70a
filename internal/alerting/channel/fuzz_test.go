package channel_test

import (
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/internal/alerting/channel"
)

// ours are the links that a message has, and nothing else may be in < and >.
var ours = regexp.MustCompile(`<https://[^<>|]*\|(chart|open the page)>`)

func FuzzSlack(f *testing.F) {
	for _, s := range []string{"<!channel>", "a & b", "<https://evil.example|click>", "*b* _i_ ~s~ `c`", strings.Repeat("&", 5000), strings.Repeat("é<", 4000), "\xff\x00\n\u202e", "&am", "snake_case"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, summary, cause, link string) {
		n := twoAlerts()
		n.Group = cause
		n.Alerts[0].Summary, n.Alerts[0].Cause, n.Alerts[0].Next, n.Alerts[0].Link = summary, cause, cause, "https://h.example/"+link
		n.Alerts[1].Numbers = map[string]float64{summary: 1}
		top, texts := channel.SlackTexts(n)
		if utf8.RuneCountInString(top) > 1000 || strings.ContainsAny(top, "<>\n\r") {
			t.Errorf("top %q", top)
		}
		if len(texts) > 50 {
			t.Errorf("%d blocks", len(texts))
		}
		for _, text := range texts {
			rest := ours.ReplaceAllString(text, "")
			if strings.ContainsAny(rest, "<>") || utf8.RuneCountInString(text) > 3000 || !utf8.ValidString(text) {
				t.Errorf("%q", text)
			}
			for i := strings.IndexByte(rest, '&'); i >= 0; i = strings.IndexByte(rest, '&') {
				rest = rest[i:]
				if !strings.HasPrefix(rest, "&amp;") && !strings.HasPrefix(rest, "&lt;") && !strings.HasPrefix(rest, "&gt;") {
					t.Fatalf("an & that is none of ours in %q", text)
				}
				rest = rest[1:]
			}
		}
	})
}

func FuzzMailHeaders(f *testing.F) {
	for _, s := range []string{"plain", "a\r\nBcc: evil@example.com\r\n\r\nbody", "a\nX: y", "é" + strings.Repeat("ü", 300), "=?utf-8?q?=0D=0ABcc:_x?=", "\x00\xff\u2028", strings.Repeat("word ", 200)} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, summary, group string) {
		n := twoAlerts()
		n.ID, n.Group = group, group
		n.Alerts[0].Summary, n.Alerts[0].Function, n.Alerts[0].Cause = summary, group, summary
		text, err := channel.Letter(n)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		known := map[string]bool{
			"Auto-Submitted": true, "Content-Type": true, "Date": true, "From": true, "Importance": true, "Message-Id": true, "Mime-Version": true,
			"Priority": true, "References": true, "Subject": true, "To": true, "X-Msmail-Priority": true, "X-Priority": true,
		}
		for name, values := range m.Header {
			if !known[name] || len(values) != 1 {
				t.Errorf("header %s: %q", name, values)
			}
		}
		if to, err := m.Header.AddressList("To"); err != nil || len(to) != 1 || to[0].Address != "a@example.com" {
			t.Errorf("to %v, %v", to, err)
		}
	})
}
