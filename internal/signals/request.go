package signals

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"holdfast/health"
)

const (
	mostBytes     = 1 << 20
	mostRedirects = 3
	mostText      = 200
)

// answer is a number, or why there is none.
type answer struct {
	value   float64
	problem string // empty: value is one
	none    bool   // the source says itself that there is no number
}

var errElsewhere = errors.New("it redirects to another host, which is not followed")

func newClient(t *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: t, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: 2 * time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			first := via[0].URL
			switch {
			case to.URL.Scheme != first.Scheme || to.URL.Host != first.Host:
				return errElsewhere
			case len(via) > mostRedirects:
				return fmt.Errorf("it redirects more than %d times", mostRedirects)
			}
			return nil
		},
	}
}

// ask makes one request.
func (c *Collector) ask(ctx context.Context, s *Source) answer {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	req, err := s.request(ctx)
	if err != nil {
		return answer{problem: "its URL cannot be used"}
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return answer{problem: s.sentence(ctx, err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes+1))
	switch {
	case err != nil:
		return answer{problem: "its answer broke off: " + s.sentence(ctx, err)}
	case len(body) > mostBytes:
		return answer{problem: "its answer is longer than 1 MiB"}
	case s.Query != "":
		return s.ofPrometheus(resp.StatusCode, body)
	case resp.StatusCode != http.StatusOK:
		return answer{problem: "it answers " + strconv.Itoa(resp.StatusCode)}
	}
	return s.ofDocument(body)
}

func (s *Source) request(ctx context.Context) (*http.Request, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	if s.Query != "" {
		u = u.JoinPath("api/v1/query")
		q := u.Query()
		q.Set("query", s.Query)
		u.RawQuery = q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "holdfast-signals")
	for name, v := range s.Headers {
		req.Header.Set(name, v)
	}
	return req, nil
}

// sentence says what went wrong without what may be secret in the URL.
func (s *Source) sentence(ctx context.Context, err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "no answer within " + s.Timeout.String()
	}
	return s.redacted(err.Error())
}

// redacted is a text of bounded length without the secrets of the source.
func (s *Source) redacted(text string) string {
	for _, v := range s.Headers {
		for _, word := range append(strings.Fields(v), v) {
			if len(word) > 3 {
				text = strings.ReplaceAll(text, word, "***")
			}
		}
	}
	if u, err := url.Parse(s.URL); err == nil && u.RawQuery != "" {
		text = strings.ReplaceAll(text, u.RawQuery, "***")
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > mostText {
		text = strings.ToValidUTF8(text[:mostText], "") + "..."
	}
	return text
}

func (s *Source) ofDocument(body []byte) answer {
	if v, ok := health.Number(body, s.Path); ok {
		return answer{value: v}
	}
	at := "at " + s.Path
	if s.Path == "" {
		at = "in it"
	}
	if !json.Valid(body) {
		return answer{problem: "its answer is not JSON"}
	}
	return answer{problem: "its answer has no number " + at, none: true}
}

// promAnswer is an answer of Prometheus's HTTP API.
type promAnswer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

func (s *Source) ofPrometheus(status int, body []byte) answer {
	var a promAnswer
	switch err := json.Unmarshal(body, &a); {
	case err != nil && status != http.StatusOK:
		return answer{problem: "it answers " + strconv.Itoa(status)}
	case err != nil:
		return answer{problem: "its answer is none of Prometheus"}
	case a.Status != "success":
		return answer{problem: "the query fails: " + s.redacted(a.Error)}
	}
	switch a.Data.Type {
	case "scalar":
		return sampleOf(a.Data.Result)
	case "vector":
		return vectorOf(a.Data.Result)
	}
	return answer{problem: fmt.Sprintf("the query has a %s for a result; it must be a scalar or a vector of one", s.redacted(strconv.Quote(a.Data.Type)))}
}

func vectorOf(raw json.RawMessage) answer {
	var list []struct {
		Value json.RawMessage `json:"value"`
	}
	switch err := json.Unmarshal(raw, &list); {
	case err != nil:
		return answer{problem: "its answer is none of Prometheus"}
	case len(list) == 0:
		return answer{problem: "the query has no result", none: true}
	case len(list) > 1:
		return answer{problem: fmt.Sprintf("the query has %d results; make them one, as sum(...) does", len(list)), none: true}
	}
	return sampleOf(list[0].Value)
}

// sampleOf reads [time, "value"].
func sampleOf(raw json.RawMessage) answer {
	var pair [2]json.RawMessage
	var text string
	if json.Unmarshal(raw, &pair) != nil || json.Unmarshal(pair[1], &text) != nil {
		return answer{problem: "its answer is none of Prometheus"}
	}
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil && !math.IsInf(v, 0):
		return answer{problem: "its answer is none of Prometheus"}
	case math.IsNaN(v) || math.IsInf(v, 0):
		return answer{problem: "the result of the query is not a finite number", none: true}
	}
	return answer{value: v}
}
