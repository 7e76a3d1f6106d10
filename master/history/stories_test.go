package history

type storyCase struct{ name, story, want string }

// stories are what outages look like, as told in the journal and in the report.
func stories() []storyCase {
	return []storyCase{
		{"a blip", `
			0s start
			1s web1 attached
			2m main FAIL o1
			2m web1 GRACE
			3m20s main OK o1
			3m20s web1 IDLE`, `
			o1 main: 17:02 failed for 1m20s; nobody had to go down
			  web1:`},
		{"it asked while its link was cut, and says so later", `
			0s start
			1s web1 attached
			2m main FAIL o1
			2m10s web1 lost
			4m web1 attached DONE since=3m
			4m10s web1 lost
			5m main OK o1
			6m web1 attached boot=n2`, `
			o1 main: 17:02 failed; 1 of 1 down in 1m10s; power back after 3m
			  web1: asked 1m accepted 1m down 2m10s back 4m`},
		{"it asked in the outage before, and goes in this one", `
			0s start
			1s web1 attached
			2m main FAIL o1
			3m web1 lost
			3m30s main OK o1
			4m main FAIL o2
			4m10s web1 attached DONE since=3m10s
			4m20s web1 lost
			5m main OK o2
			6m web1 attached boot=n2`, `
			o1 main: 17:02 failed; 1 of 1 down in 1m10s; power back after 1m30s
			  web1: asked 1m10s accepted 1m10s down 2m20s back 4m
			o2 main: 17:04 failed for 1m; nobody had to go down; web1 was on its way down already
			  web1: absent lost 20s back 2m (was on its way down already)`},
		{"it asked in the outage before, and its system accepts in this one", `
			0s start
			1s web1 attached
			2m main FAIL o1
			3m web1 COMMITTED
			3m2s main OK o1
			3m4s main FAIL o2
			3m10s web1 DONE
			3m20s web1 lost
			5m main OK o2
			6m web1 attached boot=n2`, `
			o1 main: 17:02 failed; 1 of 1 down in 20s; power back after 1m2s
			  web1: asked 1m accepted 1m10s down 1m20s back 4m
			o2 main: 17:03 failed for 1m56s; nobody had to go down; web1 was on its way down already
			  web1: lost 16s back 2m56s (was on its way down already)`},
		{"a rack goes down and comes back", `
			0s rack1 host
			0s start
			1s db1 unseen
			1s nas attached
			1s web1 attached
			1s web2 attached
			2m main FAIL o1
			7m web1 COMMITTED
			7m1s web1 DONE
			7m13s web1 off
			7m13s nas COMMITTED
			7m14s nas DONE
			8m14s nas lost
			10m12s main BATLOW o1
			11m40s main OK o1
			13m web1 attached boot=n2
			14m nas attached boot=n2`, `
			o1 main: 17:02 failed; 2 of 4 down in 1m14s; slowest nas 1m1s; battery low after 8m12s; power back after 9m40s; rack1 and web2 never went down; db1 was not attached
			  db1: absent
			  nas: asked 5m13s accepted 5m14s down 6m14s back 12m
			  rack1: (the master's host)
			  web1: asked 5m accepted 5m1s down 5m13s back 11m
			  web2:`},
		{"woken, one of them twice", `
			0s start
			1s db1 attached
			1s web1 attached
			1s web2 attached
			2m main FAIL o1
			3m web1 DONE
			3m10s web1 off
			3m20s db1 DONE
			3m30s db1 off
			4m main OK o1
			5m db1 woken
			5m30s db1 woken again
			6m web1 woken
			7m web1 attached boot=n2
			8m db1 attached boot=n2
			9m web1 woken`, `
			o1 main: 17:02 failed; 2 of 3 down in 30s; slowest db1 10s; power back after 2m; db1 came back 4m after it, woken; web1 came back 3m after it, woken
			  db1: asked 1m20s accepted 1m20s down 1m30s back 6m (woken 2 times)
			  web1: asked 1m accepted 1m down 1m10s back 5m (woken once)
			  web2:`},
		{"called back, before and after the power was", `
			0s web1 attached
			0s web2 attached
			1m main FAIL o1
			2m web1 COMMITTED
			2m10s web1 IDLE
			3m web2 COMMITTED
			3m10s main OK o1
			3m11s web2 IDLE
			9m web2 lost`, `
			o1 main: 17:01 failed; 0 of 2 down; power back after 2m10s; web1 and web2 were called back
			  web1: asked 1m (called back)
			  web2: asked 2m (called back)`},
		{"accepted just before the power is back", `
			0s web1 attached
			1m main FAIL o1
			2m web1 COMMITTED
			2m web1 DONE
			2m5s main OK o1
			2m30s web1 lost`, `
			o1 main: 17:01 failed; 1 of 1 down in 30s; power back after 1m5s; web1 is not back
			  web1: asked 1m accepted 1m down 1m30s`},
		{"the master dies and begins anew in mid-outage", `
			0s start
			0s down attached
			0s gone attached
			0s stays attached
			0s late attached
			1m main FAIL o1
			2m down COMMITTED
			2m10s down lost
			3m gone COMMITTED
			3m late COMMITTED
			4m start
			4m main UNKNOWN o1
			4m1s stays attached
			4m1s late attached COMMITTED
			4m2s main FAIL o1
			5m late lost
			6m main OK o1
			7m gone attached boot=n2
			7m late attached boot=n2
			7m down attached boot=n2`, `
			o1 main: 17:01 failed; 3 of 4 down in 3m; slowest late 2m; power back after 5m
			  down: asked 1m down 1m10s back 6m
			  gone: asked 2m back 6m (went, nobody saw when)
			  late: asked 2m down 4m back 6m
			  stays:`},
		{"the master stops and begins anew", `
			0s start
			0s web1 attached
			0s web2 attached
			1m main FAIL o1
			90s web2 COMMITTED
			2m web1 lost
			2m web2 lost
			2m start
			2m1s web1 attached
			2m1s web2 attached COMMITTED
			3m main OK o1
			3m1s web2 IDLE`, `
			o1 main: 17:01 failed; 0 of 2 down; power back after 2m; web2 was called back
			  web1: lost 1m back 1m1s
			  web2: asked 30s (called back)`},
		{"somebody never attaches again", `
			0s web1 attached
			1m main FAIL o1
			2m start
			3m main OK o1`, `
			o1 main: 17:01 failed for 2m; nobody had to go down; web1 was lost
			  web1:`},
		{"the master's own machine goes down last", `
			0s rack1 host
			0s web1 attached
			1m main FAIL o1
			2m web1 COMMITTED
			2m20s web1 off
			3m rack1 COMMITTED
			3m1s rack1 DONE
			3m10s main BATLOW o1
			20m reboot
			21m start
			21m main OK
			22m web1 attached boot=n2`, `
			o1 main: 17:01 failed; 2 of 2 down in 1m10s; slowest web1 20s; battery low after 2m10s; the master's machine was off from 2m10s on; power back after about 20m
			  rack1: asked 2m accepted 2m1s down 2m10s back about 20m (the master's host)
			  web1: asked 1m down 1m20s back about 21m`},
		{"the battery dies under everybody", `
			0s rack1 host
			0s web1 attached
			1m main FAIL o1
			2m web1 GRACE
			20m reboot
			21m start
			21m main OK
			22m web1 attached boot=n2`, `
			o1 main: 17:01 failed; nobody had to go down; the master's machine was off from 1m on; power back after about 20m; rack1 was off without having asked; web1 was off, nobody saw why
			  rack1: lost 1m back about 20m (was off without having asked)
			  web1: lost 1m back about 21m (was off, nobody saw why)`},
		{"the wall clock stood still while the power was off", `
			0s web1 attached
			10m main FAIL o1
			20m web1 COMMITTED
			20m web1 lost
			5m reboot
			5m start
			5m main OK
			6m web1 attached boot=n2`, `
			o1 main: 17:10 failed; 1 of 1 down in 0s; the master's machine was off from 10m on; power back after about 10m
			  web1: asked 10m down 10m back about 10m`},
		{"after a boot the power is still off", `
			0s web1 attached
			1m main FAIL o1
			5m reboot
			6m start
			6m main FAIL o2
			7m web1 attached
			8m main OK o2`, `
			o1 main: 17:01 failed; nobody had to go down; the master's machine was off from 100ms on; nobody saw its end
			  web1:
			o2 main: 17:06 failed for 2m; nobody had to go down; web1 was not attached
			  web1: absent back 1m`},
		{"two UPSes, one after the other", `
			0s both attached feeds=rack1/left,rack1/right
			0s one attached feeds=rack1/left
			0s other attached feeds=rack1/right,rack2/left
			1m left FAIL o1
			2m right FAIL o2
			3m both COMMITTED
			3m1s one COMMITTED
			3m20s both lost
			3m30s one lost
			4m left OK o1
			5m right OK o2
			6m both attached boot=n2 feeds=rack1/left,rack1/right
			6m one attached boot=n2 feeds=rack1/left`, `
			o1 left: 17:01 failed; 2 of 2 down in 30s; slowest one 29s; power back after 3m
			  both: asked 2m down 2m20s back 5m
			  one: asked 2m1s down 2m30s back 5m
			o2 right: 17:02 failed; 1 of 2 down in 20s; power back after 3m
			  both: asked 1m down 1m20s back 4m
			  other:`},
		{"one attaches in mid-outage, and goes; one does not", `
			0s old lost
			0s web1 attached
			1m main FAIL o1
			2m new attached
			3m new COMMITTED
			3m20s new off
			4m old attached
			5m main OK o1`, `
			o1 main: 17:01 failed; 1 of 2 down in 20s; power back after 4m; new is not back; old was not attached
			  new: absent asked 2m down 2m20s
			  old: absent back 3m
			  web1:`},
		{"one accepts and hangs", `
			0s web1 attached
			0s web2 attached
			1m main FAIL o1
			2m web1 COMMITTED
			2m web1 DONE
			2m web2 COMMITTED
			2m30s web2 lost
			5m main OK o1`, `
			o1 main: 17:01 failed; 1 of 2 down in 30s; power back after 4m; web1 asked to power off but has not gone down; web2 is not back
			  web1: asked 1m accepted 1m (has not gone down)
			  web2: asked 1m down 1m30s`},
		{"one crashes, one is stopped by hand, one loses its cable", `
			0s cable attached
			0s crash attached
			0s quick attached
			0s stopped attached
			1m main FAIL o1
			2m crash lost
			2m cable lost
			2m stopped off
			2m30s quick attached boot=n2
			3m crash attached boot=n2
			5m main OK o1`, `
			o1 main: 17:01 failed for 4m; nobody had to go down; crash and quick were off without having asked; cable and stopped were lost
			  cable: lost 1m
			  crash: lost 1m back 2m (was off without having asked)
			  quick: lost 1m30s back 1m30s (was off without having asked)
			  stopped: lost 1m (said that it goes)`},
		{"a link breaks after the commit and comes back", `
			0s web1 attached
			1m main FAIL o1
			2m web1 COMMITTED
			2m5s web1 lost
			2m9s web1 attached COMMITTED
			2m30s web1 DONE
			3m web1 lost
			4m main OK o1
			5m web1 attached boot=n2`, `
			o1 main: 17:01 failed; 1 of 1 down in 1m; power back after 3m
			  web1: asked 1m accepted 1m30s down 2m back 4m`},
		{"a link breaks after the commit, and the power is back", `
			0s web1 attached
			1m main FAIL o1
			2m web1 COMMITTED
			2m5s web1 lost
			2m30s main OK o1
			3m web1 attached`, `
			o1 main: 17:01 failed; 0 of 1 down; power back after 1m30s; web1 was called back
			  web1: asked 1m (called back)`},
		{"a container has its host's boot", `
			0s start
			0s a attached
			0s b attached
			0s c attached
			1m main FAIL o1
			2m a COMMITTED
			2m a DONE
			2m b COMMITTED
			2m b off
			2m c COMMITTED
			2m c DONE
			2m10s a lost
			2m10s start
			4m main OK o1
			5m a attached
			5m b attached
			5m c attached`, `
			o1 main: 17:01 failed; 3 of 3 down in 10s; slowest a 10s; power back after 3m
			  a: asked 1m accepted 1m down 1m10s back 4m
			  b: asked 1m down 1m back 4m
			  c: asked 1m accepted 1m back 4m (went, nobody saw when)`},
		{"another machine joins under the name of one that was removed", `
			0s web1 attached
			1m main FAIL o1
			2m web1 removed
			3m web1 attached boot=n9
			4m web1 lost
			5m main OK o1`, `
			o1 main: 17:01 failed for 4m; nobody had to go down; web1 was removed
			  web1: (removed from the rack)`},
		{"the outage is older than was known", `
			2m main FAIL o1
			3m main UNKNOWN o1
			4m main FAIL o1 since=1m
			5m main OK o1`, `
			o1 main: 17:01 failed for 4m; nobody had to go down`},
		{"removed", `
			0s web1 attached
			0s web2 attached
			1m main FAIL o1
			2m web1 COMMITTED
			2m10s web1 lost
			2m20s web1 removed
			5m main OK o1`, `
			o1 main: 17:01 failed; 0 of 1 down; power back after 4m; web1 was removed
			  web1: asked 1m down 1m10s (removed from the rack)
			  web2:`},
		{"pretended, and not over", `
			0s web1 attached
			1m main FAIL o1 sim
			2m web1 COMMITTED`, `
			o1 main: 17:01 failed (pretended); 0 of 1 down; it is not over; web1 asked to power off but has not gone down
			  web1: asked 1m (has not gone down)`},
		{"its beginning is not in the journal", `
			0s web1 attached
			1m main BATLOW o1 unknown
			2m main OK o1`, `
			o1 main: 17:01 failed for 1m; nobody had to go down; battery low after 0s; web1 never went down
			  web1:`},
		{"a UPS that is watched no more", `
			0s main FAIL o1
			1m start left
			1m left FAIL o2
			2m left OK o2`, `
			o1 main: 17:00 failed; nobody had to go down; nobody saw its end
			o2 left: 17:01 failed for 1m; nobody had to go down`},
		{"back and down again in one outage", `
			0s web1 attached
			1m main FAIL o1
			2m web1 COMMITTED
			2m10s web1 lost
			3m web1 attached boot=n2
			4m web1 COMMITTED
			4m30s web1 lost
			5m main OK o1
			6m web1 attached boot=n3`, `
			o1 main: 17:01 failed; 1 of 1 down in 30s; power back after 4m
			  web1: asked 3m down 3m30s back 5m`},
	}
}
