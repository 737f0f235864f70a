package storetest

import (
	"testing"

	"github.com/google/uuid"

	"holdfast/internal/store"
)

func testHistory(t *testing.T, s store.Store) {
	var facts []store.Fact
	var ids []uuid.UUID
	for i := range 4 {
		m := store.Minutes{ID: store.NewID(), Node: "n1", Minute: int64(1000 + i), Part: i % 2, Data: []byte{0, 1, 0xff, byte(i)}}
		facts, ids = append(facts, m), append(ids, m.ID)
	}
	ok(t, s.AppendFacts(t.Context(), facts))
	same(t, "one part", must[[]store.Minutes](t)(s.FreshMinutes(t.Context(), 1, 1000, 1003, 0)), facts[1:2])
	same(t, "all parts, limited", must[[]store.Minutes](t)(s.FreshMinutes(t.Context(), -1, 0, 2000, 3)), facts[:3])

	chunk := store.Chunk{Node: "n1", Function: "api", Day: 7, Data: []byte("one")}
	ok(t, s.Fold(t.Context(), []store.Chunk{chunk}, ids[:2]))
	wantError(t, s.Fold(t.Context(), []store.Chunk{chunk}, ids[2:]), store.ErrConflict)
	same(t, "a refused fold removes nothing", must[[]store.Minutes](t)(s.FreshMinutes(t.Context(), -1, 0, 2000, 0)), facts[2:])

	got := must[[]store.Chunk](t)(s.Chunks(t.Context(), []string{"api", "web"}, 0, 10))
	if len(got) != 1 || got[0].Revision != 1 || string(got[0].Data) != "one" {
		t.Fatalf("chunks %+v", got)
	}
	next := got[0]
	next.Data = []byte("two")
	ok(t, s.Fold(t.Context(), []store.Chunk{next}, ids[2:]))
	wantError(t, s.Fold(t.Context(), []store.Chunk{next}, nil), store.ErrConflict)
	same(t, "functions", must[[]string](t)(s.HistoryFunctions(t.Context())), []string{"api"})

	if n := must[int64](t)(s.DropHistory(t.Context(), 7)); n != 0 {
		t.Errorf("removed %d chunks of the first day to keep", n)
	}
	if n := must[int64](t)(s.DropHistory(t.Context(), 8)); n != 1 {
		t.Errorf("removed %d chunks, want 1", n)
	}
}
