package health

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"sync"
)

const (
	maxHead    = 64 << 10
	maxBody    = 64 << 10
	maxInterim = 8
	// maxFraming is what the chunked coding and trailers may cost on top of a
	// body of the permitted size.
	maxFraming = 64 << 10
	// keptBody is the largest body buffer that goes back into the pool.
	keptBody = 8 << 10
)

var (
	errHeadTooLarge = errors.New("head too large")
	errNotHTTP      = errors.New("not an HTTP/1 answer")
	errManyInterim  = errors.New("too many interim answers")
	errBodyTooLarge = errors.New("body framing too large")
)

// answer is what was read of an HTTP answer.
type answer struct {
	status    int
	body      []byte // the scratch's, valid until it is given back
	truncated bool   // body has more than maxBody bytes
	bodyErr   error  // the body did not end properly
	keep      bool   // the connection can serve another request
}

// scratch is the memory that reading one answer takes.
type scratch struct {
	src  source
	br   *bufio.Reader
	body []byte
}

// source counts what is read and remembers how reading ended. It stops with
// errTooMuch after left bytes.
type source struct {
	r       io.Reader
	left    int
	total   int
	tooMuch error
	err     error
}

func (s *source) Read(p []byte) (int, error) {
	if s.left <= 0 {
		s.err = s.tooMuch
		return 0, s.err
	}
	n, err := s.r.Read(p[:min(len(p), s.left)])
	s.left -= n
	s.total += n
	if err != nil {
		s.err = err
	}
	return n, err
}

// scratches is shared by all checks: a thousand idle ones hold no buffers.
var scratches = sync.Pool{New: func() any { //nolint:gochecknoglobals // a cache without state
	return &scratch{br: bufio.NewReaderSize(nil, 4<<10), body: make([]byte, 0, 1<<10)}
}}

func takeScratch(r io.Reader) *scratch {
	s, ok := scratches.Get().(*scratch)
	if !ok {
		panic("health: the pool holds scratches only")
	}
	s.src = source{r: r}
	s.br.Reset(&s.src)
	return s
}

func (s *scratch) giveBack() {
	s.src = source{}
	s.br.Reset(nil)
	if cap(s.body) > keptBody {
		s.body = make([]byte, 0, 1<<10)
	}
	scratches.Put(s)
}

// readAnswer reads one answer to a request with the method of req. An error
// means that there was no complete head; a body that breaks is in bodyErr.
func readAnswer(s *scratch, req *http.Request) (answer, error) {
	resp, err := readHead(s, req) //nolint:bodyclose // the body holds no resource; closing would read on to its end
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode}
	s.src.left, s.src.tooMuch = maxBody+maxFraming, errBodyTooLarge
	ended := s.readBody(resp.Body, &a)
	a.body = s.body
	// Bytes after the answer belong to nothing we asked for.
	a.keep = ended && !resp.Close && s.br.Buffered() == 0 && resp.StatusCode != http.StatusSwitchingProtocols
	return a, nil
}

// readHead reads up to the final answer's head, over interim ones.
func readHead(s *scratch, req *http.Request) (*http.Response, error) {
	s.src.left, s.src.tooMuch = maxHead, errHeadTooLarge
	for range maxInterim {
		if err := s.expectHTTP(); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(s.br, req)
		if err != nil {
			return nil, s.headError(err)
		}
		if resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
	return nil, errManyInterim
}

// expectHTTP looks at the first bytes, so that whatever speaks first (SSH,
// SMTP, an HTTP/2 server) is told from a server that is slow.
func (s *scratch) expectHTTP() error {
	const start = "HTTP/1."
	for n := 1; n <= len(start); n = max(n+1, min(s.br.Buffered(), len(start))) {
		first, err := s.br.Peek(n) // byte by byte, or a short greeting is waited for
		if string(first) != start[:len(first)] {
			return errNotHTTP
		}
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// headError tells an unreadable head from a broken connection.
func (s *scratch) headError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(s.src.err, io.EOF):
		return io.ErrUnexpectedEOF
	case s.src.err != nil:
		return s.src.err
	}
	return errNotHTTP
}

// readBody fills the scratch's body up to the limit and says whether the body
// ended within it.
func (s *scratch) readBody(r io.Reader, a *answer) bool {
	s.body = s.body[:0]
	for {
		if len(s.body) > maxBody {
			s.body, a.truncated = s.body[:maxBody], true
			return false
		}
		if len(s.body) == cap(s.body) {
			s.body = append(s.body, 0)[:len(s.body)]
		}
		n, err := r.Read(s.body[len(s.body):cap(s.body)])
		s.body = s.body[:len(s.body)+n]
		if errors.Is(err, io.EOF) {
			return s.fit(a)
		}
		if err != nil {
			s.fit(a)
			a.bodyErr = err
			return false
		}
	}
}

// fit cuts a body that grew past the limit in its last read.
func (s *scratch) fit(a *answer) bool {
	if len(s.body) > maxBody {
		s.body, a.truncated = s.body[:maxBody], true
	}
	return !a.truncated
}
