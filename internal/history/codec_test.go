package history

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestSmallValuesAreExactAndLargeOnesWithinBounds(t *testing.T) {
	t.Parallel()
	for s := range seriesCount {
		for n := range 256 {
			want := float64(n) * s.Unit()
			if s == SuccessRate {
				want = 100 - want
			}
			if got := decodeValue(s, encodeValue(s, want)); math.Abs(got-want) > 1e-9 {
				t.Fatalf("%s %v came back as %v", s, want, got)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	before := code(0)
	for x := 1.0; x < 1e13; x *= 1 + r.Float64()/100 {
		c := encodeValue(P99, x)
		if got := decodeValue(P99, c); math.Abs(got-x) > x*0.004+P99.Unit()/2 {
			t.Fatalf("%v came back as %v", x, got)
		}
		if c < before || c > maxCode {
			t.Fatalf("code %d of %v follows %d", c, x, before)
		}
		before = c
	}
	for _, odd := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if c := encodeValue(Rate, odd); c != 0 {
			t.Errorf("%v has code %d, want unknown", odd, c)
		}
	}
	if got := decodeValue(CPU, encodeValue(CPU, -3)); got != 0 {
		t.Errorf("-3 came back as %v, want 0", got)
	}
	if c := encodeValue(P50, math.MaxFloat64); c != maxCode {
		t.Errorf("the largest number has code %d, want %d", c, maxCode)
	}
}

// someDay is a random day with gaps.
func someDay(seed uint64) *dayRows {
	r := rand.New(rand.NewPCG(seed, 7))
	d := &dayRows{}
	for i := range d {
		if (i/100)%3 == 1 || r.IntN(20) == 0 {
			continue
		}
		for s := range d[i] {
			d[i][s] = code(r.IntN(1 + 1<<r.IntN(12)))
		}
	}
	return d
}

func TestDaysComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	var enc encoder
	var dec decoder
	days := []*dayRows{{0: row{1}}, {1439: row{maxCode, 1, 0, maxCode}}}
	for seed := range uint64(30) {
		days = append(days, someDay(seed))
	}
	for i, d := range days {
		b := enc.encode(d)
		got, err := dec.decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if *got != *d {
			t.Errorf("day %d differs", i)
		}
	}
	if b := enc.encode(&dayRows{}); b != nil {
		t.Errorf("an empty day has %d bytes", len(b))
	}
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	t.Parallel()
	var enc encoder
	var dec decoder
	good := enc.encode(someDay(3))
	for i := range good {
		if i == 1 {
			continue // the number of columns: fewer of them is a chunk of an older program
		}
		bad := bytes.Clone(good)
		bad[i] ^= 0x41
		if _, err := dec.decode(bad); err == nil {
			t.Fatalf("byte %d of %d may be anything", i, len(good))
		}
	}
	for i := range good {
		if _, err := dec.decode(good[:i]); err == nil {
			t.Fatalf("%d of %d bytes are enough", i, len(good))
		}
	}
}

func FuzzDecodingDays(f *testing.F) {
	var enc encoder
	f.Add(enc.encode(someDay(1)))
	f.Add(enc.encode(&dayRows{7: row{3}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > chunkHeader {
			b = bytes.Clone(b) // a checksum that fits lets the fuzzer reach what is behind it
			sum := checksum(b[chunkHeader:])
			b[2], b[3], b[4], b[5] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		}
		var dec decoder
		d, err := dec.decode(b)
		if err != nil {
			return
		}
		again := *d
		var enc encoder
		if b := enc.encode(&again); b != nil {
			back, err := dec.decode(b)
			if err != nil || *back != again {
				t.Fatalf("a decoded day does not come back: %v", err)
			}
		}
	})
}

func FuzzDecodingMinutes(f *testing.F) {
	s := Sample{"api", Point{At: time.Unix(0, 0), Rate: 7, P50: 1.5, SuccessRate: 99.9}}
	f.Add(appendSample([]byte{formatVersion}, s))
	f.Add([]byte{formatVersion, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := eachSample(b, func(name, codes []byte) bool {
			n += len(name) + len(codes)
			for _, c := range readCodes(codes) {
				if c > maxCode {
					t.Fatalf("code %d", c)
				}
			}
			return true
		})
		if n > len(b) {
			t.Fatalf("%d bytes out of %d, %v", n, len(b), err)
		}
	})
}
