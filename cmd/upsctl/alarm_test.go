package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func TestAlarmTest(t *testing.T) {
	good := &upsv1.AlarmResult{To: "ntfy://ntfy.sh/…"}
	bad := &upsv1.AlarmResult{To: "smtp://mail/?to=a@b", Error: "it answers 535\x1b[2J"}
	for _, c := range []struct {
		name string
		fake *fake
		args []string
		want result
	}{
		{"a master's", &fake{acts: true, alarms: []*upsv1.AlarmResult{good}}, nil, result{exitWell, "ntfy://ntfy.sh/…: sent\n", ""}},
		{"one fails", &fake{acts: true, alarms: []*upsv1.AlarmResult{good, bad}}, nil,
			result{exitAttention, "ntfy://ntfy.sh/…: sent\nsmtp://mail/?to=a@b: cannot be sent: it answers 535?[2J\n", ""}},
		{"a node's", &fake{agent: true, alarms: []*upsv1.AlarmResult{good}}, nil, result{exitWell, "ntfy://ntfy.sh/…: sent\n", ""}},
		{"a master's none", &fake{acts: true}, nil,
			result{exitAttention, "nobody is told: write into master.toml\n[[alarm]]\nto = \"ntfy://ntfy.sh/TOPIC\"\n", ""}},
		{"a node's none", &fake{agent: true}, nil,
			result{exitAttention, "nobody is told: write into agent.toml\n[[alarm]]\nto = \"ntfy://ntfy.sh/TOPIC\"\n", ""}},
		{"for programs", &fake{acts: true, alarms: []*upsv1.AlarmResult{good, bad}}, []string{"--json"},
			result{exitAttention, `{
  "alarms": [
    {
      "to": "ntfy://ntfy.sh/…",
      "sent": true,
      "error": ""
    },
    {
      "to": "smtp://mail/?to=a@b",
      "sent": false,
      "error": "it answers 535\u001b[2J"
    }
  ]
}
`, ""}},
		{"none for programs", &fake{acts: true}, []string{"--json"}, result{exitAttention, "{\n  \"alarms\": []\n}\n", ""}},
		{"somebody who may not", &fake{acts: true, refuse: status.Error(codes.PermissionDenied, "viewers may not")}, nil,
			result{exitCannotAsk, "", "upsctl: cannot test the alarms: viewers may not; be root or of group lastwatt\n"}},
		{"two at once", &fake{acts: true, refuse: status.Error(codes.Aborted, "a test is under way")}, nil,
			result{exitCannotAsk, "", "upsctl: cannot test the alarms: a test is under way\n"}},
		{"a daemon that hangs", &fake{acts: true, refuse: status.Error(codes.DeadlineExceeded, "late")}, nil,
			result{exitCannotAsk, "", "upsctl: cannot test the alarms: no answer within 30s; see the daemon's log\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"--socket", c.fake.serve(t), "alarm", "test"}, c.args...)
			if diff := cmp.Diff(c.want, run(t, nil, args...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
