package merchant

import "testing"

func TestParseRegion(t *testing.T) {
	for s, want := range map[string]Region{
		"na": NA, "NA": NA, "us": NA, "eu": EU, "EU": EU, "de": EU, "uk": EU, "jp": JP, "JP": JP, "fe": JP,
	} {
		if got, ok := ParseRegion(s); !ok || got != want {
			t.Errorf("%s: %q, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "cn", "eu ", "europe"} {
		if got, ok := ParseRegion(s); ok {
			t.Errorf("%q is %s", s, got)
		}
	}
}

func TestParseEnvironment(t *testing.T) {
	for s, ok := range map[string]bool{"live": true, "LIVE": true, "sandbox": true, "Sandbox": true, "": false, "test": false} {
		if e, got := ParseEnvironment(s); got != ok || ok && e != Live && e != Sandbox {
			t.Errorf("%q: %q, %v", s, e, got)
		}
	}
}
