// Package swarm is the platform driver of Docker Swarm: the instances of a
// function are the tasks of a replicated service, and a manager of the swarm is
// asked through its Engine API.
//
// # What is seen
//
// Tasks have no events in that API. [Driver.Run] asks every five seconds, every
// second while something changes, and at once when the engine tells of a change
// of the service or of a container of it on the engine's own node. A task that
// the swarm wants to end is Stopping before its container gets its signal. One
// that swarm calls running is Running only once its port has accepted a
// connection from here, because swarm means the container and not what is in it.
//
// # What is changed
//
// A scale sends back the service exactly as it was read, as the engine wrote it,
// with another number in it. To read it into Go's types first would lose what a
// newer engine knows, and the client would complete the name of the image:
// either makes it a new version, and swarm would replace every task. The update
// names the version it read; if somebody was faster, it is read and sent again.
//
// # Going back
//
// Swarm's own "previous" is the service before the last update, and each scale
// is an update. So after one, swarm's rollback undoes the number and nothing
// else. The driver therefore remembers the templates of versions itself: which
// ran on all instances at once, and which did for long enough to be trusted. To
// keep them over a restart is its user's part ([Config.Keep], [Config.Kept]). A
// label of the service would do it without, but `docker stack deploy` takes
// labels away that are not in its file, with the very deployment that is to be
// rolled back.
package swarm
