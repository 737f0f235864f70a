//go:build !linux

package sysfault

import (
	"context"
	"syscall"
)

const needsLinux = "it needs Linux"

func (f Freeze) plan(string) (undo, error)   { return undo{}, unsupported(f, needsLinux) }
func (f Kill) plan(string) (undo, error)     { return undo{}, unsupported(f, needsLinux) }
func (f CPU) plan(string) (undo, error)      { return undo{}, unsupported(f, needsLinux) }
func (f Memory) plan(string) (undo, error)   { return undo{}, unsupported(f, needsLinux) }
func (f Network) plan(string) (undo, error)  { return undo{}, unsupported(f, needsLinux) }
func (f Redirect) plan(string) (undo, error) { return undo{}, unsupported(f, needsLinux) }
func (f Disk) plan(string) (undo, error)     { return undo{}, unsupported(f, needsLinux) }
func (f Fill) plan(string) (undo, error)     { return undo{}, unsupported(f, needsLinux) }

func (f Freeze) inject(context.Context, undo) error   { return unsupported(f, needsLinux) }
func (f Kill) inject(context.Context, undo) error     { return unsupported(f, needsLinux) }
func (f CPU) inject(context.Context, undo) error      { return unsupported(f, needsLinux) }
func (f Memory) inject(context.Context, undo) error   { return unsupported(f, needsLinux) }
func (f Network) inject(context.Context, undo) error  { return unsupported(f, needsLinux) }
func (f Redirect) inject(context.Context, undo) error { return unsupported(f, needsLinux) }
func (f Disk) inject(context.Context, undo) error     { return unsupported(f, needsLinux) }
func (f Fill) inject(context.Context, undo) error     { return unsupported(f, needsLinux) }

func (u undo) revert() error { return nil }

func (u undo) remains() (bool, error) { return false, nil }

// Started says nothing: processes cannot be told apart here.
func Started(int) (uint64, bool) { return 0, false }

// Bypass does nothing: there is no redirection here.
func Bypass(string, string, syscall.RawConn) error { return nil }
