package httpload_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
)

// oddAnswers are right and wrong ones; those that are wrong say how the generator calls it. Where net/http lets pass what
// is wrong, the generator is stricter; it must never be the other way round.
var oddAnswers = []struct {
	name, method, text string
	want               loadtest.Class
}{
	{"sized", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", loadtest.OK},
	{"empty", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", loadtest.OK},
	{"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", loadtest.OK},
	{"chunk extension", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n", loadtest.OK},
	{"trailer", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n", loadtest.OK},
	{"continue first", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", loadtest.OK},
	{"early hints twice", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", loadtest.OK},
	{"to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", loadtest.OK},
	{"chunked to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", loadtest.OK},
	{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", loadtest.OK},
	{"304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", loadtest.OK},
	{"ended by the connection", "GET", "HTTP/1.1 200 OK\r\n\r\nhello", loadtest.OK},
	{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\n\r\nhello", loadtest.OK},
	{"no reason", "GET", "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", loadtest.OK},
	{"same length twice", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", loadtest.OK},

	{"nothing", "GET", "", loadtest.Truncated},
	{"half a head", "GET", "HTTP/1.1 200 OK\r\nContent-Le", loadtest.Truncated},
	{"only 1xx", "GET", "HTTP/1.1 100 Continue\r\n\r\n", loadtest.Truncated},
	{"short body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", loadtest.Truncated},
	{"half a chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", loadtest.Truncated},
	{"no last chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", loadtest.Truncated},
	{"half a trailer", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b", loadtest.Truncated},
	{"bad chunk size", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n", loadtest.Malformed},
	{"chunk longer than its size", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", loadtest.Malformed},
	{"two lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", loadtest.Malformed},
	{"length and chunked", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", loadtest.Malformed},
	{"negative length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", loadtest.Malformed},
	{"no number as length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello", loadtest.Malformed},
	{"another protocol", "GET", "SSH-2.0-OpenSSH_9.2\r\n\r\n", loadtest.Malformed},
	{"two digits of status", "GET", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", loadtest.Malformed},
	{"space before the colon", "GET", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", loadtest.Malformed},
	{"field without colon", "GET", "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\nhello", loadtest.Malformed},
	{"surplus behind a body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", loadtest.Malformed},
	{"a second answer", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", loadtest.Malformed},
	{"body to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", loadtest.Malformed},
	{"body of 204", "GET", "HTTP/1.1 204 No Content\r\n\r\nhello", loadtest.Malformed},
	{"surplus behind chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nhello", loadtest.Malformed},
}

func TestAnOddAnswerIsJudgedNoMilderThanByNetHTTP(t *testing.T) {
	t.Parallel()
	for _, odd := range oddAnswers {
		t.Run(odd.name, func(t *testing.T) {
			t.Parallel()
			url := raw(t, answerOnce(odd.text))
			class, n := ours(t, odd.method, url)
			theirs, err := netHTTP(t, odd.method, url)
			if class != odd.want {
				t.Errorf("the generator says %v, want %v", class, odd.want)
			}
			if class == loadtest.OK && err != nil {
				t.Errorf("the generator lets pass what net/http does not: %v", err)
			}
			if class == loadtest.OK && n < int64(len(theirs)) {
				t.Errorf("the generator read %d bytes, net/http a body of %d", n, len(theirs))
			}
		})
	}
}

// answerOnce reads a head, answers and closes.
func answerOnce(text string) func(net.Conn, int) {
	return func(c net.Conn, _ int) {
		if readHead(bufio.NewReader(c)) {
			_, _ = io.WriteString(c, text) // the client may have had enough
		}
	}
}

func ours(t *testing.T, method, url string) (loadtest.Class, int64) {
	t.Helper()
	client, err := httpload.New(httpload.Config{Requests: []httpload.Request{{Method: method, URL: url}}})
	if err != nil {
		t.Fatal(err)
	}
	u, err := client.NewUser(0)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	var s loadtest.Shot
	u.Do(t.Context(), &s)
	return s.Class, s.BytesIn
}

func netHTTP(t *testing.T, method, url string) ([]byte, error) {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}
