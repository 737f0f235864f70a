package anyload_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"holdfast/loadtest"
	"holdfast/loadtest/anyload"
	"holdfast/loadtest/check"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/template"
	server "holdfast/test/postgres"
)

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// shared is the PostgreSQL of all tests.
var shared server.Shared

// web serves HTTP/1.1, HTTP/2 with prior knowledge, and echoes of WebSocket. It says which of them it spoke.
func web(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stall" {
			<-r.Context().Done()
			return
		}
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprintf(w, `{"proto":%q}`, r.Proto)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, text, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, text) != nil {
				return
			}
		}
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func calls(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, grpchealth.NewServer())
	reflection.Register(s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // it ends by Stop
	}()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return l.Addr().String()
}

// address is that of an empty database, for a user.
func address(t *testing.T, user string) string {
	t.Helper()
	var host, port, name string
	for word := range strings.FieldsSeq(shared.Database(t)) {
		for key, to := range map[string]*string{"host": &host, "port": &port, "dbname": &name} {
			if value, ok := strings.CutPrefix(word, key+"="); ok {
				*to = value
			}
		}
	}
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%s", user, name, host, port)
}

func request(name, url, body string, checks ...check.Check) anyload.Request {
	return anyload.Request{Request: httpload.Request{Name: name, URL: url, Body: body, Checks: checks}}
}

