// Package process runs the instances of a function as supervised child
// processes of Holdfast: the platform for a plain machine, a container or a
// developer's desk.
//
// # Who decides
//
// A [Driver] owns the children of one function. Run owns the driver: children
// exist only while it runs, and it returns when the last one is gone. Each
// instance has one goroutine which alone starts, watches, restarts and stops
// its child; Scale and Restart only tell it what to do.
//
// # Life of an instance
//
// An instance keeps its id for good and its port while nobody else takes it.
// A child is ready when its port accepts a connection; one that does not
// within ReadyTimeout is stopped and counts as failed. Any end that nobody
// asked for, exit code 0 too, is a failure: the rest of its process group is
// killed (it may hold the port) and the child starts again after a wait that
// doubles from Backoff.Base to Backoff.Max. CrashLoop.Failures failures within
// CrashLoop.Within make it a crash loop: restarts go on, but at the longest
// wait. An instance that ran for Backoff.ResetAfter is forgiven everything.
//
// # Stopping
//
// SIGTERM goes to the whole process group, and SIGCONT, so that a frozen child
// can act on it. What is left of the group after StopTimeout gets SIGKILL.
// Scale and Restart let the instance drain first (Config.Drain); the end of
// Run's context does not, the caller has drained by then.
//
// # When Holdfast dies
//
// On Linux the kernel kills each child when Holdfast ends, however it ends
// (PR_SET_PDEATHSIG). The kernel's rule is about the thread which started the
// child, not the process, and Go ends threads when it likes; so one locked
// thread that lives as long as the driver starts all of them. The rule reaches
// children only, not what they started: a child that is a wrapper (npm, sh)
// needs Config.Guard, a second process that kills the groups when Holdfast's
// end of a pipe closes. A descendant that leaves its process group on purpose
// (a daemon) is beyond reach.
package process
