package process

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// lineFile appends lines to a file of bounded size. Its name may be the same for
// all instances: then they share one, and each line says whose it is. Trouble
// with the file (a full disk) is logged once and never reaches the child.
type lineFile struct {
	path   string
	limit  int64
	shared bool
	log    *slog.Logger

	mu     sync.Mutex // guards what follows, and keeps lines whole
	file   *os.File
	failed bool
}

// newLineFile gives nil, on which all methods do nothing, when no file is
// wanted.
func newLineFile(id string, spec Output, log *slog.Logger) *lineFile {
	if spec.File == "" {
		return nil
	}
	path := strings.ReplaceAll(spec.File, "{id}", id)
	return &lineFile{path: path, limit: spec.FileLimit, shared: path == spec.File, log: log.With("file", path)}
}

func (f *lineFile) write(id, line string) {
	if f == nil {
		return
	}
	entry := time.Now().UTC().Format("2006-01-02T15:04:05.000Z ")
	if f.shared {
		entry += id + " "
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.append(entry + line + "\n")
	if err != nil && !f.failed {
		f.log.Warn("output file not written", "instance", id, "error", err)
	}
	f.failed = err != nil
}

func (f *lineFile) append(entry string) error {
	if err := f.makeRoom(int64(len(entry))); err != nil {
		return err
	}
	if _, err := f.file.WriteString(entry); err != nil {
		f.closeFile() // opened anew with the next line: the disk may be replaced
		return fmt.Errorf("write output file: %w", err)
	}
	return nil
}

// makeRoom opens the file if it is not, or not the one any more that the path
// names (logrotate moved it), and begins it anew when n bytes would not fit.
// Only a file is moved away: the path may be a device, such as /dev/null.
func (f *lineFile) makeRoom(n int64) error {
	info, err := f.open()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.Size()+n <= f.limit {
		return err
	}
	f.closeFile()
	path, err := filepath.EvalSymlinks(f.path) // a link stays where it is
	if err == nil {
		err = os.Rename(path, path+".1")
	}
	if err != nil {
		return fmt.Errorf("rotate output file: %w", err)
	}
	_, err = f.open()
	return err
}

func (f *lineFile) open() (os.FileInfo, error) {
	if f.file != nil {
		info, err := f.file.Stat()
		named, missing := os.Stat(f.path)
		if err == nil && missing == nil && os.SameFile(info, named) {
			return info, nil
		}
		f.closeFile()
	}
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open output file: %w", err)
	}
	f.file = file
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("open output file: %w", err)
	}
	return info, nil
}

// close gives the file up for now; a further line opens it again.
func (f *lineFile) close() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closeFile()
}

func (f *lineFile) closeFile() {
	if f.file != nil {
		_ = f.file.Close() // each line was written through; there is nothing to flush
		f.file = nil
	}
}
