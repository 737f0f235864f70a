package store

import (
	"reflect"
	"testing"
)

// FuzzDecodingFacts feeds what a damaged or foreign spool may hold.
func FuzzDecodingFacts(f *testing.F) {
	b, err := encodeFact(Minutes{ID: NewID(), Node: "n1", Minute: 7, Part: 1, Data: []byte{1, 2}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(KindMinutes), b)
	f.Add(uint8(KindAction), []byte(`{"id":"018f0000-0000-7000-8000-000000000001","function_name":"a","action":"failover","created_at":"2026-01-02T03:04:05Z"}`))
	f.Add(uint8(KindEvent), []byte(`{"kind":"x"}`))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		k := Kind(kind % uint8(Kinds))
		fact, err := decodeFact(k, b)
		if err != nil || fact.Validate() != nil {
			return
		}
		again, err := encodeFact(fact)
		if err != nil {
			return // too large
		}
		back, err := decodeFact(k, again)
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if m, ok := fact.(Minutes); ok && !reflect.DeepEqual(m, back) {
			t.Fatalf("got %+v, want %+v", back, m)
		}
		if back.FactID() != fact.FactID() {
			t.Fatal("the id changed")
		}
	})
}

func TestEscapedNULsAreRemovedAndEscapedBackslashesAreNot(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a":"x\u0000y"}`:   `{"a":"xy"}`,
		`{"a":"x\\u0000y"}`:  `{"a":"x\\u0000y"}`,
		`{"a":"x\\\u0000y"}`: `{"a":"x\\y"}`,
		``:                   `{}`,
	} {
		if got := Document([]byte(in)); got != want {
			t.Errorf("Document(%s) = %s, want %s", in, got, want)
		}
	}
}
