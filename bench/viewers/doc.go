// Package viewers measures what the live view of the admin interface costs
// (GET /api/v1/live): how much of a core the updates of a large installation
// take, and how much dearer a request gets because somebody watches.
//
//	go test -run '^$' -bench . -benchtime 10x ./bench/viewers
//
// A real Holdfast runs beside a load and instances that live in this process.
// Each iteration measures without viewers, with, with, and without again, so
// that what changes on the machine meanwhile meets both; processor time is that
// of Holdfast's process, from its clock, so that it does not matter what else
// runs. The medians of the iterations are reported:
//
//	extra-%core    processor time a second that viewers add, in percent of one core
//	us/request     processor time of a request without viewers
//	ratio          with viewers / without
package viewers
