package exchange

import (
	"strings"
	"testing"
)

// FuzzToken reads affinity cookies as clients send them. Only what this
// function signed counts, in its one spelling.
func FuzzToken(f *testing.F) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	good := token{session: 7, made: 1_767_225_600_000, instance: 9}.seal(secret, "public")
	other := token{session: 7, made: 1, instance: 9}.seal(secret, "admin")
	for _, value := range []string{"", good, other, good[:len(good)-1], good + "=", strings.ToLower(good), "\x01" + good[1:]} {
		f.Add("a=b; hf="+value, "hf")
	}
	f.Add("hf=x; hf="+good, "hf")
	f.Add(" ;;=;hf", "hf")
	f.Fuzz(func(t *testing.T, field, name string) {
		value := cookieValue(field, name)
		if value != "" && !strings.Contains(field, name+"="+value) {
			t.Errorf("%q of %q is %q", name, field, value)
		}
		got, ok := openToken(value, secret, "public")
		if ok && got.seal(secret, "public") != value {
			t.Errorf("%q is taken for %+v", value, got)
		}
		if ok && value != good {
			t.Errorf("%q was never made and is taken for %+v", value, got)
		}
		if _, ok := openToken(value, secret, "admin"); ok && value != other {
			t.Errorf("%q is good for another function", value)
		}
	})
}
