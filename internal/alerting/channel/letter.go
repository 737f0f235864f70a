package channel

import (
	"fmt"
	"html/template"
	"strings"
)

// letterOf is a notification as text and as HTML, which has no picture, no script
// and nothing to fetch.
func letterOf(n *Notification) (text, html string, err error) {
	t, err := template.New("letter").Funcs(template.FuncMap{"numbers": numbers, "span": span, "about": (*Alert).about}).Parse(letterHTML)
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, letterData{headline(n), n}); err != nil {
		return "", "", err
	}
	return letterText(n), b.String(), nil
}

type letterData struct {
	Headline string
	*Notification
}

func letterText(n *Notification) string {
	var b strings.Builder
	b.WriteString(headline(n) + "\n")
	for i := range n.Alerts {
		a := &n.Alerts[i]
		b.WriteString("\n" + a.about() + "\n")
		for _, line := range details(a) {
			b.WriteString("  " + line + "\n")
		}
		if a.Link != "" {
			b.WriteString("  Chart: " + a.Link + "\n")
		}
	}
	if n.More > 0 {
		fmt.Fprintf(&b, "\nand %d more alerts of this group\n", n.More)
	}
	if n.Link != "" {
		b.WriteString("\nPage: " + n.Link + "\n")
	}
	return b.String()
}

const letterHTML = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Headline}}</title></head>
<body style="font-family:sans-serif;font-size:15px;line-height:1.4">
<h1 style="font-size:18px">{{.Headline}}</h1>
{{range .Alerts}}<h2 style="font-size:16px;margin-bottom:4px">{{about .}}</h2>
<ul>{{range numbers .}}<li>{{.}}</li>{{end}}
{{with .Cause}}<li>Likely cause: {{.}}</li>{{end}}
{{with .Next}}<li>Next step: <strong>{{.}}</strong></li>{{end}}
<li>{{span .}}</li>{{with .Link}}<li><a href="{{.}}">Chart</a></li>{{end}}</ul>
{{end}}{{with .More}}<p>and {{.}} more alerts of this group</p>{{end}}
{{with .Link}}<p><a href="{{.}}">Open the page</a></p>{{end}}
</body></html>
`
