package config

// Platform says where instances run that Holdfast looks after. One of these.
type Platform struct {
	// Child processes on this machine.
	Process *Process `yaml:"process" choice:"process"`
	// Tasks of a service of Docker Swarm.
	DockerSwarm *DockerSwarm `yaml:"docker-swarm" choice:"docker-swarm"`
	// Pods of a Deployment, StatefulSet or whatever else Kubernetes can scale.
	Kubernetes *Kubernetes `yaml:"kubernetes" choice:"kubernetes"`
}

// The platforms this version can run, as `platform` and `DEPLOYMENT_PLATFORM`
// name them.
const (
	PlatformProcess     = "process"
	PlatformDockerSwarm = "docker-swarm"
	PlatformKubernetes  = "kubernetes"
)

// Name is which platform is chosen; empty: none, the instances are listed.
func (p *Platform) Name() string {
	switch {
	case p.Process != nil:
		return PlatformProcess
	case p.DockerSwarm != nil:
		return PlatformDockerSwarm
	case p.Kubernetes != nil:
		return PlatformKubernetes
	}
	return ""
}

// ReadyTimeout is how long an instance may take to become ready; 0 without a
// platform.
func (p *Platform) ReadyTimeout() Duration {
	switch {
	case p.Process != nil:
		return p.Process.ReadyTimeout
	case p.DockerSwarm != nil:
		return p.DockerSwarm.ReadyTimeout
	case p.Kubernetes != nil:
		return p.Kubernetes.ReadyTimeout
	}
	return 0
}

// Process starts instances as child processes of Holdfast.
type Process struct {
	// Program and arguments. `{port}` and `{id}` are replaced.
	Command []string `yaml:"command" required:"true"`
	// Environment added to Holdfast's own. `{port}` and `{id}` are replaced; `PORT` and `HOST` are set unless given here.
	Env map[string]string `yaml:"env" format:"variable"`
	// Working directory. Empty: Holdfast's own.
	Dir string `yaml:"dir"`
	// How many are started.
	Instances int `yaml:"instances" default:"1" range:"1..1000"`
	// How many more are kept started and ready, without traffic: one becomes an instance at once when more are wanted, and another is started in its place. They count neither in `instances` nor in `min_instances` and `max_instances`.
	WarmSpares int `yaml:"warm_spares" default:"0" range:"0..100"`
	// Ports they are given, `9000-9100`. Empty: free ports chosen by the system.
	Ports Ports `yaml:"ports"`
	// Time until the port must accept connections.
	ReadyTimeout Duration `yaml:"ready_timeout" default:"10s" range:"1ms..1h"`
	// Time between SIGTERM and SIGKILL.
	StopTimeout Duration `yaml:"stop_timeout" default:"10s" range:"1ms..1h"`
	// File that collects what they print; `{id}` is replaced. It is moved to `FILE.1` at 10 MiB. Empty: only the last lines are kept in memory.
	Output string `yaml:"output"`
}

// DockerSwarm takes the tasks of a service that exists already. How many there
// are the swarm remembers.
type DockerSwarm struct {
	// Docker engine that is asked, a manager of the swarm, as `DOCKER_HOST` has it: `unix:///PATH` or `tcp://HOST:PORT`. Empty: `unix:///var/run/docker.sock`.
	Host string `yaml:"host" format:"docker-host"`
	// How an engine at `tcp://` is spoken to; empty: without TLS.
	TLS SwarmTLS `yaml:"tls"`
	// Name or id of the service, a replicated one.
	Service string `yaml:"service" format:"platform-name" required:"true"`
	// Port on which the tasks listen, inside of their containers.
	Port int `yaml:"port" range:"1..65535" required:"true"`
	// Overlay network on which the tasks are reached; Holdfast has to be attached to it too. Empty: at the addresses of their nodes, by the port they publish with `mode: host`.
	Network string `yaml:"network" format:"platform-name"`
	// How tasks are spoken to.
	Scheme string `yaml:"scheme" default:"http" enum:"http|https"`
	// How long a task may take to become ready before it counts as failed.
	ReadyTimeout Duration `yaml:"ready_timeout" default:"60s" range:"1ms..1h"`
}

// SwarmTLS are files by which Holdfast and a Docker engine trust each other.
type SwarmTLS struct {
	// PEM file with the certificates of who signed the engine's. Empty: those of the system.
	CA string `yaml:"ca"`
	// PEM file with the certificate that Holdfast shows to the engine.
	Cert string `yaml:"cert"`
	// PEM file with its private key.
	Key string `yaml:"key"`
}

// Kubernetes takes the pods of a workload that exists already. How many there
// are Kubernetes remembers.
type Kubernetes struct {
	// File that says how the cluster is reached. Empty: as kubectl does, `$KUBECONFIG` or `~/.kube/config`, and in a pod its service account.
	Kubeconfig string `yaml:"kubeconfig"`
	// Context of that file. Empty: its current one.
	Context string `yaml:"context"`
	// Namespace of `target` and `service`. Empty: that of the context or pod.
	Namespace string `yaml:"namespace" format:"platform-name"`
	// What is scaled, `KIND/NAME` or `KIND.GROUP/NAME`: `deployment/web`, `statefulset/web`, or anything else that has a scale subresource.
	Target string `yaml:"target" format:"kubernetes-target" required:"true"`
	// Service whose endpoints are the instances.
	Service string `yaml:"service" format:"platform-name" required:"true"`
	// Port of the pods, by its number or the name it has in the service. Empty: the only one there is.
	Port string `yaml:"port" format:"platform-name"`
	// How pods are spoken to.
	Scheme string `yaml:"scheme" default:"http" enum:"http|https"`
	// How long a pod may take to become ready before it counts as failed.
	ReadyTimeout Duration `yaml:"ready_timeout" default:"60s" range:"1ms..1h"`
}
