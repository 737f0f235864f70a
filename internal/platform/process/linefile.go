package process

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"
)

// lineFile appends lines to a file of bounded size. Trouble with the file (a
// full disk) is logged once and never reaches the child.
type lineFile struct {
	path   string
	limit  int64
	log    *slog.Logger
	file   *os.File
	size   int64
	failed bool
}

// newLineFile gives nil, on which all methods do nothing, when no file is
// wanted.
func newLineFile(id string, spec Output, log *slog.Logger) *lineFile {
	if spec.File == "" {
		return nil
	}
	path := strings.ReplaceAll(spec.File, "{id}", id)
	return &lineFile{path: path, limit: spec.FileLimit, log: log.With("instance", id)}
}

func (f *lineFile) write(line string) {
	if f == nil {
		return
	}
	entry := time.Now().UTC().Format("2006-01-02T15:04:05.000Z ") + line + "\n"
	if err := f.append(entry); err != nil {
		if !f.failed {
			f.log.Warn("output file not written", "error", err)
		}
		f.failed = true
		return
	}
	f.failed = false
}

func (f *lineFile) append(entry string) error {
	if f.file != nil && f.size > 0 && f.size+int64(len(entry)) > f.limit {
		f.close()
		if err := os.Rename(f.path, f.path+".1"); err != nil {
			return fmt.Errorf("rotate output file: %w", err)
		}
	}
	if err := f.open(); err != nil {
		return err
	}
	n, err := f.file.WriteString(entry)
	f.size += int64(n)
	if err != nil {
		f.close() // opened anew with the next line: the disk may be replaced
		return fmt.Errorf("write output file: %w", err)
	}
	return nil
}

func (f *lineFile) open() error {
	if f.file != nil {
		return nil
	}
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open output file: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // nothing was written
		return fmt.Errorf("open output file: %w", err)
	}
	f.file, f.size = file, info.Size()
	return nil
}

func (f *lineFile) close() {
	if f != nil && f.file != nil {
		_ = f.file.Close() // each line was written through; there is nothing to flush
		f.file = nil
	}
}
