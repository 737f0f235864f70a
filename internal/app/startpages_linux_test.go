package app

import "testing"

func TestOnlyConstantPagesOfTheProgramAreForgotten(t *testing.T) {
	t.Parallel()
	const program = "/usr/bin/holdfast"
	for line, want := range map[string]bool{
		"00400000-0130a000 r-xp 00000000 fe:00 1073                           /usr/bin/holdfast":           true,
		"0130a000-022e8000 r--p 00f0a000 fe:00 1073                           /usr/bin/holdfast":           true,
		"022e8000-02417000 rw-p 01ee8000 fe:00 1073                           /usr/bin/holdfast":           false, // what was written would be lost
		"7f1c00000000-7f1c00021000 r--p 00000000 fe:00 99                     /usr/lib/libc.so.6":          false,
		"c000000000-c000400000 rw-p 00000000 00:00 0 ":                                                     false,
		"0130a000-022e8000 r--p 00f0a000 fe:00 1073                           /usr/bin/holdfast (deleted)": false, // it looks like another
		"": false,
	} {
		from, to, ok := constant(line, program)
		if ok != want || ok && from >= to {
			t.Errorf("%q: %x to %x, %v, want %v", line, from, to, ok, want)
		}
	}
}
