package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errhttp"
	"github.com/moby/moby/client"

	"holdfast/internal/platform"
)

// errStale: the service has changed since it was read.
var errStale = errors.New("the service has another version by now")

// refusal is an answer of the engine that is not 200.
type refusal struct {
	message string
	kind    error // of errdefs
}

func (r *refusal) Error() string { return r.message }
func (r *refusal) Unwrap() error { return r.kind }

func refused(status int, body []byte) error {
	var said struct{ Message string }
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		said.Message = http.StatusText(status) + " " + strings.TrimSpace(string(body))
	}
	return &refusal{message: said.Message, kind: errhttp.ToNative(status)}
}

// explain makes a sentence with the way out of what went wrong with the engine.
func (e *engine) explain(err error) error {
	said := err.Error()
	said = strings.TrimPrefix(said, "Error response from daemon: ")
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the Docker Engine at %s does not answer within %s: %w", e.host, askLimit, err)
	case strings.Contains(said, "out of sequence"): // swarm has no code for it
		return errStale
	case errors.Is(err, os.ErrPermission), client.IsErrConnectionFailed(err) && strings.Contains(said, "permission denied"):
		return fmt.Errorf("no permission to use %s: run Holdfast as a user of the group of the socket (mostly docker), or set host to an engine it may use", e.host)
	case client.IsErrConnectionFailed(err), isNetwork(err):
		return fmt.Errorf("the Docker Engine at %s does not answer, is it running there? %w", e.host, err)
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%w as %s in the swarm of %s: `docker service ls` shows those there are", platform.ErrGone, e.service, e.host)
	case strings.Contains(said, "not a swarm manager"):
		return fmt.Errorf("the Docker Engine at %s is no manager of a swarm: set host to one that is, or make it one with `docker swarm init`", e.host)
	case errdefs.IsUnavailable(err):
		return fmt.Errorf("the swarm of %s cannot be asked or changed now: %s", e.host, said)
	case errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err):
		return fmt.Errorf("%s refuses it: a proxy before the engine has to allow services (and to POST there), tasks, nodes, containers and events: %s", e.host, said)
	}
	return fmt.Errorf("the Docker Engine at %s: %s", e.host, said)
}

func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}