func TestOneLoadSpeaksSeveralProtocols(t *testing.T) {
	t.Parallel()
	site, service := web(t), calls(t)
	modern := request("h2", "http://"+site+"/", "", check.Check{JSON: "$.proto", Equals: "HTTP/2.0"})
	modern.HTTP2 = true
	call := request("grpc", "grpc://"+service+"/grpc.health.v1.Health/Check", "", check.Check{JSON: "$.status", Equals: "SERVING"})
	call.Data = `{"service":""}`
	chat := request("ws", "ws://"+site+"/", "{{name}}", check.Check{Equals: "Ada"})
	chat.Echo = true
	list := []anyload.Request{request("h1", "http://"+site+"/", "", check.Check{JSON: "$.proto", Equals: "HTTP/1.1"}), modern, chat, call}
	if shared.Server != nil {
		query := request("sql", address(t, "postgres"), "SELECT $1::int AS n", check.Check{Rows: "1"}, check.Check{Column: "n", Matches: "^[0-9]+$"})
		query.Args = []string{"{{seq}}"}
		list = append(list, query)
	}
	client, err := anyload.New(anyload.Config{
		Requests: list, Transport: httpload.Config{Feed: &template.Feed{Columns: []string{"name"}, Rows: [][]string{{"Ada"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := loadtest.Config{Client: client, Concurrency: 4, Requests: 500, Duration: time.Minute}
	for i := range list {
		c.Endpoints = append(c.Endpoints, loadtest.Endpoint{Name: list[i].Name, Weight: 1 + i})
	}
	r, err := loadtest.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Total.Counts[loadtest.OK] != 500 {
		t.Errorf("counted %v, %v", r.Total.Counts, r.Errors)
	}
	for i := range r.Endpoints {
		e := &r.Endpoints[i]
		if e.Planned() < 10 || e.Counts[loadtest.OK] != e.Planned() || i > 0 && e.Planned() < r.Endpoints[0].Planned() {
			t.Errorf("%s, of weight %d: %v", e.Name, 1+i, e.Counts)
		}
	}
}

func TestTimeoutsReachTheProtocolTheyAreOf(t *testing.T) {
	t.Parallel()
	site := web(t)
	chat := request("ws", "ws://"+site+"/", "x")
	chat.Answer = "never"
	client, err := anyload.New(anyload.Config{Requests: []anyload.Request{request("h1", "http://"+site+"/stall", ""), chat}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{
		Client: client, Concurrency: 2, Requests: 12, Duration: time.Minute, Timeout: 100 * time.Millisecond,
		Endpoints: []loadtest.Endpoint{{Name: "h1"}, {Name: "ws"}},
	})
	if err != nil || r.Total.Counts[loadtest.Timeout] != 12 || r.Endpoints[0].Planned() == 0 || r.Endpoints[1].Planned() == 0 {
		t.Errorf("%v: counted %v, %v", err, r.Total.Counts, r.Errors)
	}
}

func TestConnectionsEndWhenTheyAreTold(t *testing.T) {
	t.Parallel()
	site, service := web(t), calls(t)
	var dialled int
	client, err := anyload.New(anyload.Config{
		Requests: []anyload.Request{request("ws", "ws://"+site+"/", "x"), request("grpc", "grpc://"+service+"/grpc.health.v1.Health/Check", "")},
		Transport: httpload.Config{NoKeepAlive: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled++ // one user sends one request at a time
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{
		Client: client, Concurrency: 1, Requests: 20, Duration: time.Minute, Endpoints: []loadtest.Endpoint{{Name: "ws"}, {Name: "grpc"}},
	})
	if err != nil || r.Total.Counts[loadtest.OK] != 20 || dialled != 20 {
		t.Errorf("%v: %d connections for 20 requests; counted %v, %v", err, dialled, r.Total.Counts, r.Errors)
	}
}

func TestMistakesNameTheRequest(t *testing.T) {
	t.Parallel()
	good := request("good", "http://a/", "")
	for want, r := range map[string]anyload.Request{
		`prepare request 2 x: "ftp://a" is no URL to load: want http, https, ws`: request("x", "ftp://a", ""),
		`prepare request 2 x: "a" is no URL to load`:                             request("x", "a", ""),
		"prepare request 2 x: there is no variable {{no}}":                       request("x", "ws://a/", "{{no}}"),
		"prepare request 2 x: a connection is opened once":                       request("x", "ws://a/{{seq}}", "x"),
		"prepare request 2 x: a query has SQL":                                   request("x", "postgres://a/b", ""),
		"prepare request 2 x: want grpc://HOST:PORT/package.Service/Method":      request("x", "grpc://u:p@a:1/S/M", ""),
		"prepare request 2 x: arguments are for postgres":                        {Request: httpload.Request{Name: "x", URL: "ws://a/", Body: "x"}, Args: []string{"1"}},
		"prepare request 2 x: data is for grpc":                                  {Request: httpload.Request{Name: "x", URL: "ws://a/", Body: "x"}, Data: "{}"},
		"prepare request 2 x: binary, echo and answer are for ws":                {Request: httpload.Request{Name: "x", URL: "grpc://a:1/S/M"}, Echo: true},
		"prepare request 2 x: read check 1: only the result":                     {Request: httpload.Request{Name: "x", URL: "http://a/", Checks: []check.Check{{Rows: "1"}}}, HTTP2: true},
	} {
		_, err := anyload.New(anyload.Config{Requests: []anyload.Request{good, r}})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := anyload.New(anyload.Config{}); err == nil {
		t.Error("no requests at all are taken")
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres://u:p@h:5/d?x=a@b": "postgres://u@h:5/d?x=a@b", "postgres://u:p@w:p@h/d": "postgres://u@h/d", "http://h/a@b:c": "http://h/a@b:c", "x": "x",
		"postgres://u@h/d?sslmode=disable&password=p&x=1": "postgres://u@h/d?sslmode=disable&x=1", "postgres://h?password=p&sslpassword=q": "postgres://h",
		"postgres://u@h/d?pass%77ord=p": "postgres://u@h/d", "postgres://u@h/d?%zz=p&x=1": "postgres://u@h/d?x=1",
		"http://u:p@h": "http://u@h", "http://h/?password=p": "http://h/?password=p",
	} {
		if got := anyload.Redacted(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if _, err := anyload.KindOf("mysql://u:geheim@h/"); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("the error is %v", err)
	}
}

func TestAWrongPasswordIsKnownBeforeTheFirstRequest(t *testing.T) {
	t.Parallel()
	client, err := anyload.New(anyload.Config{Requests: []anyload.Request{request("x", address(t, "nobody:wrong"), "SELECT 1")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Ready(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "log in to PostgreSQL: it says ") {
		t.Errorf("got %v", err)
	}
}
