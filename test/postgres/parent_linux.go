package postgres

import "syscall"

// dieWithParent makes the server shut down when this process is gone.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
