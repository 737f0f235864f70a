package cluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// NoImage is an image that cannot be pulled.
const NoImage = "no-such-image"

type podSpec struct {
	ServiceAccountName string      `json:"serviceAccountName"`
	Containers         []container `json:"containers"`
	Volumes            []volume    `json:"volumes"`
	SecurityContext    struct {
		RunAsUser  int `json:"runAsUser"`
		RunAsGroup int `json:"runAsGroup"`
	} `json:"securityContext"`
}

type container struct {
	Name    string   `json:"name"`
	Image   string   `json:"image"`
	Command []string `json:"command"`
	Args    []string `json:"args"`
	Env     []struct {
		Name      string `json:"name"`
		Value     string `json:"value"`
		ValueFrom *struct {
			FieldRef *struct {
				FieldPath string `json:"fieldPath"`
			} `json:"fieldRef"`
			SecretKeyRef *struct {
				Name string `json:"name"`
				Key  string `json:"key"`
			} `json:"secretKeyRef"`
		} `json:"valueFrom"`
	} `json:"env"`
	Ports []struct {
		Name          string `json:"name"`
		ContainerPort int    `json:"containerPort"`
	} `json:"ports"`
	ReadinessProbe *struct {
		HTTPGet *struct {
			Path   string `json:"path"`
			Port   any    `json:"port"`
			Scheme string `json:"scheme"`
		} `json:"httpGet"`
	} `json:"readinessProbe"`
	Lifecycle struct {
		PreStop struct {
			Sleep struct {
				Seconds int `json:"seconds"`
			} `json:"sleep"`
		} `json:"preStop"`
	} `json:"lifecycle"`
	VolumeMounts []struct {
		Name      string `json:"name"`
		MountPath string `json:"mountPath"`
	} `json:"volumeMounts"`
}

// pod is one pod that runs here. Only its first container does.
type pod struct {
	agent           *agent
	name, namespace string
	uid             types.UID
	labels          map[string]string
	spec            podSpec
	ip              string
	started         time.Time
	cancel          func()

	deleted chan struct{} // closed when it is to go
	going   atomic.Bool
	grace   atomic.Int64 // nanoseconds
	pid     atomic.Int64 // 0: no process

	restarts  int
	ready     bool
	since     time.Time // of ready
	lastState map[string]any
}

// delete tells the pod to go within its grace period.
func (p *pod) delete(o *unstructured.Unstructured) {
	if grace := o.GetDeletionGracePeriodSeconds(); grace != nil {
		p.grace.Store(int64(time.Duration(*grace) * time.Second))
	}
	if p.going.CompareAndSwap(false, true) {
		close(p.deleted)
	}
}

// run runs the pod until it was deleted or ctx ends.
func (p *pod) run(ctx context.Context) {
	p.since = time.Now()
	if p.spec.Containers[0].Image == NoImage {
		p.report(ctx, waiting("ImagePullBackOff", `Back-off pulling image "`+NoImage+`"`))
		p.await(ctx, time.Hour)
	}
	back := time.Second
	for !p.going.Load() && ctx.Err() == nil {
		code := p.once(ctx)
		if p.going.Load() || ctx.Err() != nil {
			break
		}
		p.restarts++
		p.ready = false
		p.lastState = map[string]any{"terminated": map[string]any{"exitCode": code, "reason": "Error"}}
		p.report(ctx, waiting("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container", back)))
		p.await(ctx, back)
		back = min(2*back, 30*time.Second)
	}
	p.remove(ctx)
}

// await waits, or until the pod is to go.
func (p *pod) await(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-p.deleted:
	case <-timer.C:
	}
}

