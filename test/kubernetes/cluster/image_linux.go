package cluster

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Image is one that holds nothing but a program. Its containers see only that,
// their volumes, /proc and /dev, and run as the user that their pod says.
type Image struct {
	Program    string   // file on this machine
	Path       string   // where it is in the image
	Entrypoint []string // with arguments
	Env        []string
}

// Image makes an image known to the node by its name.
func (c *Cluster) Image(name string, image Image) {
	c.agent.mu.Lock()
	defer c.agent.mu.Unlock()
	c.agent.images[name] = &image
}

type volume struct {
	Name      string `json:"name"`
	ConfigMap *struct {
		Name string `json:"name"`
	} `json:"configMap"`
	EmptyDir  *struct{} `json:"emptyDir"`
	Projected *struct{} `json:"projected"` // the token of the service account; nothing else is
}

// contained is a command in a root of its own, which mounts nothing outside of
// the process.
func (p *pod) contained(ctx context.Context, image *Image, args, env []string) (*exec.Cmd, error) {
	root := p.agent.cluster.file(filepath.Join("roots", p.name))
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	for _, dir := range []string{"proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return nil, err
		}
	}
	program, err := os.ReadFile(image.Program)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(root, image.Path), program, 0o755); err != nil {
		return nil, err
	}
	for _, m := range p.spec.Containers[0].VolumeMounts {
		at := slices.IndexFunc(p.spec.Volumes, func(v volume) bool { return v.Name == m.Name })
		if at < 0 {
			return nil, fmt.Errorf("there is no volume %s", m.Name)
		}
		if err := p.fill(ctx, &p.spec.Volumes[at], filepath.Join(root, m.MountPath)); err != nil {
			return nil, fmt.Errorf("volume %s: %w", m.Name, err)
		}
	}
	user := fmt.Sprintf("%d:%d", p.spec.SecurityContext.RunAsUser, p.spec.SecurityContext.RunAsGroup)
	// sh takes root as $0, the user as $1, and the command after it.
	script := `user=$1 && shift && mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot --userspec="$user" "$0" "$@"`
	inside := append([]string{"--mount", "--propagation", "private", "sh", "-c", script, root, user}, args...)
	cmd := exec.Command("unshare", inside...)
	cmd.Env = slices.Concat([]string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "KUBERNETES_SERVICE_HOST=" + p.agent.cluster.net + ".1", "KUBERNETES_SERVICE_PORT=6443",
	}, image.Env, env)
	for i := range cmd.Env { // pods have no network of their own here, and share the machine's ports
		cmd.Env[i] = strings.ReplaceAll(cmd.Env[i], "=0.0.0.0:", "="+p.ip+":")
	}
	return cmd, nil
}

// fill puts into dir what a volume holds. What is there from an earlier start
// of the container stays.
func (p *pod) fill(ctx context.Context, v *volume, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string][]byte{}
	switch {
	case v.EmptyDir != nil:
		return os.Chown(dir, p.spec.SecurityContext.RunAsUser, p.spec.SecurityContext.RunAsGroup)
	case v.ConfigMap != nil:
		data, err := p.data(ctx, "ConfigMap", v.ConfigMap.Name)
		if err != nil {
			return err
		}
		files = data
	case v.Projected != nil:
		token, err := p.agent.cluster.token(ctx, p.namespace, p.spec.ServiceAccountName)
		if err != nil {
			return err
		}
		ca, err := os.ReadFile(p.agent.cluster.file("ca.crt"))
		if err != nil {
			return err
		}
		maps.Copy(files, map[string][]byte{"token": []byte(token), "ca.crt": ca, "namespace": []byte(p.namespace)})
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// data reads a ConfigMap or Secret.
func (p *pod) data(ctx context.Context, kind, name string) (map[string][]byte, error) {
	o, err := p.agent.cluster.Resource(kind, p.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	all, _, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for key, value := range all {
		out[key] = []byte(value)
		if kind == "Secret" {
			if out[key], err = base64.StdEncoding.DecodeString(value); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
