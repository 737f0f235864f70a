package drill

import (
	"context"
	"errors"
	"time"
)

// Server is the running Holdfast as the driver sees it through its admin API.
// Methods are called from several goroutines.
type Server interface {
	// State is how a function and Holdfast itself are.
	State(ctx context.Context, function string) (*State, error)
	// Events returns what happened after event number since, and the number of the last event.
	Events(ctx context.Context, since uint64) ([]Event, uint64, error)
	// Order carries out an order and returns when it is in force. An error
	// that is ErrRefused means that it cannot be, and that nothing was done:
	// trying again is no use.
	Order(ctx context.Context, o Order) error
}

// ErrRefused is what the error of an order is that the server refuses.
var ErrRefused = errors.New("refused")

// State is a moment of a function and of Holdfast.
type State struct {
	Instances           []Instance
	Wanted              int // how many instances there are to be, where the server can change that; else 0
	Exchanges, Attempts uint64
	Goroutines          int
	Files               int
	RSS                 int64
	Store               string // up, down or as the server calls it
}

// Instance is one that the server knows.
type Instance struct {
	ID      string
	Address string // host:port
	Active  bool   // it takes traffic
	Ejected bool   // it does not, because its answers were bad; that ends by itself
	Local   bool   // it runs on the driver's machine
	PID     int    // 0: the server did not start it, or elsewhere
	Picks   uint64
	Weight  float64
}

// Event is something that happened.
type Event struct {
	At                                       time.Time
	Kind, Function, Instance, From, To, Text string
}

// Order is something that the admin API is asked for. Undo takes it back.
type Order struct {
	Kind     Action `json:"kind"` // Scale, Drain, Set
	Function string `json:"function"`
	Instance string `json:"instance,omitempty"`
	Count    int    `json:"count,omitempty"` // of Scale: this many
	Path     string `json:"path,omitempty"`  // of Set: below the function
	Text     string `json:"text,omitempty"`
	Undo     bool   `json:"undo,omitempty"` // end the drain, take the value back
}
