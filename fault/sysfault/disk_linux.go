package sysfault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	tmpfsMagic  = 0x01021994
	detach      = 2 // MNT_DETACH
	ballastPart = 64 << 10
)

func (f Disk) plan(id string) (undo, error) {
	if err := isDir(f, f.Dir); err != nil {
		return undo{}, err
	}
	b, err := os.ReadFile("/proc/filesystems")
	if err != nil || !strings.Contains(string(b), "\ttmpfs\n") {
		return undo{}, unsupported(f, "the kernel has no tmpfs")
	}
	if os.Geteuid() != 0 {
		return undo{}, unsupported(f, "only root may mount")
	}
	return undo{Kind: undoMount, Dir: f.Dir, Source: id}, nil
}

func isDir(f Fault, dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("inject %s: %w", f, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("inject %s: %s is not a directory", f, dir)
	}
	return nil
}

func (f Disk) inject(ctx context.Context, u undo) error {
	info, err := os.Stat(f.Dir)
	if err != nil {
		return fmt.Errorf("inject %s: %w", f, err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("inject %s: the owner of the directory is unknown", f)
	}
	options := fmt.Sprintf("size=%d,mode=%#o,uid=%d,gid=%d", f.Bytes, info.Mode().Perm(), owner.Uid, owner.Gid)
	err = syscall.Mount(u.Source, f.Dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, options)
	if errors.Is(err, syscall.EPERM) {
		return unsupported(f, "this program may not mount")
	}
	if err != nil {
		return fmt.Errorf("inject %s: %w", f, err)
	}
	if f.Full {
		return fill(ctx, f, filepath.Join(f.Dir, u.Source))
	}
	return nil
}

func (f Fill) plan(id string) (undo, error) {
	if err := isDir(f, f.Dir); err != nil {
		return undo{}, err
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(f.Dir, &s); err != nil {
		return undo{}, fmt.Errorf("inject %s: %w", f, err)
	}
	if s.Type != tmpfsMagic || s.Blocks*uint64(s.Bsize) > maxDisk {
		return undo{}, unsupported(f, "it is not on a tmpfs of at most 1GiB, as Disk makes them")
	}
	return undo{Kind: undoFile, File: filepath.Join(f.Dir, id)}, nil
}

func (f Fill) inject(ctx context.Context, u undo) error { return fill(ctx, f, u.File) }

// fill writes until there is no room.
func fill(ctx context.Context, f Fault, path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, syscall.ENOSPC) {
		return nil // full already
	}
	if err != nil {
		return fmt.Errorf("inject %s: %w", f, err)
	}
	for part := make([]byte, ballastPart); err == nil; {
		if err = ctx.Err(); err == nil {
			_, err = file.Write(part)
		}
	}
	if closed := file.Close(); errors.Is(err, syscall.ENOSPC) {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("inject %s: %w", f, err)
	}
	return nil
}

// unmount removes the file system that carries the fault's name.
func (u undo) unmount() error {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("look for mount: %w", err)
	}
	switch top, there := topMount(string(b), u.Dir, u.Source); {
	case !there:
		return nil
	case top != u.Source:
		return fmt.Errorf("unmount %s: %s was mounted over it since, and has to go first", u.Dir, top)
	}
	err = syscall.Unmount(u.Dir, 0)
	if errors.Is(err, syscall.EBUSY) { // somebody has files open in it, and keeps them
		err = syscall.Unmount(u.Dir, detach)
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", u.Dir, err)
	}
	return nil
}

// topMount returns the source of what is mounted last on dir, and whether source is mounted there at all.
func topMount(mountinfo, dir, source string) (top string, there bool) {
	escaped := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(dir)
	for line := range strings.Lines(mountinfo) {
		front, back, _ := strings.Cut(strings.TrimSpace(line), " - ")
		left, right := strings.Fields(front), strings.Fields(back)
		if len(left) < 5 || len(right) < 2 || left[4] != escaped {
			continue
		}
		top = right[1]
		there = there || top == source
	}
	return top, there
}
