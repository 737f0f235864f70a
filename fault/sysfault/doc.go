// Package sysfault takes from a machine what programs rely on: processes, CPU time, memory, network, disk. It gives back
// everything, also when the program that took it is killed.
//
//	Kill     a process or a group of them ends by a signal
//	Freeze   they stop (SIGSTOP): connections are still accepted by the kernel, and nobody answers
//	CPU      they get a share of one CPU (cgroup)
//	Memory   what they allocate from now on is limited; beyond it the kernel kills (cgroup)
//	Network  packets of a TCP port are dropped or refused (nftables), also in another network namespace
//	Redirect connections to a port of this machine go through a proxy first (nftables), one of package fault
//	Disk     a directory becomes a small, perhaps full, file system (tmpfs)
//	Fill     a small file system that is there already becomes full
//
// # Giving back
//
// [Run] is the lifetime of a [Driver]; no fault outlives it. Before a fault is injected, what takes it back is in a
// journal on disk:
//
//	Inject ──► journal (fsync) ──► injection ──► revert ──► journal: done
//	               ▲
//	               │ reads
//	driver ──pipe─► guard, a process of its own
//
// The guard sees the pipe end when the driver dies, however it dies, takes the journal's lock, which the dead have lost,
// and takes back what the journal names. It also takes back what is overdue, should the driver live but hang: each
// injection says how long it may last at most. If both die, or the machine does, the next Run with the same directory
// takes back what is left before it does anything else. When the guard alone dies, the context of the body ends and all
// is taken back, since from then on nobody would.
//
// Taking back is the same for all three and can be repeated. It touches only what carries the fault's own name (a table, a
// group, a mount), and processes only if they are still the ones that were meant.
//
// # What a machine cannot do
//
// Everything here needs Linux, nearly everything root. What is missing is found out before anything is changed, and told
// by an error that is [ErrUnsupported] and names the reason: a drill reports it as skipped, never as passed.
package sysfault
