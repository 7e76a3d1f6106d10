package master

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/config"
)

// FuzzParseConfig: no text makes the loader panic; what it refuses it refuses by
// place, what it takes it takes again, and what it
// understood says the same.
func FuzzParseConfig(f *testing.F) {
	data, err := os.ReadFile("../deploy/master.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data))
	for _, tt := range wrongConfigs {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := ParseConfig("f", []byte(text))
		var e *config.Error
		if err != nil && (!errors.As(err, &e) || !strings.HasPrefix(err.Error(), "f:")) {
			t.Fatalf("%T: %v", err, err)
		}
		if _, again := ParseConfig("f", []byte(text)); (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("first %v, then %v", err, again)
		}
		if diff := saysTheSame(text); diff != "" {
			t.Fatal(diff)
		}
	})
}
