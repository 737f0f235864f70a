package exchange

// Fallback is what a client gets when the function cannot answer: its breaker
// is open or nobody is left. Exactly one of Function, Redirect and Status is set.
type Fallback struct {
	Function *Function // this function answers instead, with gates of its own
	Redirect string    // 307 to this URL; the path and query are appended when it ends in "*"
	Status   int
	Body     string
	Header   map[string]string
}

// maxFallbacks bounds a chain of fallback functions.
const maxFallbacks = 4
