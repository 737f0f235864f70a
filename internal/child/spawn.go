package child

import (
	"os/exec"
	"runtime"
)

// Spawner starts processes from one OS thread that lives until it is told to
// end. The kernel's "kill the child when its parent dies" means the thread
// which started it; with the starts on any of Go's threads, children would be
// killed at random, when Go ends an idle thread.
type Spawner struct{ jobs chan spawnJob }

type spawnJob struct {
	cmd  *exec.Cmd
	done chan error
}

// NewSpawner makes a spawner, which starts nothing before Run.
func NewSpawner() *Spawner { return &Spawner{jobs: make(chan spawnJob)} }

// Run starts the thread; stop waits for its end, after which Start must not be
// called.
func (s *Spawner) Run() (stop func()) {
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

func (s *Spawner) start(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	s.jobs <- spawnJob{cmd: cmd, done: done}
	return <-done
}
