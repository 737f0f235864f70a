package fault

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Kind is what a fault does to a connection.
type Kind uint8

// The kinds; the package comment says what they do. The zero Kind is none and refused.
const (
	Latency Kind = iota + 1
	Bandwidth
	Slice
	Limit
	Reset
	Blackhole
	HalfOpen
)

var kindNames = [...]string{"none", "latency", "bandwidth", "slice", "limit", "reset", "blackhole", "half-open"}

// String is the name as [Parse] reads it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Direction is the way bytes go.
type Direction uint8

// The directions. The zero value is both.
const (
	Both Direction = iota
	Up             // from the client to the upstream
	Down           // from the upstream to the client
)

// String is "both", "up" or "down".
func (d Direction) String() string {
	switch d {
	case Up:
		return "up"
	case Down:
		return "down"
	case Both:
	}
	return "both"
}

// covers says whether a fault with direction d is about way.
func (d Direction) covers(way Direction) bool { return d == Both || d == way }

// Fault is one thing that goes wrong. What is not of its kind must be zero.
type Fault struct { //nolint:recvcheck // UnmarshalText has to have a pointer, all else is a value
	Kind      Kind
	Direction Direction
	Percent   float64 // of the connections that it hits; 0 means all, like 100
	Delay     Delay   // Latency: of the bytes; Slice: between pieces; Reset: from when the connection is due
	Rate      int64   // Bandwidth: bytes per second
	Bytes     int64   // Limit, Reset: that may pass before, since the connection began; Slice: of a piece
	Spread    int64   // Slice: pieces have Bytes-Spread to Bytes+Spread bytes
}

// The largest values that are taken for what somebody meant.
const (
	MaxDelay = 24 * time.Hour
	MaxBytes = 1 << 50
)

var (
	errKind      = errors.New("the kind is unknown: use latency, bandwidth, slice, limit, reset, blackhole or half-open")
	errPercent   = errors.New("the share must be more than 0% and at most 100%")
	errDelay     = errors.New("a time must lie between 0 and 24h")
	errShape     = errors.New("the shape of the jitter is unknown: use uniform, normal or exponential")
	errBytes     = errors.New("a size must lie between 0 and 1024TiB")
	errNoDelay   = errors.New("latency needs a time, as in latency=200ms~50ms")
	errNoRate    = errors.New("bandwidth needs a rate, as in bandwidth=64KiB/s")
	errNoPiece   = errors.New("slice needs the size of its pieces, as in slice=16B/5ms")
	errSpread    = errors.New("the spread of slice must be less than the size of its pieces")
	errNoLimit   = errors.New("limit needs a size, as in limit=10KiB")
	errExtra     = errors.New("it has a value that its kind does not know")
	errJitter    = errors.New("only latency has jitter")
	errDirection = errors.New("the direction is unknown: use up, down, or none for both")
)

// Check says what is wrong with a fault; it names the fault.
func (f Fault) Check() error {
	if err := cmp.Or(f.checkShared(), f.checkKind()); err != nil {
		return fmt.Errorf("check fault %s: %w", f, err)
	}
	return nil
}

func (f Fault) checkShared() error {
	switch {
	case f.Direction > Down:
		return errDirection
	case !(f.Percent >= 0 && f.Percent <= 100): // NaN too
		return errPercent
	case min(f.Bytes, f.Spread, f.Rate) < 0 || max(f.Bytes, f.Spread, f.Rate) > MaxBytes:
		return errBytes
	case f.Kind != Latency && (f.Delay.Jitter != 0 || f.Delay.Shape != Uniform):
		return errJitter
	case f.Kind != Slice && f.Spread != 0, f.Kind != Bandwidth && f.Rate != 0:
		return errExtra
	}
	return f.Delay.Check()
}

func (f Fault) checkKind() error {
	switch f.Kind {
	case Latency:
		if f.Delay == (Delay{}) {
			return errNoDelay
		}
		return extra(f.Bytes != 0)
	case Bandwidth:
		if f.Rate == 0 {
			return errNoRate
		}
		return extra(f.Bytes != 0 || f.Delay.Mean != 0)
	case Slice:
		switch {
		case f.Bytes == 0:
			return errNoPiece
		case f.Spread >= f.Bytes:
			return errSpread
		}
		return nil
	case Limit:
		if f.Bytes == 0 {
			return errNoLimit
		}
		return extra(f.Delay.Mean != 0)
	case Reset:
		return nil
	case Blackhole, HalfOpen:
		return extra(f.Bytes != 0 || f.Delay.Mean != 0)
	}
	return errKind
}

func extra(is bool) error {
	if is {
		return errExtra
	}
	return nil
}
