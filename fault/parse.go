package fault

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxFaults is how many faults one set may have.
const MaxFaults = 64

// Parse reads a list of faults, separated by commas: [up.|down.]NAME[=VALUE][@SHARE]. The package comment lists them.
// Text without any fault is an empty list. An error is one sentence that quotes what is wrong.
func Parse(text string) ([]Fault, error) {
	if strings.TrimSpace(text) == "" {
		return []Fault{}, nil
	}
	items := strings.Split(text, ",")
	if len(items) > MaxFaults {
		return nil, fmt.Errorf("parse faults: %d are too many, at most %d are taken", len(items), MaxFaults)
	}
	list := make([]Fault, 0, len(items))
	for _, item := range items {
		f, err := parseOne(strings.TrimSpace(item))
		if err != nil {
			return nil, fmt.Errorf("parse fault %q: %w", strings.TrimSpace(item), err)
		}
		list = append(list, f)
	}
	return list, nil
}

// Format writes faults as [Parse] reads them.
func Format(faults []Fault) string {
	parts := make([]string, len(faults))
	for i, f := range faults {
		parts[i] = f.String()
	}
	return strings.Join(parts, ", ")
}

// String is the fault as [Parse] reads it.
func (f Fault) String() string {
	var b strings.Builder
	if f.Direction != Both {
		b.WriteString(f.Direction.String() + ".")
	}
	b.WriteString(f.Kind.String())
	if v := f.value(); v != "" {
		b.WriteString("=" + v)
	}
	if f.Percent != 0 {
		b.WriteString("@" + strconv.FormatFloat(f.Percent, 'f', -1, 64) + "%")
	}
	return b.String()
}

func (f Fault) value() string {
	var parts []string
	switch f.Kind {
	case Latency:
		return f.Delay.String()
	case Bandwidth:
		return FormatSize(f.Rate) + "/s"
	case Slice, Limit, Reset, Blackhole, HalfOpen:
		if f.Bytes != 0 {
			size := FormatSize(f.Bytes)
			if f.Spread != 0 {
				size += "~" + FormatSize(f.Spread)
			}
			parts = append(parts, size)
		}
		if f.Delay.Mean != 0 {
			parts = append(parts, f.Delay.Mean.String())
		}
	}
	return strings.Join(parts, "/")
}

// MarshalText writes the fault as [Parse] reads it.
func (f Fault) MarshalText() ([]byte, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	return []byte(f.String()), nil
}

// UnmarshalText reads one fault as [Parse] does.
func (f *Fault) UnmarshalText(text []byte) error {
	parsed, err := parseOne(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("parse fault %q: %w", text, err)
	}
	*f = parsed
	return nil
}

func parseOne(item string) (Fault, error) {
	var f Fault
	rest, share, shared := strings.Cut(item, "@")
	name, value, valued := strings.Cut(rest, "=")
	switch {
	case strings.HasPrefix(name, "up."):
		f.Direction, name = Up, name[len("up."):]
	case strings.HasPrefix(name, "down."):
		f.Direction, name = Down, name[len("down."):]
	}
	if f.Kind = kindOf(name); f.Kind == 0 {
		return Fault{}, errKind
	}
	if bare := f.Kind >= Reset; bare && valued && !shared && strings.HasSuffix(value, "%") {
		share, shared, valued = value, true, false // reset=10%
	}
	if shared {
		var err error
		if f.Percent, err = ParsePercent(share); err != nil {
			return Fault{}, err
		}
	}
	if valued {
		if err := f.readValue(value); err != nil {
			return Fault{}, err
		}
	}
	if err := f.checkShared(); err != nil {
		return Fault{}, err
	}
	return f, f.checkKind()
}

func kindOf(name string) Kind {
	for i, known := range kindNames {
		if i > 0 && name == known {
			return Kind(i)
		}
	}
	return 0
}

var errRateText = errors.New("write a rate like 64KiB/s")

func (f *Fault) readValue(value string) (err error) {
	switch f.Kind {
	case Latency:
		f.Delay, err = ParseDelay(value)
		return err
	case Bandwidth:
		size, ok := strings.CutSuffix(value, "/s")
		if !ok {
			return fmt.Errorf("%q is no rate: %w", value, errRateText)
		}
		f.Rate, err = ParseSize(size)
		return err
	case Slice, Limit, Reset, Blackhole, HalfOpen:
	}
	return f.readParts(value)
}

var errPartsText = errors.New("write a size like 10KiB, a time like 5ms, or both like 10KiB/5ms")

// readParts reads SIZE[~SPREAD], TIME, or SIZE[~SPREAD]/TIME.
func (f *Fault) readParts(value string) (err error) {
	size, pause, both := strings.Cut(value, "/")
	if !both {
		if d, err := parseTime(size); err == nil && strings.ContainsAny(size, "smhnuµ") {
			f.Delay.Mean = d
			return nil
		}
	}
	size, spread, spreads := strings.Cut(size, "~")
	if f.Bytes, err = ParseSize(size); err != nil {
		return fmt.Errorf("%q: %w", value, errPartsText)
	}
	if spreads {
		if f.Spread, err = ParseSize(spread); err != nil {
			return err
		}
	}
	if both {
		f.Delay.Mean, err = parseTime(pause)
	}
	return err
}

// ParsePercent reads "10%" or "0.5%": more than 0, at most 100.
func ParsePercent(text string) (float64, error) {
	number, ok := strings.CutSuffix(text, "%")
	p, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is no share: write it like 10%%", text)
	}
	if !(p > 0 && p <= 100) {
		return 0, fmt.Errorf("%q: %w", text, errPercent)
	}
	return p, nil
}

var sizeUnits = []struct { //nolint:gochecknoglobals // a table
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"KB", 1e3},
	{"B", 1},
	{"", 1},
}

// ParseSize reads a whole number of bytes: 512, 512B, 64KiB, 1MiB, 10MB.
func ParseSize(text string) (int64, error) {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 63)
		switch {
		case err != nil:
			return 0, fmt.Errorf("%q is no size: write it like 512B, 64KiB or 1MiB", text)
		case n > uint64(math.MaxInt64/u.bytes) || int64(n)*u.bytes > MaxBytes:
			return 0, fmt.Errorf("%q: %w", text, errBytes)
		}
		return int64(n) * u.bytes, nil
	}
	return 0, nil // not reached: every text ends with ""
}

// FormatSize writes bytes as [ParseSize] reads them, in the largest binary unit that is exact.
func FormatSize(n int64) string {
	for _, u := range sizeUnits[:4] {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
