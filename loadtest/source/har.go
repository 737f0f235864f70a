package source

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"holdfast/loadtest/httpload"
)

// maxHAR bounds the file: answers in it may be large.
const maxHAR = 256 << 20

// har is what is read of a HAR file (version 1.2).
type har struct {
	Log struct {
		Entries []struct {
			Request struct {
				Method  string `json:"method"`
				URL     string `json:"url"`
				Headers []struct {
					Name  string `json:"name"`
					Value string `json:"value"`
				} `json:"headers"`
				PostData struct {
					Text string `json:"text"`
				} `json:"postData"`
			} `json:"request"`
		} `json:"entries"`
	} `json:"log"`
}

// HAR reads what a browser recorded. Requests to other hosts than that of target are left out; with an empty target, to
// others than that of the first entry. All methods are taken: who records a purchase and plays it back a thousand times
// has bought a thousand times. Cookies of the recording are left out, as they are somebody's session.
func HAR(in io.Reader, target string) (*Requests, error) {
	var file har
	if err := json.NewDecoder(io.LimitReader(in, maxHAR)).Decode(&file); err != nil {
		return nil, fmt.Errorf("read the HAR file: %w", err)
	}
	entries := file.Log.Entries
	if target == "" && len(entries) > 0 {
		target = entries[0].Request.URL
	}
	wanted, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("read the target of the HAR file: %w", err)
	}
	c := newCounter()
	for i := range entries {
		e := &entries[i].Request
		u, err := url.Parse(e.URL)
		if err != nil || u.Host != wanted.Host {
			c.skip("they were for other hosts")
			continue
		}
		u.Scheme, u.User, u.Fragment = wanted.Scheme, nil, ""
		r := httpload.Request{Name: e.Method + " " + u.Path, Method: e.Method, URL: u.String(), Body: e.PostData.Text}
		for _, h := range e.Headers {
			if sendable(h.Name) {
				r.Header = append(r.Header, httpload.Field{Name: h.Name, Value: h.Value})
			}
		}
		c.add(r)
	}
	list, err := c.requests()
	if err != nil {
		return nil, fmt.Errorf("read the HAR file: %w", err)
	}
	return list, nil
}

// sendable says whether a recorded header belongs to the request rather than to the connection it had.
func sendable(name string) bool {
	switch strings.ToLower(name) {
	case "host", "connection", "content-length", "transfer-encoding", "cookie", "expect", "upgrade", "keep-alive", "te",
		"if-none-match", "if-modified-since": // the recording browser's cache is not the generator's
		return false
	}
	return !strings.HasPrefix(name, ":")
}
