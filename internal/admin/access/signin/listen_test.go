package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net"
	"sync"
	"testing"
)

// key is made once, because that takes long.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func listen(t *testing.T) (net.Listener, error) {
	t.Helper()
	var c net.ListenConfig
	return c.Listen(t.Context(), "tcp", "127.0.0.1:0")
}