// once runs the container's process to its end and returns its exit code.
func (p *pod) once(ctx context.Context) int {
	out, err := os.OpenFile(filepath.Join(p.agent.cluster.dir, "pod-"+p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 126
	}
	defer out.Close()
	cmd, err := p.command(ctx)
	if err != nil {
		fmt.Fprintln(out, err)
		return 128
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(out, err)
		return 127
	}
	p.pid.Store(int64(cmd.Process.Pid))
	defer p.pid.Store(0)
	over := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(over)
	}()
	p.report(ctx, running(p.started))
	p.probe(ctx, over)
	select {
	case <-over:
	case <-p.deleted:
		p.terminate(ctx, cmd, over)
	case <-ctx.Done():
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	<-over
	return cmd.ProcessState.ExitCode()
}

// terminate lets the process end by itself for as long as its grace period,
// which preStop is a part of.
func (p *pod) terminate(ctx context.Context, cmd *exec.Cmd, over <-chan struct{}) {
	timer := time.NewTimer(time.Duration(p.grace.Load()))
	defer timer.Stop()
	before := time.NewTimer(time.Duration(p.spec.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second)
	defer before.Stop()
	for {
		select {
		case <-before.C:
			_ = cmd.Process.Signal(syscall.SIGTERM)
		case <-over:
			return
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (p *pod) command(ctx context.Context) (*exec.Cmd, error) {
	c := &p.spec.Containers[0]
	env, err := p.environment(ctx)
	if err != nil {
		return nil, err
	}
	image := p.agent.image(c.Image)
	args := c.Command
	if len(args) == 0 && image != nil {
		args = image.Entrypoint
	}
	args = slices.Concat(args, c.Args)
	if len(args) == 0 {
		return nil, fmt.Errorf("container %s has no command, and image %s none either", c.Name, c.Image)
	}
	for i := range args {
		for name, value := range env {
			args[i] = strings.ReplaceAll(args[i], "$("+name+")", value)
		}
	}
	if path := p.agent.program(args[0]); path != "" {
		args[0] = path
	}
	own := []string{"HOSTNAME=" + p.name}
	for name, value := range env {
		own = append(own, name+"="+value)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), own...)
	if image != nil {
		if cmd, err = p.contained(ctx, image, args, own); err != nil {
			return nil, err
		}
	}
	cmd.Dir = p.agent.cluster.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd, nil
}

// environment is the container's variables.
func (p *pod) environment(ctx context.Context) (map[string]string, error) {
	env := map[string]string{}
	for _, e := range p.spec.Containers[0].Env {
		env[e.Name] = e.Value
		if e.ValueFrom == nil {
			continue
		}
		if f := e.ValueFrom.FieldRef; f != nil {
			env[e.Name] = map[string]string{
				"status.podIP": p.ip, "metadata.name": p.name, "metadata.namespace": p.namespace,
			}[f.FieldPath]
		}
		if k := e.ValueFrom.SecretKeyRef; k != nil {
			secret, err := p.data(ctx, "Secret", k.Name)
			if err != nil {
				return nil, err
			}
			env[e.Name] = string(secret[k.Key])
		}
	}
	return env, nil
}

// probe asks until the readiness probe says yes, or the container is over.
// Afterwards it goes on asking.
func (p *pod) probe(ctx context.Context, over <-chan struct{}) {
	url := p.probeURL()
	// As the kubelet does, it asks whoever answers: certificates of pods say nothing.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 2 * time.Second}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok := !p.agent.isHeld(p.namespace) || p.ready
		if ok && url != "" {
			r, err := client.Get(url)
			if ok = err == nil && r.StatusCode < 400; err == nil {
				r.Body.Close()
			}
		}
		if ok != p.ready {
			p.ready, p.since = ok, time.Now()
			p.report(ctx, running(p.started))
		}
		select {
		case <-ctx.Done():
			return
		case <-over:
			return
		case <-p.deleted:
			return
		case <-tick.C:
		}
	}
}

func (p *pod) probeURL() string {
	c := &p.spec.Containers[0]
	if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil {
		return ""
	}
	port := fmt.Sprint(c.ReadinessProbe.HTTPGet.Port)
	for _, named := range c.Ports {
		if named.Name == port {
			port = strconv.Itoa(named.ContainerPort)
		}
	}
	return strings.ToLower(cmp.Or(c.ReadinessProbe.HTTPGet.Scheme, "http")) + "://" + net.JoinHostPort(p.ip, port) + c.ReadinessProbe.HTTPGet.Path
}

func waiting(reason, message string) map[string]any {
	return map[string]any{"waiting": map[string]any{"reason": reason, "message": message}}
}

func running(since time.Time) map[string]any {
	return map[string]any{"running": map[string]any{"startedAt": since.UTC().Format(time.RFC3339)}}
}

// report writes the pod's status, and tries again while the API is away.
func (p *pod) report(ctx context.Context, state map[string]any) {
	c := &p.spec.Containers[0]
	_, runs := state["running"]
	status := map[string]any{
		"phase": map[bool]string{true: "Running", false: "Pending"}[runs || p.restarts > 0],
		"podIP": p.ip, "podIPs": []any{map[string]any{"ip": p.ip}}, "hostIP": p.agent.cluster.net + ".2",
		"startTime":  p.started.UTC().Format(time.RFC3339),
		"conditions": []any{p.condition("PodScheduled", true), p.condition("Initialized", true), p.condition("ContainersReady", p.ready), p.condition("Ready", p.ready)},
		"containerStatuses": []any{map[string]any{
			"name": c.Name, "image": c.Image, "imageID": c.Image, "ready": p.ready, "started": runs,
			"restartCount": p.restarts, "state": state, "lastState": p.lastState,
		}},
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.uid}, "status": status})
	if err != nil {
		panic(err)
	}
	p.insist(ctx, func() error {
		_, err := p.api().Patch(ctx, p.name, types.MergePatchType, body, metav1.PatchOptions{}, "status")
		return err
	})
}

func (p *pod) condition(kind string, ok bool) map[string]any {
	at := p.started
	if strings.HasSuffix(kind, "Ready") {
		at = p.since
	}
	return map[string]any{
		"type": kind, "status": map[bool]string{true: "True", false: "False"}[ok], "lastTransitionTime": at.UTC().Format(time.RFC3339),
	}
}

// remove tells the API that nothing of the pod is left.
func (p *pod) remove(ctx context.Context) {
	at := int64(0)
	p.insist(ctx, func() error {
		return p.api().Delete(ctx, p.name, metav1.DeleteOptions{GracePeriodSeconds: &at, Preconditions: &metav1.Preconditions{UID: &p.uid}})
	})
}

func (p *pod) api() dynamic.ResourceInterface {
	return p.agent.cluster.Objects.Resource(podResource).Namespace(p.namespace)
}

// insist repeats a call until it is answered, be it with no.
func (p *pod) insist(ctx context.Context, do func() error) {
	for ctx.Err() == nil {
		err := do()
		if err == nil || kerrors.ReasonForError(err) != metav1.StatusReasonUnknown {
			return
		}
		wait(ctx, 200*time.Millisecond)
	}
}
