// Package report turns the result of a load test into documents: JSON with a
// versioned schema, a table of seconds as CSV, Markdown for a pull request,
// JUnit for build servers, and one HTML page that needs nothing else.
//
// All are made from one Document, so that they cannot disagree:
//
//	loadtest.Result ─► New ─► Document ─► JSON, CSV, Markdown, JUnit, HTML
//
// A percentile is left out where fewer than ten values lie beyond it. Response
// times come first everywhere: service times hide the queue before the service.
package report
