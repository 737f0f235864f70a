package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"holdfast/loadtest/httpload"
)

// askTime bounds a look at what the function answers.
const askTime = 10 * time.Second

// mostBody is how long a body may be of which is told whether it is whole: what the load's checks look at.
const mostBody = 64 << 10

// wholeness is how to tell whether an answer to a GET is whole, where the experiment wants to know: it is JSON, or it is
// the same each time. None of both leaves the figure unmeasured.
func (r *run) wholeness(ctx context.Context, url string) ([]httpload.Check, error) {
	if !slices.ContainsFunc(r.x.Expect, func(x Expectation) bool { return x.Figure == "spoiled" }) {
		return nil, nil
	}
	ctx, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	one, err := body(ctx, client, url)
	if err != nil {
		return nil, err
	}
	two, err := body(ctx, client, url)
	switch {
	case err != nil:
		return nil, err
	case len(one) > mostBody || len(two) > mostBody:
	case json.Valid(one) && json.Valid(two):
		return []httpload.Check{{JSON: "$"}}, nil
	case len(one) > 0 && bytes.Equal(one, two):
		return []httpload.Check{{Equals: string(one)}}, nil
	}
	r.unwhole = "the answers differ from each other and are no JSON, so that whole ones cannot be told"
	return nil, nil
}

func body(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", url, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", url, err)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostBody+1))
	_ = resp.Body.Close() // it was read
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", url, err)
	}
	return b, nil
}
