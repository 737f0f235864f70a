package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that is written `90s`, `1m30s` or as a whole
// number of milliseconds.
type Duration time.Duration

// Std returns the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes the shortest form that ParseDuration reads back: `5m`, not `5m0s`.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText makes JSON and log output read like the configuration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// maxMilliseconds keeps a whole number of milliseconds inside a time.Duration.
const maxMilliseconds = int64(1<<63-1) / int64(time.Millisecond)

var errDuration = errors.New("must be a duration such as 30s, 1m30s or a whole number of milliseconds")

// ParseDuration reads `60s`, `1m30s`, or a whole number of milliseconds.
func ParseDuration(s string) (Duration, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		if ms > maxMilliseconds || ms < -maxMilliseconds {
			return 0, errDuration
		}
		return Duration(time.Duration(ms) * time.Millisecond), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errDuration
	}
	return Duration(d), nil
}

// Bytes is a size, written `64KiB` or as a whole number of bytes.
type Bytes int64

type byteUnit struct {
	suffix string
	size   int64
}

func binaryUnits() []byteUnit {
	return []byteUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
}

func decimalUnits() []byteUnit {
	return []byteUnit{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}}
}

// String writes the largest binary unit that is exact: `64KiB`, `1000`.
func (b Bytes) String() string {
	for _, u := range binaryUnits() {
		if b != 0 && int64(b)%u.size == 0 {
			return fmt.Sprintf("%d%s", int64(b)/u.size, u.suffix)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText makes JSON and log output read like the configuration.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

var errBytes = errors.New("must be a size such as 64KiB, 1MiB or a whole number of bytes")

// ParseBytes reads `64KiB`, `1MB` or a whole number of bytes.
func ParseBytes(s string) (Bytes, error) {
	unit := int64(1)
	for _, u := range append(binaryUnits(), decimalUnits()...) {
		if rest, ok := strings.CutSuffix(s, u.suffix); ok {
			s, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > (1<<63-1)/unit || n < -(1<<63-1)/unit {
		return 0, errBytes
	}
	return Bytes(n * unit), nil
}

// Ports is a range of ports, both ends included. The zero value means that the
// system chooses.
type Ports struct{ From, To int }

// IsZero reports whether the system chooses the ports.
func (p Ports) IsZero() bool { return p == Ports{} }

// Len is the number of ports in the range, 0 for the zero value.
func (p Ports) Len() int {
	if p.IsZero() {
		return 0
	}
	return p.To - p.From + 1
}

// String writes `9000-9100`, `9000` for a single port, and nothing for the zero value.
func (p Ports) String() string {
	switch {
	case p.IsZero():
		return ""
	case p.From == p.To:
		return strconv.Itoa(p.From)
	}
	return fmt.Sprintf("%d-%d", p.From, p.To)
}

// MarshalText makes JSON and log output read like the configuration.
func (p Ports) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

var errPorts = errors.New("must be a range of ports such as 9000-9100, from 1 to 65535, the lower one first")

// ParsePorts reads `9000-9100`, `9000`, or nothing.
func ParsePorts(s string) (Ports, error) {
	if s == "" {
		return Ports{}, nil
	}
	lo, hi, isRange := strings.Cut(s, "-")
	if !isRange {
		hi = lo
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(lo))
	to, err2 := strconv.Atoi(strings.TrimSpace(hi))
	if err1 != nil || err2 != nil || from < 1 || to > 65535 || from > to {
		return Ports{}, errPorts
	}
	return Ports{from, to}, nil
}
