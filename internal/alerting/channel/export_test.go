package channel

import "strings"

// SlackTexts are the texts of a message: what is on top, and its blocks.
func SlackTexts(n *Notification) (top string, blocks []string) {
	m := slackMessageOf(clean(n))
	for _, b := range m.Attachments[0].Blocks {
		if b.Text != nil {
			blocks = append(blocks, b.Text.Text)
		}
		for _, e := range b.Elements {
			blocks = append(blocks, e.Text)
		}
	}
	return m.Text, blocks
}

// Letter is the mail to the first recipient as it goes over the wire.
func Letter(n *Notification) (string, error) {
	e, err := NewEmail(EmailConfig{Server: "localhost:25", From: "holdfast@example.com", To: []string{"a@example.com"}})
	if err != nil {
		return "", err
	}
	all, err := e.letters(clean(n))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	_, err = all[0].WriteTo(&b)
	return b.String(), err
}
