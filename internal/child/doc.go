// Package child starts processes and makes sure that they end: the mechanism
// below the platform driver for processes (functions' instances, any program)
// and package supervise (Holdfast's own work in processes of their own). It
// knows nothing of ports, health or restarts; it says only how long to wait
// before one ([Failures]).
//
// # One child
//
// [Start] makes the child the leader of a process group, in which everything it
// starts lives too, so that all of it can be signalled. [Process.Stop] sends
// SIGTERM and SIGCONT (a frozen child acts on nothing else), then SIGKILL. A
// child that ends by itself takes its group along. Exited is closed once the
// child is reaped, the group is empty and its output is read. What stays in spite
// of SIGKILL, being stuck in the kernel, is given up: the child itself after
// leaderGrace, others of its group after killGrace.
//
// # When Holdfast dies
//
// On Linux the kernel kills each child when Holdfast ends, however it ends
// (PR_SET_PDEATHSIG). The kernel's rule is about the thread which started the
// child, not the process, and Go ends threads when it likes; so one locked
// thread, the [Spawner], starts all of them. The rule reaches children only, not
// what they started: for that there is the [Guard], a second process that kills
// the groups when Holdfast's end of a pipe closes; one that ends before is
// replaced by another. A descendant that leaves its
// process group on purpose (a daemon) is beyond reach; where Holdfast is the first
// process of a container, [ReapOrphans] takes it in once it has ended.
package child
