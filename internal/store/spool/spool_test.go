package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"holdfast/internal/store/spool"
	"holdfast/internal/store/storetest"
	"holdfast/test/need"
)

func open(t *testing.T, c spool.Config) *spool.Spool {
	t.Helper()
	if c.Lanes == nil {
		c.Lanes = []string{"low", "high"}
	}
	s, err := spool.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func records(prefix string, from, to int) [][]byte {
	var all [][]byte
	for i := from; i < to; i++ {
		all = append(all, fmt.Appendf(nil, "%s %06d %s", prefix, i, bytes.Repeat([]byte("x"), i%50)))
	}
	return all
}

// drain delivers everything of a lane.
func drain(t *testing.T, s *spool.Spool, lane int) (all [][]byte) {
	t.Helper()
	for {
		b, err := s.Next(lane, 17, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Records) == 0 {
			return all
		}
		for _, r := range b.Records {
			all = append(all, bytes.Clone(r))
		}
		s.Done(b)
	}
}

func equal(t *testing.T, got, want [][]byte) {
	t.Helper()
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("got %d records, want %d", len(got), len(want))
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRecordsComeInOrderAndLeaveNoSpaceBehind(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Config{Dir: t.TempDir(), SegmentBytes: 2000})
	want := records("a", 0, 1000)
	for part := range slices.Chunk(want, 33) {
		ok(t, s.Append(0, part))
	}
	ok(t, s.Append(1, records("b", 0, 3)))
	equal(t, drain(t, s, 0), want)
	equal(t, drain(t, s, 1), records("b", 0, 3))
	if st := s.Stats(); st.Bytes > 16 || st.Records[0] != 0 || st.Dropped[0] != 0 {
		t.Errorf("an empty spool says %+v", st)
	}
	ok(t, s.Append(0, records("c", 0, 5)))
	equal(t, drain(t, s, 0), records("c", 0, 5))
}

func TestRecordsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, spool.Config{Dir: dir, SegmentBytes: 3000})
	want := records("a", 0, 300)
	ok(t, s.Append(0, want[:200]))
	b, err := s.Next(0, 10, 1<<20)
	ok(t, err)
	s.Done(b)
	ok(t, s.Close())

	s = open(t, spool.Config{Dir: dir})
	ok(t, s.Append(0, want[200:]))
	ok(t, s.Sync())
	// What was delivered of a segment that is not empty comes again.
	equal(t, drain(t, s, 0), want)
}

func TestATornEndIsSkipped(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func([]byte) []byte{
		"in the last record":  func(b []byte) []byte { return b[:len(b)-5] },
		"in the last header":  func(b []byte) []byte { return append(b, 9, 0, 0) },
		"zeros at the end":    func(b []byte) []byte { return append(b, make([]byte, 4096)...) },
		"header without body": func(b []byte) []byte { return append(b, 200, 0, 0, 0, 1, 2, 3, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, spool.Config{Dir: dir})
			ok(t, s.Append(0, records("a", 0, 10)))
			ok(t, s.Close())
			rewrite(t, dir, cut)
			s = open(t, spool.Config{Dir: dir})
			want := records("a", 0, 10)
			if name == "in the last record" {
				want = want[:9]
			}
			ok(t, s.Append(0, records("b", 0, 5)))
			equal(t, drain(t, s, 0), append(want, records("b", 0, 5)...))
			if st := s.Stats(); st.Damaged != 0 {
				t.Errorf("a torn end counts as %d damaged bytes", st.Damaged)
			}
		})
	}
}

func rewrite(t *testing.T, dir string, change func([]byte) []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	ok(t, err)
	if len(files) != 1 {
		t.Fatalf("%d segments, want 1", len(files))
	}
	b, err := os.ReadFile(files[0])
	ok(t, err)
	ok(t, os.WriteFile(files[0], change(b), 0o600))
}

func TestDamageCostsTheRestOfItsSegmentAndIsCounted(t *testing.T) {
	t.Parallel()
	for name, alive := range map[string]bool{"found when opened": false, "found when read": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, spool.Config{Dir: dir})
			ok(t, s.Append(0, records("a", 0, 100)))
			if !alive {
				ok(t, s.Close())
			}
			rewrite(t, dir, func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b })
			if !alive {
				s = open(t, spool.Config{Dir: dir})
			}
			ok(t, s.Append(0, nil))
			got := drain(t, s, 0)
			if len(got) == 0 || len(got) >= 100 {
				t.Fatalf("%d records were read", len(got))
			}
			equal(t, got, records("a", 0, len(got)))
			if st := s.Stats(); st.Damaged == 0 || st.Bytes > 16 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestTheFirstLaneIsDroppedFirst(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Config{Dir: t.TempDir(), MaxBytes: 64 << 10})
	big := func(lane, n int) {
		for i := range n {
			ok(t, s.Append(lane, [][]byte{fmt.Appendf(nil, "%d%s", i%10, make([]byte, 1000))}))
		}
	}
	big(0, 40)
	big(1, 40)
	st := s.Stats()
	if st.Dropped[0] == 0 || st.Dropped[1] != 0 || st.Records[1] != 40 || st.Bytes > 64<<10 {
		t.Fatalf("after filling %+v, want the low lane to give way", st)
	}
	big(1, 100)
	st = s.Stats()
	if st.Records[0] != 0 || st.Dropped[0] != 40 || st.Dropped[1] == 0 {
		t.Fatalf("with the high lane alone %+v, want its oldest dropped once the low lane is empty", st)
	}
	big(0, 5)
	if after := s.Stats(); after.Records[1] != st.Records[1] || after.Bytes > 64<<10 {
		t.Errorf("low records pushed high ones out: %+v", after)
	}
	if got := drain(t, s, 1); len(got) != st.Records[1] || got[len(got)-1][0] != '9' {
		t.Errorf("%d records of the high lane, want the newest %d", len(got), st.Records[1])
	}
}

func TestOnlyOneProcessAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, spool.Config{Dir: dir})
	if _, err := spool.Open(spool.Config{Dir: dir, Lanes: []string{"low"}}); !errors.Is(err, spool.ErrLocked) {
		t.Errorf("error %v, want ErrLocked", err)
	}
}

func TestASpoolThatIsNotNeededLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, spool.Config{Dir: dir})
	if err := s.Append(1, [][]byte{[]byte("record")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	again := open(t, spool.Config{Dir: dir})
	if got := drain(t, again, 1); len(got) != 1 || string(got[0]) != "record" {
		t.Fatalf("a spool with a record was removed: %q", got)
	}
	if err := again.Remove(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestARemovedDirectoryIsNobodys(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	var owners, taken atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				s, err := spool.Open(spool.Config{Dir: dir, Lanes: []string{"low"}, MaxBytes: 4096})
				if errors.Is(err, spool.ErrLocked) {
					continue
				}
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				taken.Add(1)
				if n := owners.Add(1); n != 1 {
					t.Errorf("%d have the directory", n)
				}
				if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
					t.Errorf("the directory of an open spool: %v", err)
				}
				owners.Add(-1)
				if err := s.Remove(); err != nil {
					t.Errorf("remove: %v", err)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() < 20 {
		t.Errorf("the directory was taken %d times only", taken.Load())
	}
}

func TestASegmentThatWasRemovedIsGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, spool.Config{Dir: dir})
	ok(t, s.Append(0, records("a", 0, 10)))
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	ok(t, err)
	ok(t, os.Remove(files[0]))
	equal(t, drain(t, s, 0), nil)
	ok(t, s.Append(0, records("b", 0, 5)))
	equal(t, drain(t, s, 0), records("b", 0, 5))
	if st := s.Stats(); st.Dropped[0] != 10 {
		t.Errorf("stats %+v, want 10 dropped", st)
	}
}

func TestAFullDiskKeepsRecordsInMemoryWithinBounds(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "256k")
	s := open(t, spool.Config{Dir: filepath.Join(dir, "spool"), MemoryBytes: 100_000, ReserveBytes: 4096})
	ballast := filepath.Join(dir, "ballast")
	storetest.Fill(t, ballast)
	record := bytes.Repeat([]byte("r"), 1000)
	var refused int
	for range 300 {
		if s.Append(0, [][]byte{record}) != nil {
			refused++
		}
	}
	high := records("high", 0, 20)
	if err := s.Append(1, high); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error %v, want that the disk is full", err)
	}
	st := s.Stats()
	if refused == 0 || st.Memory == 0 || st.Dropped[0] == 0 || st.Dropped[1] != 0 || st.Records[1] != 20 {
		t.Fatalf("%d refused, stats %+v", refused, st)
	}
	if err := s.Sync(); err == nil {
		t.Error("Sync promised what is only in memory")
	}
	ok(t, os.Remove(ballast))
	ok(t, s.Flush())
	ok(t, s.Reserve())
	ok(t, s.Sync())
	if st = s.Stats(); st.Memory != 0 || st.Refused != nil {
		t.Errorf("after making space %+v", st)
	}
	equal(t, drain(t, s, 1), high)
	if got := drain(t, s, 0); len(got) != st.Records[0] {
		t.Errorf("%d records, want %d", len(got), st.Records[0])
	}
}

func TestWhatHasAReserveOutlivesTheProcessAlsoOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "256k")
	c := spool.Config{Dir: filepath.Join(dir, "spool"), ReserveBytes: 32 << 10}
	s := open(t, c)
	low, high := records("low", 0, 500), records("high", 0, 500)
	ok(t, s.Append(0, low[:100]))
	ballast := filepath.Join(dir, "ballast")
	storetest.Fill(t, ballast)
	for i := 100; i < 500; i++ {
		ok(t, s.Append(0, low[i:i+1]))
	}
	for i := range high {
		ok(t, s.Append(1, high[i:i+1]))
	}
	ok(t, s.Sync())
	if st := s.Stats(); st.Memory != 0 || !errors.Is(st.Refused, syscall.ENOSPC) {
		t.Errorf("stats %+v, want nothing in memory only, and that the disk is full", st)
	}
	ok(t, s.Close())

	again := open(t, c)
	if st := again.Stats(); st.Damaged != 0 || st.Refused == nil {
		t.Errorf("stats of the next process %+v, want no damage, and that there is no reserve", st)
	}
	equal(t, drain(t, again, 0), low)
	equal(t, drain(t, again, 1), high)
	ok(t, os.Remove(ballast))
	ok(t, again.Reserve())
	if st := again.Stats(); st.Refused != nil {
		t.Errorf("stats with room %+v", st)
	}
}

func TestRecordsInMemoryCanBeDelivered(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "64k")
	s := open(t, spool.Config{Dir: filepath.Join(dir, "spool"), ReserveBytes: 1})
	ok(t, s.Append(0, records("a", 0, 10)))
	storetest.Fill(t, filepath.Join(dir, "ballast"))
	for i := 10; i < 200; i++ { // the segment's last page has a little space left
		_ = s.Append(0, records("a", i, i+1))
	}
	if st := s.Stats(); st.Memory == 0 {
		t.Fatalf("stats %+v, want records in memory", st)
	}
	equal(t, drain(t, s, 0), records("a", 0, 200))
}

// smallDisk mounts a file system of that size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir, err := storetest.SmallDisk(t, size)
	if err != nil {
		need.Missing(t, err.Error())
	}
	return dir
}
