package sysfault_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"holdfast/fault/sysfault"
)

// A drill freezes an instance for ten seconds. The guard is this very program under a hidden command, whose body is
// sysfault.Guard(os.Stdin).
func ExampleRun() {
	instance := 4711
	config := sysfault.Config{Dir: "/var/lib/holdfast/drill", Guard: []string{os.Args[0], "fault-guard"}}
	err := sysfault.Run(context.Background(), config, func(ctx context.Context, d *sysfault.Driver) error {
		thaw, err := d.Inject(ctx, sysfault.Freeze{Target: sysfault.Target{PID: instance}}, time.Minute)
		if errors.Is(err, sysfault.ErrUnsupported) {
			fmt.Println("SKIPPED:", err)
			return nil
		}
		if err != nil {
			return err
		}
		select { // measure what the fault does
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
		}
		return thaw()
	})
	if err != nil {
		fmt.Println(err)
	}
}

func ExampleNetwork() {
	fmt.Println(sysfault.Network{Port: 5432, Percent: 30})
	fmt.Println(sysfault.Network{Port: 5432, Refuse: true, Namespace: "/run/netns/b"})
	fmt.Println(sysfault.Network{Port: 99999}.Check())
	// Output:
	// drop of 30% of packets: port 5432
	// refusal of packets: port 5432 in /run/netns/b
	// check drop of packets: port 99999: the port must lie between 1 and 65535
}
