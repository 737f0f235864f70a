package report

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed page.html
var page string

// HTML writes one page with all charts. It loads nothing and runs no script.
func (d *Document) HTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"short": short, "grouped": grouped, "percent": func(v float64) float64 { return 100 * v },
	}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		*Document

		Sentence string
		Good     bool
		Figures  []figure
	}{d, d.Verdict.sentence(), d.Verdict.Passed && d.Verdict.Generator != "INVALID", d.figures()})
}

// timesRow is a line of the table of times.
type timesRow struct {
	Times

	Name string
}

// Row names the times for a table.
func (t Times) Row(name string) any { return timesRow{t, name} }
