package demo

import (
	"fmt"
	"net/http"
	"regexp"
)

// ledgerID is what an id may look like: one word of a line.
var ledgerID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,200}$`)

// recording appends the request to the ledger and then goes on to next, which
// may misbehave: the request was processed all the same.
func (in *instance) recording(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if in.ledger == nil {
			in.refuse(w, http.StatusNotFound, "this instance keeps no ledger; start it with one")
			return
		}
		id := r.Header.Get("X-Ledger-Id")
		if !ledgerID.MatchString(id) {
			in.refuse(w, http.StatusBadRequest, fmt.Sprintf("the header X-Ledger-Id is %q; give 1 to 200 letters, digits or . _ : -", id))
			return
		}
		// One write of one line with O_APPEND: instances that share the file do
		// not mix their lines, and a killed one leaves no half of it.
		if _, err := in.ledger.WriteString(id + " " + in.id + "\n"); err != nil {
			in.refuse(w, http.StatusInternalServerError, fmt.Sprintf("the ledger cannot be written: %v", err))
			return
		}
		next(w, r)
	}
}

func (in *instance) recorded(w http.ResponseWriter, r *http.Request) {
	in.write(w, http.StatusOK, struct {
		identity
		LedgerID string `json:"ledger_id"`
	}{in.identify(r), r.Header.Get("X-Ledger-Id")})
}
