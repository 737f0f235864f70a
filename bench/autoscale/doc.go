// Command autoscale shows what the capacity model of holdfast/autoscale is
// worth on recorded traffic, and writes docs/autoscaling.md:
//
//	go run ./bench/autoscale          print it
//	go run ./bench/autoscale -write   put it into the page, with its pictures
//
// The reactive line is the Kubernetes autoscaler's rule with targets of 50 to
// 85 %. Both it and the capacity model decide with the same rests, on the same
// measurements, about the same requests; only how many instances are wanted
// differs. What is reported are the second halves of the traces; everything
// about the model was chosen on the first ones (-half first).
package main
