package http1

import (
	"crypto/tls"
	"errors"
	"io"
	"strings"
)

// RefusePlain answers a client that spoke HTTP where TLS is spoken: err is what
// became of the handshake, w leads to the client. With any other err, nil too,
// it does nothing.
func RefusePlain(w io.Writer, err error) {
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && looksLikeHTTP(string(e.RecordHeader[:])) {
		_, _ = io.WriteString(w, plainRefused) // the client is told as far as it listens
	}
}

const plainRefused = "HTTP/1.0 400 Bad Request\r\nContent-Type: " + plainText + "\r\nConnection: close\r\n\r\n" +
	"400 this port speaks TLS: ask with https://\n"

// looksLikeHTTP knows requests by their first five bytes.
func looksLikeHTTP(head string) bool {
	switch head {
	case "HEAD ", "POST ", "PATCH", "DELET", "OPTIO":
		return true
	}
	return strings.HasPrefix(head, "GET ") || strings.HasPrefix(head, "PUT ")
}
