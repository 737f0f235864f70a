package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"holdfast/loadtest/report"
)

func TestAPlotIsAPictureOfItsOwn(t *testing.T) {
	t.Parallel()
	p := report.Plot{
		About: "cost < safety", X: report.Extent{From: 10, To: 30}, Y: report.Extent{From: 0.01, To: 90, Decades: true},
		Curves: []report.Curve{{Name: "a & b", Class: "c1", X: []float64{10, 20, 30}, Y: []float64{50, 1, 0}, Dots: true}},
	}
	picture := string(p.Picture("Title"))
	for d := xml.NewDecoder(strings.NewReader(picture)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, picture)
		}
	}
	if n := strings.Count(picture, "<circle"); n != 4 {
		t.Errorf("%d circles, want 3 of the curve and 1 of its name", n)
	}
	// The value 0 has no place on a logarithmic axis and is drawn at its begin.
	if !strings.Contains(picture, `cy="194.0" r="3"`) {
		t.Errorf("no dot at the begin of the axis in\n%s", picture)
	}
	if !strings.Contains(p.SVG(), ">10</text>") || !strings.Contains(p.Legend(), "a &amp; b") {
		t.Errorf("the axis does not begin at 10, or the legend does not name the curve: %s", p.Legend())
	}
}
