package spool

import (
	"bytes"
	"testing"
)

func FuzzScanning(f *testing.F) {
	whole := appendFrame(appendFrame([]byte(magic), []byte("one")), []byte("two"))
	f.Add(whole)
	f.Add(whole[:len(whole)-2])
	f.Add(append(whole, make([]byte, 20)...))
	f.Add([]byte(magic + "\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		records, valid, err := scan(content)
		if valid < 0 || valid > int64(len(content)) {
			t.Fatalf("%d valid bytes of %d", valid, len(content))
		}
		// The valid part stays valid, with as many records, and holds just their frames.
		again, size, err2 := scan(content[:valid])
		if again != records || size != valid || err2 != nil {
			t.Fatalf("scanning the valid part: %d records, %d bytes, %v; before %d, %d, %v", again, size, err2, records, valid, err)
		}
		if records > 0 {
			b := []byte(magic)
			for rest := content[len(magic):valid]; len(rest) > 0; {
				payload, after, err := nextFrame(rest)
				if err != nil {
					t.Fatal(err)
				}
				b, rest = appendFrame(b, payload), after
			}
			if !bytes.Equal(b, content[:valid]) {
				t.Fatal("frames written again differ")
			}
		}
	})
}
