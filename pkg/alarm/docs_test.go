package alarm

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheExamplesAreValid: whoever copies from the page gets an alarm.
func TestTheExamplesAreValid(t *testing.T) {
	page, err := os.ReadFile("../../docs/alarms.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[kind]int{}
	for _, m := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		all, err := read(t, m[1])
		if err != nil || len(all) == 0 {
			t.Errorf("%s%v", m[1], err)
		}
		for _, x := range all {
			seen[x.kind]++
		}
	}
	if seen[webhook] < 6 || seen[ntfy] < 2 || seen[mail] < 2 || seen[program] < 1 {
		t.Errorf("the page has examples of %v", seen)
	}
	for _, word := range []string{asJSON, asSlack, asDiscord, asGotify, asHomeAssistant} {
		if !strings.Contains(strings.ToLower(string(page)), word) {
			t.Errorf("the page does not speak of %s", word)
		}
	}
}
