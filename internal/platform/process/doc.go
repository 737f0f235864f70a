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
// # Spares
//
// Spec.WarmSpares more children are started, watched and restarted like all
// others, but marked as spares: whoever sends traffic leaves them alone. An Order
// for more instances makes instances of them, which takes no time, and others are
// started in their place. One that fails its starts is passed over.
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
// Children die with it, however it ends; package child says how. What a child
// started itself is reached only with Config.Guard: a child that is a wrapper
// (npm, sh) needs it.
package process
