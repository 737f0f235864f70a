package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// maxUpload bounds the body upload reads.
const maxUpload = 8 << 30

// identity begins every JSON answer.
type identity struct {
	Function string `json:"function"`
	Instance string `json:"instance"`
	PID      int    `json:"pid"`
	Path     string `json:"path"`
	Method   string `json:"method"`
	Served   int64  `json:"served"`
}

func (in *instance) identify(r *http.Request) identity {
	return identity{
		Function: in.name, Instance: in.id, PID: in.pid,
		Path: r.URL.Path, Method: r.Method, Served: in.served.Load(),
	}
}

// answer is what every path gives that is nothing special.
func (in *instance) answer(w http.ResponseWriter, r *http.Request) {
	in.write(w, http.StatusOK, in.identify(r))
}

// refusal is an answer that explains itself.
type refusal struct {
	Error    string `json:"error"`
	Function string `json:"function"`
	Instance string `json:"instance"`
}

func (in *instance) refuse(w http.ResponseWriter, status int, sentence string) {
	in.write(w, status, refusal{Error: sentence, Function: in.name, Instance: in.id})
}

func (in *instance) write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(strconv.Quote(err.Error()))
	}
	body = append(body, '\n')
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone: nobody to tell
}

func (in *instance) health(w http.ResponseWriter, r *http.Request) {
	status, code := "ok", http.StatusOK
	if s := in.switchedNow(); s != nil && s.health {
		if !wait(r.Context(), s.slow) {
			return
		}
		if s.drop {
			cut(w)
			return
		}
		if s.fail != 0 {
			status, code = "failing", s.fail
		}
	}
	m := in.meter.read()
	in.write(w, code, struct {
		Status         string  `json:"status"`
		Function       string  `json:"function"`
		Instance       string  `json:"instance"`
		PID            int     `json:"pid"`
		CPUPercent     float64 `json:"cpu_percent"`
		MemoryPercent  float64 `json:"memory_percent"`
		Connections    int64   `json:"connections"`
		EventLoopLagMS float64 `json:"event_loop_lag_ms"`
	}{status, in.name, in.id, in.pid, m.cpuPercent, m.memoryPercent, in.open.Load(), m.lagMS})
}

func (in *instance) upload(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	n, err := io.Copy(sum, http.MaxBytesReader(w, r.Body, maxUpload))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		in.refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit))
		return
	}
	if err != nil {
		in.refuse(w, http.StatusBadRequest, fmt.Sprintf("the body broke off after %d bytes: %v", n, err))
		return
	}
	in.write(w, http.StatusOK, struct {
		identity
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
	}{in.identify(r), n, hex.EncodeToString(sum.Sum(nil))})
}
