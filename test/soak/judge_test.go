package soak_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The soak is only as good as its eyes.
func TestTheBookSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	const killed = 7
	body := blobOf("r1", 100)
	receipt := []byte(receiptOf("r1", body))
	answers := func(status int, id string, pid int, body []byte, cut error) answer {
		return answer{status: status, id: id, pid: pid, body: body, cut: cut}
	}
	post := func(a answer, err error) func(*book, sent) {
		return func(b *book, s sent) { b.post(s, a, err, body) }
	}
	get := func(a answer, err error) func(*book, sent) {
		return func(b *book, s sent) { b.get(s, a, err, body) }
	}
	for name, c := range map[string]struct {
		do      func(*book, sent)
		trouble bool // an instance is frozen meanwhile
		ledger  string
		want    string
	}{
		"a good GET":                    {do: get(answers(200, "r1", 1, body, nil), nil)},
		"a GET for another client":      {do: get(answers(200, "r2", 1, body, nil), nil), want: `the answer is for "r2"`},
		"a GET with another's body":     {do: get(answers(200, "r1", 1, blobOf("r2", 100), nil), nil), want: "the body is wrong"},
		"a GET that is too short":       {do: get(answers(200, "r1", 1, body[:50], nil), nil), want: "the body is wrong"},
		"a GET refused":                 {do: get(answers(503, "", 0, nil, nil), nil), trouble: true, want: "status 503"},
		"a GET without answer":          {do: get(answer{}, io.EOF), trouble: true, want: "EOF"},
		"a GET that broke off":          {do: get(answers(200, "r1", 1, body[:50], io.ErrUnexpectedEOF), nil), trouble: true, want: "broke off after 50 bytes"},
		"a GET of a killed instance":    {do: get(answers(200, "r1", killed, body[:50], io.ErrUnexpectedEOF), nil)},
		"a wrong half of a killed one":  {do: get(answers(200, "r1", killed, []byte("r2"), io.ErrUnexpectedEOF), nil), want: "the body is wrong"},
		"a good POST":                   {do: post(answers(200, "r1", 1, receipt, nil), nil), ledger: "r1 1\n"},
		"a POST processed twice":        {do: post(answers(200, "r1", 1, receipt, nil), nil), ledger: "r1 1\nr1 2\n", want: "processed twice, by 1 and by 2"},
		"a POST that was not processed": {do: post(answers(200, "r1", 1, receipt, nil), nil), want: "acknowledged but is not in the ledger"},
		"a POST lost without a reason":  {do: post(answers(502, "", 0, nil, nil), nil), want: "status 502"},
		"a POST lost to a frozen one":   {do: post(answers(504, "", 0, nil, nil), nil), trouble: true, ledger: "r1 1\n"},
		"a POST lost and done twice":    {do: post(answer{}, io.EOF), trouble: true, ledger: "r1 1\nr1 1\n", want: "processed twice"},
		"a POST with another's receipt": {do: post(answers(200, "r1", 1, []byte(receiptOf("r2", body)), nil), nil), trouble: true, ledger: "r1 1\n", want: "the body is wrong"},
		"a POST that came too late": {do: func(b *book, s sent) {
			s.at = s.at.Add(-attemptTimeout)
			b.post(s, answers(504, "", 0, nil, nil), nil, body)
		}},
		"two POST that came too late": {do: func(b *book, s sent) {
			s.at = s.at.Add(-attemptTimeout)
			b.post(s, answers(504, "", 0, nil, nil), nil, body)
			b.post(s, answers(504, "", 0, nil, nil), nil, body)
		}, want: "2 of 1 POST were too late"},
		"half a body processed":            {do: func(b *book, s sent) { b.fate(s.id, never) }, ledger: "r1 1\n", want: "cannot have come whole"},
		"a stream that ended":              {do: func(b *book, s sent) { b.stream(s, 1, errors.New("cut")) }, want: "the stream ended: cut"},
		"a stream of a killed instance":    {do: func(b *book, s sent) { b.stream(s, killed, errors.New("cut")) }},
		"a line that is only half there":   {do: func(*book, sent) {}, ledger: "r1 1\nr1", want: ""},
		"a POST that nobody knew was sent": {do: func(*book, sent) {}, ledger: "r9 1\n", want: "nobody sent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ledger := filepath.Join(t.TempDir(), "ledger")
			if err := os.WriteFile(ledger, []byte(c.ledger), 0o600); err != nil {
				t.Fatal(err)
			}
			var told []string
			b := newBook(func(failure string) { told = append(told, failure) }, ledger)
			b.killed[killed] = true
			s := sent{kind: http.MethodGet, id: "r1", at: time.Now()}
			b.fate(s.id, unknown)
			if c.trouble {
				b.troubles = append(b.troubles, window{s.at.Add(-time.Second), s.at.Add(time.Minute)})
			}
			c.do(b, s)
			b.close()
			got := strings.Join(told, "\n")
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}
