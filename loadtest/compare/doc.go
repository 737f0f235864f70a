// Package compare says whether two load tests differ, and how sure that is.
//
// Requests of a run depend on each other, so they are no independent samples:
// with millions of them any test finds a difference. What is compared are runs,
// when there are five or more of each side (fewer cannot reach 5 % in a
// Mann-Whitney test of five metrics: 4 and 4 give 14 % at best), and else
// stretches of ten seconds of the runs, drawn again and again (block bootstrap).
//
// Each metric gets a change with its 95 % confidence interval and a p-value,
// corrected for the number of metrics (Holm). It is
//
//	same          the whole interval lies within the threshold
//	better/worse  the change is beyond the threshold and p below 5 %
//	inconclusive  anything else: measure longer, or more often
package compare
