package handover

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// FuzzAsk lets anybody of the same user answer a successor. It takes what was
// announced or nothing, and keeps no descriptor that it does not use.
func FuzzAsk(f *testing.F) {
	f.Add([]byte("{\"version\":1,\"pid\":3,\"note\":{\"a\":1},\"files\":[{\"name\":\"gateway\",\"address\":\"127.0.0.1:1\"}]}\n"), uint8(1), "gateway")
	f.Add([]byte("{\"files\":[{\"name\":\"\"},{\"name\":\"\"}]}\n"), uint8(2), "")
	f.Add([]byte("{\"error\":\"no\"}\n"), uint8(1), "x")
	f.Add([]byte("{\"files\":[{}]}\n{\"error\":\"late\"}\n"), uint8(0), "x")
	f.Add([]byte("null\n"), uint8(3), "x")
	dir, err := os.MkdirTemp("", "hf-") // a socket's path must be short
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	f.Fuzz(func(t *testing.T, answer []byte, files uint8, name string) {
		before := descriptors(t)
		said := make(chan struct{})
		go func() {
			defer close(said)
			reply(l, answer, int(files%4))
		}()
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		if next, err := Ask(ctx, path); err == nil {
			var note any
			_ = next.Note(&note)
			if l, err := next.Listener(name, ""); err == nil && l != nil {
				_ = l.Close()
			}
			if file := next.File(name); file != nil {
				_ = file.Close()
			}
			next.Close()
		}
		<-said
		if after := descriptors(t); after > before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}

// reply answers one question with anything, and sends the test's own stderr
// along some times.
func reply(l *net.UnixListener, answer []byte, files int) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Read(make([]byte, 4096))
	var fds []int
	for range files {
		fds = append(fds, int(os.Stderr.Fd()))
	}
	var rights []byte
	if len(fds) > 0 && len(answer) > 0 {
		rights = unix.UnixRights(fds...)
	}
	_, _, _ = conn.WriteMsgUnix(answer, rights, nil)
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip("there is no list of descriptors here")
	}
	return len(list)
}
