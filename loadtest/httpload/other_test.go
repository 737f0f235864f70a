//go:build !linux

package httpload_test

func server(string) {}
