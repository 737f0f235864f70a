// hey, as a peer in bench/loadgen. A module of its own, so that nobody who
// builds Holdfast downloads it.
module holdfast/bench/loadgen/tools/hey

go 1.26.0

tool github.com/rakyll/hey

require (
	github.com/rakyll/hey v0.1.4 // indirect
	golang.org/x/net v0.0.0-20181017193950-04a2e542c03f // indirect
	golang.org/x/text v0.3.0 // indirect
)
