package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
	"holdfast/test/need"
)

const (
	lockedFile = "HOLDFAST_SQLITE_LOCK" // the file a child of this test binary locks
	childFile  = "HOLDFAST_SQLITE_FILE" // the file the writing child opens
)

func TestMain(m *testing.M) {
	if path := os.Getenv(lockedFile); path != "" {
		if err := lock(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	storetest.RunChild(func() (store.Store, error) { return sqlite.Open(sqlite.Config{Path: os.Getenv(childFile)}) })
	goleak.VerifyTestMain(m)
}

// lock holds the file until standard input ends.
func lock(path string) error {
	ctx := context.Background()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		return err
	}
	fmt.Println("locked")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	_ = err // the end of input is what was waited for
	return db.Close()
}

// lockable is a store whose file another process can lock.
func lockable(t *testing.T) storetest.Outage {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	h := storetest.Outage{Store: opened(t, sqlite.Config{Path: path}), Child: []string{childFile + "=" + path}}
	var unlock func()
	h.Break = func() { unlock = startLock(t, path) }
	h.Mend = func() { unlock() }
	return h
}

func startLock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), lockedFile+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	return func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestAFileLockedByAnotherProcessIsAnOutage(t *testing.T) {
	t.Parallel()
	outage := 4 * time.Second
	if need.Soak() {
		outage = time.Minute
	}
	storetest.RunOutage(t, lockable(t), outage)
}

func TestFactsSurviveKillsWhileTheFileIsLocked(t *testing.T) {
	t.Parallel()
	kills := 3
	if need.Soak() {
		kills = 30
	}
	storetest.RunKills(t, lockable(t), kills)
}

func TestAFullDiskIsAnOutage(t *testing.T) {
	t.Parallel()
	disk, err := storetest.SmallDisk(t, "6m")
	if err != nil {
		need.Missing(t, err.Error())
	}
	ballast := filepath.Join(disk, "ballast")
	s := opened(t, sqlite.Config{Path: filepath.Join(disk, "state.db")})
	storetest.RunOutage(t, storetest.Outage{
		Store: s, Spool: filepath.Join(disk, "spool"),
		Break: func() {
			storetest.Fill(t, ballast)
			// The write-ahead log has room from before, which the file system does not take back.
			storetest.Eventually(t, "the store has no room left", func() bool {
				return s.Audit(t.Context(), store.AuditEntry{Action: "filling"}) != nil
			})
		},
		Mend: func() {
			if err := os.Remove(ballast); err != nil {
				t.Error(err)
			}
		},
	}, 2*time.Second)
}
