package admin

import (
	"context"
	"time"

	"holdfast/exchange"
	"holdfast/retry"
)

// Requests is the answer about the last exchanges, the latest first.
type Requests struct {
	Requests []Request `json:"requests"`
}

// Request is one finished exchange.
type Request struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Method   string    `json:"method"`
	Host     string    `json:"host"`
	Path     string    `json:"path"`
	Client   string    `json:"client,omitempty"`
	Function string    `json:"function,omitempty"` // missing: no route matched
	// Status is what the client got; 499: it had left.
	Status int `json:"status"`
	// Reason says why it failed; missing when it did not.
	Reason string `json:"reason,omitempty"`
	// Local: Holdfast answered itself.
	Local    bool    `json:"local"`
	Failed   bool    `json:"failed"`
	HeadMS   float64 `json:"head_ms"`
	TookMS   float64 `json:"took_ms"`
	QueuedMS float64 `json:"queued_ms"`
	Bytes    int64   `json:"bytes"`
	// Fallback says why another function answered.
	Fallback string    `json:"fallback,omitempty"`
	Attempts []Attempt `json:"attempts"`
}

// Attempt is one try of an exchange. Instance is missing when its details are
// no longer kept.
type Attempt struct {
	Instance string  `json:"instance,omitempty"`
	Endpoint string  `json:"endpoint,omitempty"`
	Strategy string  `json:"strategy,omitempty"`
	Rule     string  `json:"rule,omitempty"`
	StartMS  float64 `json:"start_ms"`
	HeadMS   float64 `json:"head_ms"`
	TookMS   float64 `json:"took_ms"`
	// UploadMS is how much of head_ms, or of took_ms without an answer, was
	// spent waiting for the client's body. No instance is blamed for it.
	UploadMS float64 `json:"upload_ms"`
	Status   int     `json:"status,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Retried  bool    `json:"retried"`
	// Retry is what the retry rule said; missing for a good answer.
	Retry string `json:"retry,omitempty"`
}

// whichRequests selects requests.
type whichRequests struct {
	Function string `query:"function" doc:"only this function"`
	N        int    `query:"n" default:"20" minimum:"0" maximum:"1000" doc:"how many, the latest first"`
	Failed   bool   `query:"failed" doc:"only those that failed"`
	// SlowerMS lets streams through too: they take as long as their clients listen.
	SlowerMS float64 `query:"slower_ms" minimum:"0" maximum:"86400000" doc:"only those whose whole exchange took at least this long"`
}

func (s *Server) requests(_ context.Context, in *whichRequests) (Requests, error) {
	var only *exchange.Function
	if in.Function != "" {
		fn, err := s.function(in.Function)
		if err != nil {
			return Requests{}, err
		}
		only = fn
	}
	slower := time.Duration(in.SlowerMS * float64(time.Millisecond))
	list := s.config.Gateway.Records().Last(in.N, func(f *exchange.Facts) bool {
		return (!in.Failed || f.Failed()) && f.Took >= slower && (only == nil || f.Function == only)
	})
	v := Requests{Requests: make([]Request, len(list))}
	for i := range list {
		v.Requests[i] = requestOf(&list[i])
	}
	return v, nil
}

func requestOf(r *exchange.Record) Request {
	v := Request{
		ID: r.ID.String(), At: r.Start, Method: r.Method.String(), Host: r.Host.String(), Path: r.Path.String(),
		Status: int(r.Status), Reason: reasonOf(r.Reason), Local: r.Local, Failed: r.Failed(),
		HeadMS: ms(r.Head), TookMS: ms(r.Took), QueuedMS: ms(r.Queued), Bytes: r.Bytes,
		Fallback: reasonOf(r.Fallback), Attempts: make([]Attempt, r.N),
	}
	if r.Client.IsValid() {
		v.Client = r.Client.String()
	}
	if r.Function != nil {
		v.Function = r.Function.Name()
	}
	for i := range v.Attempts {
		v.Attempts[i] = attemptOf(&r.Attempts[i])
	}
	return v
}

func attemptOf(a *exchange.AttemptRecord) Attempt {
	v := Attempt{
		Instance: a.Instance.ID(), Endpoint: a.Instance.Endpoint(), Strategy: a.Pick.Strategy.String(), Rule: a.Pick.Rule.String(),
		StartMS: ms(a.Start), HeadMS: ms(a.Head), TookMS: ms(a.Took), UploadMS: ms(a.Upload), Status: int(a.Status), Reason: reasonOf(a.Reason),
		Retried: a.Decision.Retry,
	}
	if a.Kind != retry.OK && a.Kind != retry.Canceled {
		v.Retry = a.Decision.Reason.String()
	}
	return v
}

func reasonOf(r exchange.Reason) string {
	if r == exchange.ReasonNone {
		return ""
	}
	return r.String()
}
