// Package archtest keeps the architecture: its tests read the layer block of docs/architecture.md and fail when the source
// tree does otherwise.
//
// The block is the only place where layers are written down, so that the page cannot lie: a line is a layer, highest
// first; a name is a package with all below it; names in brackets are the packages of the same layer that it may import.
// A package that is in no layer fails the test, which is how a new package comes to be placed before it is used.
//
// Run it with -count=1 (make test does): the go command caches by the files a test opens, and a package added since is not
// one of them.
package archtest
