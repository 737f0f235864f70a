package http1

// SyntaxError is what is wrong with a message. It is an error that costs no
// allocation; the rules in brackets are those of RFC 9112 unless said otherwise.
type SyntaxError uint8

// The faults.
const (
	errNone SyntaxError = iota
	// ErrRequestLine: not "METHOD SP target SP HTTP/d.d" (3).
	ErrRequestLine
	// ErrMethodLength: a method longer than any that is known (9110, 9.1).
	ErrMethodLength
	// ErrVersion: HTTP, but neither 1.0 nor 1.1 (2.3).
	ErrVersion
	// ErrTarget: the target has not the form its method needs (3.2).
	ErrTarget
	// ErrTargetByte: a control byte or a fragment in the target.
	ErrTargetByte
	// ErrConnect: a tunnel to anywhere is not offered.
	ErrConnect
	// ErrLineLength: the request line is longer than allowed.
	ErrLineLength
	// ErrHeadLength: the head is longer than allowed, or has too many fields.
	ErrHeadLength
	// ErrStatusLine: not "HTTP/1.d SP 3DIGIT [SP reason]" (4).
	ErrStatusLine
	// ErrLineEnd: a line that ends with LF alone, or CR within a line (2.2).
	ErrLineEnd
	// ErrFieldName: no colon, an empty name, a byte that is no tchar, whitespace
	// before the colon (5.1).
	ErrFieldName
	// ErrFieldFold: a line that begins with whitespace (2.2, 5.2).
	ErrFieldFold
	// ErrFieldValue: a control byte in a value (9110, 5.5).
	ErrFieldValue
	// ErrHostCount: no Host in HTTP/1.1, or more than one (3.2).
	ErrHostCount
	// ErrHostValue: Host or the target's authority is no host with an optional port.
	ErrHostValue
	// ErrLength: Content-Length is not one number, or not always the same (6.3).
	ErrLength
	// ErrCoding: a transfer coding other than exactly one chunked (6.1, 7).
	ErrCoding
	// ErrCodingCount: more than one Transfer-Encoding line, or one in HTTP/1.0.
	ErrCodingCount
	// ErrLengthAndCoding: both Content-Length and Transfer-Encoding (6.1).
	ErrLengthAndCoding
	// ErrTrailer: Trailer announces a field that frames the message (9110, 6.5.1).
	ErrTrailer
	// ErrExpectation: an expectation other than 100-continue (9110, 10.1.1).
	ErrExpectation
	// ErrChunkSize: not 1*HEXDIG, or more than fits (7.1).
	ErrChunkSize
	// ErrChunkEnd: no CRLF after a chunk's line or data (7.1).
	ErrChunkEnd
	// ErrChunkExtension: a control byte in an extension, or too much of them (7.1.1).
	ErrChunkExtension
	// ErrTrailerLength: the trailers are longer than allowed.
	ErrTrailerLength
)

var faultNames = [...]struct {
	status int
	text   string
}{
	errNone:            {200, "no fault"},
	ErrRequestLine:     {400, "the request line is malformed"},
	ErrMethodLength:    {501, "the method is not known"},
	ErrVersion:         {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"},
	ErrTarget:          {400, "the request target is not a path"},
	ErrTargetByte:      {400, "the request target contains a byte that must be escaped"},
	ErrConnect:         {405, "CONNECT is not offered here"},
	ErrLineLength:      {414, "the request line is too long"},
	ErrHeadLength:      {431, "the header fields are too large"},
	ErrStatusLine:      {502, "the status line is malformed"},
	ErrLineEnd:         {400, "a line does not end with CRLF"},
	ErrFieldName:       {400, "the name of a header field is malformed"},
	ErrFieldFold:       {400, "a header line begins with whitespace"},
	ErrFieldValue:      {400, "the value of a header field contains a control byte"},
	ErrHostCount:       {400, "want exactly one Host"},
	ErrHostValue:       {400, "Host is not a host name with an optional port"},
	ErrLength:          {400, "Content-Length is not one number"},
	ErrCoding:          {501, "the transfer coding is not exactly chunked"},
	ErrCodingCount:     {400, "Transfer-Encoding is repeated, or not HTTP/1.1"},
	ErrLengthAndCoding: {400, "Content-Length and Transfer-Encoding exclude each other"},
	ErrTrailer:         {400, "Trailer announces a field that frames the message"},
	ErrExpectation:     {417, "the only expectation met here is 100-continue"},
	ErrChunkSize:       {400, "the size of a chunk is malformed"},
	ErrChunkEnd:        {400, "a chunk does not end with CRLF"},
	ErrChunkExtension:  {400, "the extensions of a chunk are malformed or too large"},
	ErrTrailerLength:   {431, "the trailer fields are too large"},
}

// Error implements error.
func (f SyntaxError) Error() string {
	if int(f) < len(faultNames) {
		return faultNames[f].text
	}
	return "unknown fault"
}

// Status is what a client is told whose request has it. The connection
// is closed after it: where the next request begins is not known.
func (f SyntaxError) Status() int {
	if int(f) < len(faultNames) {
		return faultNames[f].status
	}
	return 400
}
