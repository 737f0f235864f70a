package fault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Shape is how jitter is distributed.
type Shape uint8

// The shapes.
const (
	// Uniform: anything from Mean-Jitter to Mean+Jitter is as likely.
	Uniform Shape = iota
	// Normal: Jitter is the standard deviation; what is more than four of them away is cut off.
	Normal
	// Exponential: Mean is the least, and Jitter the mean of what comes on top; a long tail, cut off at 20 times Jitter.
	Exponential
)

var shapeNames = [...]string{"uniform", "normal", "exponential"}

// String is the name as [Parse] reads it.
func (s Shape) String() string {
	if int(s) < len(shapeNames) {
		return shapeNames[s]
	}
	return "unknown"
}

// Delay is a time that varies. The zero value is no delay. Its text is 200ms~50ms:normal.
type Delay struct {
	Mean   time.Duration
	Jitter time.Duration
	Shape  Shape
}

const (
	normalTail      = 4
	exponentialTail = 20
)

// Draw takes one value; it is never negative.
func (d Delay) Draw(r *rand.Rand) time.Duration {
	if d.Jitter <= 0 {
		return max(d.Mean, 0)
	}
	j := float64(d.Jitter)
	switch d.Shape {
	case Normal:
		j *= max(-normalTail, min(normalTail, r.NormFloat64()))
	case Exponential:
		j *= min(exponentialTail, r.ExpFloat64())
	case Uniform:
		j *= 2*r.Float64() - 1
	}
	return max(d.Mean+time.Duration(j), 0)
}

// Check says what is wrong with a delay.
func (d Delay) Check() error {
	switch {
	case min(d.Mean, d.Jitter) < 0, max(d.Mean, d.Jitter) > MaxDelay:
		return errDelay
	case d.Shape > Exponential, d.Jitter == 0 && d.Shape != Uniform:
		return errShape
	}
	return nil
}

// String is the text that [ParseDelay] reads.
func (d Delay) String() string {
	text := d.Mean.String()
	if d.Jitter != 0 {
		text += "~" + d.Jitter.String()
	}
	if d.Shape != Uniform {
		text += ":" + d.Shape.String()
	}
	return text
}

var errDelayText = errors.New("write a time like 200ms, 200ms~50ms or 200ms~50ms:normal")

// ParseDelay reads MEAN[~JITTER[:SHAPE]].
func ParseDelay(text string) (Delay, error) {
	var d Delay
	front, shape, shaped := strings.Cut(text, ":")
	mean, jitter, varies := strings.Cut(front, "~")
	var err error
	if d.Mean, err = parseTime(mean); err != nil {
		return Delay{}, err
	}
	if varies {
		if d.Jitter, err = parseTime(jitter); err != nil {
			return Delay{}, err
		}
	}
	if shaped {
		if d.Shape, err = parseShape(shape); err != nil {
			return Delay{}, err
		}
		if d.Jitter == 0 && d.Shape != Uniform {
			return Delay{}, fmt.Errorf("%q has a shape but no jitter: %w", text, errDelayText)
		}
	}
	return d, d.Check()
}

func parseShape(text string) (Shape, error) {
	for i, name := range shapeNames {
		if text == name {
			return Shape(i), nil
		}
	}
	return 0, fmt.Errorf("%q: %w", text, errShape)
}

func parseTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no time: %w", text, errDelayText)
	case d < 0 || d > MaxDelay:
		return 0, fmt.Errorf("%s: %w", text, errDelay)
	}
	return d, nil
}

// Dice returns the source of chance for one thing that a seed decides: the same seed, number and name give the same
// source, whatever else was drawn before. It is not safe for concurrent use.
func Dice(seed, number uint64, name string) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a, 64 bit
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	r := rand.New(rand.NewPCG(seed^h, number*0x9e3779b97f4a7c15+h))
	r.Uint64() // the first value of neighbours is alike
	return r
}

// Strikes decides for one thing whether a fault that hits percent of them hits it; 0 means all.
func Strikes(percent float64, r *rand.Rand) bool {
	return percent == 0 || r.Float64()*100 < percent
}
