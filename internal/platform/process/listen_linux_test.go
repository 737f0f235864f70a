package process

import "testing"

func TestListeningSocketsOfAGroupAreFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80",
	} {
		if got, err := parseKernelAddr(text); err != nil || got.String() != want {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":", "01:00", "0100007F:", "0100007F:12345", "zz:1"} {
		if got, err := parseKernelAddr(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if own := listeningPorts(-5); len(own) != 0 {
		t.Errorf("a group of nobody listens on %v", own)
	}
}
