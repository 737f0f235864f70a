package channel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// SlackConfig is an incoming webhook of Slack, or of what speaks its language
// (Mattermost, Rocket.Chat).
type SlackConfig struct {
	Name string
	// URL is the secret: whoever knows it can write into the channel.
	URL   string
	Reach Reach
}

// Slack posts a message per notification. Incoming webhooks cannot change what
// they posted, so each message says what holds now, and of which group.
type Slack struct {
	config SlackConfig
	caller *caller
}

// NewSlack opens no connection.
func NewSlack(c SlackConfig) (*Slack, error) {
	to, err := newCaller(c.URL, nil, &c.Reach)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	return &Slack{c, to}, nil
}

// Name implements Channel.
func (s *Slack) Name() string { return s.config.Name }

// Kind implements Channel.
func (*Slack) Kind() string { return "slack" }

func (*Slack) wants(n *Notification) bool { return !n.Heartbeat }

// Send implements Channel.
func (s *Slack) Send(ctx context.Context, n *Notification) error {
	if !s.wants(n) {
		return nil
	}
	body, err := json.Marshal(slackMessageOf(clean(n)))
	if err != nil {
		return fmt.Errorf("%w: write message: %w", ErrRefused, err)
	}
	return s.caller.call(ctx, http.MethodPost, "application/json", body, nil)
}

type slackMessage struct {
	Text        string            `json:"text"` // also what a notification on a phone shows
	Attachments []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Color  string       `json:"color"`
	Blocks []slackBlock `json:"blocks"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

type slackText struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim"` // what looks like an address is none of our links
}

func slackMarkup(text string) slackText {
	return slackText{"mrkdwn", slackCut(text, slackSection), true}
}

// What Slack takes at most, in characters, and what people read.
const (
	slackSection = 3000
	slackTop     = 1000
	slackAlerts  = 10
)

func slackMessageOf(n *Notification) slackMessage {
	blocks := make([]slackBlock, 0, slackAlerts+2)
	for i := range n.Alerts[:min(len(n.Alerts), slackAlerts)] {
		blocks = append(blocks, slackSectionOf(slackAlert(&n.Alerts[i])))
	}
	if rest := max(len(n.Alerts)-slackAlerts, 0) + n.More; rest > 0 {
		blocks = append(blocks, slackSectionOf(fmt.Sprintf("… and %d more alerts of this group", rest)))
	}
	foot := "Holdfast, " + n.At.UTC().Format("2006-01-02 15:04:05 UTC") + ifAny(", group ", slackCut(slackEscape(n.Group), 200))
	if n.Link != "" {
		foot += ", " + slackLink(n.Link, "open the page")
	}
	blocks = append(blocks, slackBlock{Type: "context", Elements: []slackText{slackMarkup(foot)}})
	return slackMessage{slackCut(slackEscape(headline(n)), slackTop), []slackAttachment{{slackColor(n), blocks}}}
}

func slackSectionOf(text string) slackBlock {
	markup := slackMarkup(text)
	return slackBlock{Type: "section", Text: &markup}
}

// slackAlert has the parts in the order in which they are needed. Each is bounded
// by itself, so that together they fit and the link stays whole.
func slackAlert(a *Alert) string {
	lines := []string{"*" + slackCut(slackEscape(a.about()), 600) + "*"}
	for _, line := range details(a) {
		lines = append(lines, slackCut(slackEscape(line), 300))
	}
	if a.Link != "" {
		lines = append(lines, slackLink(a.Link, "chart"))
	}
	return strings.Join(lines, "\n")
}

// details are the lines below the summary.
func details(a *Alert) []string {
	var lines []string
	for _, line := range []string{
		strings.Join(numbers(a), ", "), ifAny("Likely cause: ", a.Cause), ifAny("Next step: ", a.Next), span(a),
	} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// slackEscape makes text that Slack shows as it is. A sign of formatting counts
// only beside what is no letter, so an invisible joiner on both sides takes its
// power. Within a word_like_this it has none, and people copy words.
func slackEscape(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, c := range runes {
		switch c {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '*', '~', '`', '_':
			if i > 0 && i+1 < len(runes) && isWord(runes[i-1]) && isWord(runes[i+1]) {
				b.WriteRune(c)
				continue
			}
			b.WriteString("\u2060" + string(c) + "\u2060")
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func isWord(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }

// slackLink writes a link. No address ends it: clean has seen to that.
func slackLink(address, text string) string {
	address = strings.ReplaceAll(address, "&", "&amp;")
	if len(address) > 1000 {
		return slackEscape(text) + ": the address is too long to show"
	}
	return "<" + address + "|" + slackEscape(text) + ">"
}

// slackCut shortens what is escaped without cutting an entity in two.
func slackCut(s string, limit int) string {
	short := shorten(s, limit)
	if short == s {
		return s
	}
	short = strings.TrimSuffix(short, "…")
	if i := strings.LastIndexByte(short, '&'); i >= 0 && !strings.Contains(short[i:], ";") {
		short = short[:i]
	}
	return short + "…"
}

func slackColor(n *Notification) string {
	switch worst(n) {
	case Critical:
		return "#c62828"
	case Warning:
		return "#ef6c00"
	case Info:
		return "#1565c0"
	}
	return "#2e7d32"
}
