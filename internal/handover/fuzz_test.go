package handover

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func FuzzReceive(f *testing.F) {
	f.Add([]byte("{\"version\":1,\"want\":\"takeover\",\"pid\":3}\n"), uint8(0))
	f.Add([]byte("{\"version\":1,\"files\":[{\"name\":\"lock\"}]}\n{}\n"), uint8(2))
	f.Add([]byte("\n\n"), uint8(1))
	f.Add([]byte("no line"), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, files uint8) {
		a, b := pair(t)
		w := &wire{conn: a}
		defer w.close()
		go func() {
			defer b.Close()
			var fds []int
			for range files % 4 {
				fds = append(fds, int(os.Stderr.Fd()))
			}
			var rights []byte
			if len(fds) > 0 && len(data) > 0 {
				rights = unix.UnixRights(fds...)
			}
			_, _, _ = b.WriteMsgUnix(data, rights, nil)
		}()
		for {
			if _, err := w.receive(time.Now().Add(5 * time.Second)); err != nil {
				return
			}
		}
	})
}

func pair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends []*net.UnixConn
	for _, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		end, ok := conn.(*net.UnixConn)
		if !ok {
			t.Fatalf("a pair of %T", conn)
		}
		ends = append(ends, end)
	}
	return ends[0], ends[1]
}
