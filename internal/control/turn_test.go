package control

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/store"
)

func TestAnOrderWaitsForTheOneBeforeItButNotForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := make(turn, 1)
		done, err := line.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := line.take(t.Context()); !errors.Is(err, store.ErrUnavailable) || time.Since(began) != turnWait {
			t.Errorf("error %v after %v, want that the store is unavailable after %v", err, time.Since(began), turnWait)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := line.take(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v of somebody who left", err)
		}
		time.AfterFunc(time.Second, done)
		next, err := line.take(t.Context())
		if err != nil || time.Since(began) != turnWait+time.Second {
			t.Errorf("error %v after %v, want the turn when it is given back", err, time.Since(began))
		}
		next()
	})
}
