package process

import (
	"os/exec"
	"runtime"
)

// spawner starts processes from one OS thread that lives until it is told to
// end. The kernel's "kill the child when its parent dies" means the thread
// which started it; with the starts on any of Go's threads, children would be
// killed at random, when Go ends an idle thread.
type spawner struct{ jobs chan spawnJob }

type spawnJob struct {
	cmd  *exec.Cmd
	done chan error
}

// run starts the thread; stop waits for its end, after which start must not be
// called.
func (s *spawner) run() (stop func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for job := range s.jobs {
			job.done <- job.cmd.Start()
		}
	}()
	return func() {
		close(s.jobs)
		<-ended
	}
}

func (s *spawner) start(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	s.jobs <- spawnJob{cmd: cmd, done: done}
	return <-done
}
