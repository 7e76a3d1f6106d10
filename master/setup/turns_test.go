package setup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/line"
)

// turn is one thing that setup says and what the owner does then.
type turn struct {
	says string
	does func(*bench)
}

func types(text string) func(*bench) { return func(b *bench) { b.typed(text) } }

func mains(on bool) func(*bench) {
	return func(b *bench) { b.ups.set(func() { b.ups.battery = !on }) }
}

// wholeWay is an owner who doesn't know his Liebert's cable and writes his own.
func wholeWay() []turn {
	return []turn{
		{"look: list them again [1]:", types("")},
		{"find out by watching it:", types("")},
		{"may the port be opened? (y/n) [n]:", types("y")},
		{"Try DTR, then RTS? (y/n) [n]:", types("y")},
		{"Go on with the outputs so? (y/n) [n]:", types("y")},
		{"Pull the UPS's mains plug", mains(false)},
		{"Put everything back now", mains(true)},
		{"Low battery:", types("")},
		{"Which one?:", types("own")},
		{"How long does a full battery carry the load", types("")},
		{"shuts itself down", types("")},
		{"What is this rack called", types("")},
		{"Write it? (y/n) [y]:", types("")},
	}
}

// TestInterrupted: Ctrl-C or an end of input at any question leaves nothing behind, no
// file, no open port, no goroutine.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for n, at := range wholeWay() {
		for _, how := range []string{"Ctrl-C", "end of input"} {
			t.Run(at.says+" "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, "liebert-powersure")
					b.start()
					for _, q := range wholeWay()[:n] {
						b.hear(q.says)
						q.does(b)
					}
					b.hear(at.says)
					stop := b.cancel
					if how != "Ctrl-C" {
						stop = func() { b.keys.Close() }
					}
					stop()
					err := b.end()
					var missing *MissingError
					if how == "Ctrl-C" && (err == nil || err.Error() != "stopped; nothing was written") ||
						how != "Ctrl-C" && (!errors.As(err, &missing) || !strings.HasPrefix(missing.Flag, "--")) {
						t.Errorf("err %v", err)
					}
					b.untouched()
					if b.ups.changes != nil {
						t.Error("the port is still open")
					}
				})
			})
		}
	}
}

// TestOwnCable is that way to its end: a cable from what was seen, which never cuts.
func TestOwnCable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "liebert-powersure")
		b.start()
		for _, q := range wholeWay() {
			b.hear(q.says)
			q.does(b)
		}
		if err := b.end(); err != nil {
			t.Fatal(err)
		}
		want := written + "name = \"web1\"\n\n[[ups]]\nname = \"main\"\nport = \"/dev/serial/by-id/usb-A\"\n" +
			"cable = { on_battery = \"CTS\", drive = [\"DTR\", \"!RTS\"] }\n\n# This machine: it goes last.\n[node.policy]\ngrace = \"10m\"\nwait_for = [\"*\"]\n"
		if diff := cmp.Diff(want, b.wrote()); diff != "" {
			t.Errorf("file (-want +got):\n%s", diff)
		}
	})
}

// TestWrongTurns is what people do who have not read anything, and what they are told.
func TestWrongTurns(t *testing.T) {
	t.Parallel()
	port := turn{"look: list them again", types("/dev/ttyUSB0")}
	for _, tt := range []struct {
		name   string
		cable  string // what is really plugged in
		change func(*bench)
		turns  []turn
		err    string
	}{
		{"no port at all", "nut-7", func(b *bench) { b.o.Ports = func() ([]line.PortInfo, error) { return nil, nil } },
			[]turn{{"No serial port was found", func(b *bench) {}}, {"list them again:", types("3")}, {"write one of the numbers", types("look")}, {"No serial port was found", types("ttyS0")}, {"write one of the numbers", func(b *bench) { b.cancel() }}}, "stopped"},
		{"a port that went away", "nut-7", func(b *bench) {
			b.o.Port = func(string) (line.PortInfo, error) { return line.PortInfo{}, line.ErrMissing }
		}, []turn{port, {"no such port", func(b *bench) { b.cancel() }}}, "stopped"},
		{"no permission", "nut-7", func(b *bench) { b.info.Denied = line.ErrPermission },
			[]turn{{"permission denied", func(b *bench) {}}, port, {"cannot use /dev/ttyUSB0: permission denied", func(b *bench) { b.cancel() }}}, "stopped"},
		{"getty sits there", "nut-7", func(b *bench) { b.info.Holders = []line.HeldError{{PID: 8, Name: "agetty"}} },
			[]turn{port, {"held by agetty (pid 8); systemctl disable --now serial-getty@ttyUSB0.service", func(b *bench) { b.cancel() }}}, "stopped"},
		{"gpsd sits there", "nut-7", func(b *bench) { b.info.Holders = []line.HeldError{{PID: 8, Name: "gpsd"}} },
			[]turn{port, {"/etc/default/gpsd", func(b *bench) { b.cancel() }}}, "stopped"},
		{"ModemManager prowls", "nut-7", func(b *bench) {
			b.o.Meddlers = func() []line.HeldError { return []line.HeldError{{PID: 9, Name: "ModemManager"}} }
		}, []turn{port, {"Warning: ModemManager (pid 9) runs", func(b *bench) { b.cancel() }}}, "stopped"},
		{"our own master has the port", "nut-7", func(b *bench) {
			b.info.Holders = []line.HeldError{{PID: 8, Name: ourProcess}, {PID: 1, Name: "systemd"}}
			b.master.err, b.master.views = nil, []View{{Name: "main", State: "OK", Lines: []string{"RTS", "CTS"}}}
		}, []turn{{"A master runs here already", func(b *bench) {}}, port, {"find out by watching it:", types("")}}, "is watched by the running master"},
		{"he does not want the port opened", "nut-7", nil,
			[]turn{port, {"find out by watching", types("")}, {"opened? (y/n) [n]:", types("")}}, "the port was not opened"},
		{"he does not want the outputs moved", "nut-7", nil,
			[]turn{port, {"find out by watching", types("")}, {"opened? (y/n) [n]:", types("maybe")}, {"write y or n", types("y")}, {"Try DTR, then RTS? (y/n) [n]:", types("n")}}, "nothing was written. If you know the cable, name it with --cable"},
		{"the adapter is unplugged meanwhile", "nut-7", nil,
			[]turn{port, {"find out by watching", types("")}, {"opened?", types("y")}, {"Try DTR", types("y")}, {"Go on with", types("y")}, {"Pull the UPS's mains plug", func(b *bench) { close(b.ups.lost) }}}, "the port is gone; nothing was written, begin again when it is back"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tt.cable)
				if tt.change != nil {
					tt.change(b)
				}
				b.start()
				for _, q := range tt.turns {
					b.hear(q.says)
					q.does(b)
				}
				if err := b.end(); err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("err %v, want %q", err, tt.err)
				}
				b.untouched()
			})
		})
	}
}

// TestWrongCable: the cable that was named is not the one that is plugged in.
func TestWrongCable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "nut-11") // the same drive as nut-6, the other polarity
		b.o.Cable = "nut-6"
		b.start()
		b.answer("look: list them again [1]:", "")
		b.answer("Check it by pulling", "")
		b.hear("Opening the port can't hurt with this cable.")
		b.answer("opened? (y/n) [y]:", "")
		b.hear("Pull the UPS's mains plug")
		mains(false)(b)
		b.hear("Put everything back now")
		mains(true)(b)
		b.answer("Low battery:", "")
		b.hear("That is not what nut-6 would do: on mains it would say on battery (CTS low)")
		if list := b.hear("Which one?:"); !strings.Contains(list, "nut-11:") {
			t.Errorf("nut-11 is not offered: %s", list)
		}
		b.cancel()
		if err := b.end(); err == nil {
			t.Error("no error")
		}
	})
}

// TestForgetfulDriver: one that answers from an empty memory at first (pl2303) does
// not hide a cable that is high at rest.
func TestForgetfulDriver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "nut-7")
		b.ups.forgetful = true
		b.o.Cable = "nut-7"
		b.start()
		b.answer("look: list them again [1]:", "")
		b.answer("Check it by pulling", "")
		b.answer("opened?", "y")
		b.hear("the driver does not know the lines yet")
		b.hear("Pull the UPS's mains plug")
		mains(false)(b)
		b.hear("Put everything back now")
		mains(true)(b)
		b.hear("CTS rose")
		b.typed("")
		b.hear("this is taken for true")
		b.answer("Low battery:", "")
		b.hear("nut-7 fits: CTS low is on battery")
		b.cancel()
		_ = b.end()
	})
}

// TestExisting: what stands there is kept, and its folders stay.
func TestExisting(t *testing.T) {
	t.Parallel()
	old := "name = \"r9\"\nlisten = \":9\"\nsocket = \"/run/x.sock\"\n[discovery]\nmdns = false\n[[ups]]\nname = \"big\"\nport = \"sim\"\n[[ups]]\nname = \"small\"\nport = \"\"\n[metrics]\nlisten = \":1\"\n" +
		"[[hook]]\non = [\"fail\"]\nrun = [\"/bin/true\"]\n[node.policy]\ngrace = \"batlow\"\nlost_limit = \"1m\"\n"
	for _, tt := range []struct {
		name, old string
		a         Answers
		err, say  string
		keep      []string // in the folder afterwards
	}{
		{"no word about replacing", old, Answers{Port: "sim", Yes: true}, "write --replace", "1 more UPSes, [metrics], hooks, the rest of [node]", []string{"master.toml", "master.toml.old"}},
		{"replaced", old, Answers{Port: "sim", Yes: true, Replace: true}, "", "The old one is", []string{"master.toml", "master.toml.old", "master.toml.old2"}},
		{"as the package brings it", "[[ups]]\nname = \"main\"\nport = \"\"\n", Answers{Port: "sim", Yes: true}, "", "The old one is", []string{"master.toml", "master.toml.old", "master.toml.old2"}},
		{"full of mistakes", "nonsense\n", Answers{Port: "sim", Yes: true, Replace: true}, "", "everything, because it can't be read without errors", []string{"master.toml", "master.toml.old", "master.toml.old2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, "nut-7")
				for name, text := range map[string]string{"master.toml": tt.old, "master.toml.old": "older\n"} {
					if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				tt.a.Config, b.o.Terminal = b.o.Config, false
				b.o.Answers = tt.a
				b.start()
				if err := b.end(); tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("err %v, want %q", err, tt.err)
				}
				if all, _ := b.text(); !strings.Contains(all, tt.say) {
					t.Errorf("it said: %s\nwant %s", all, tt.say)
				}
				b.untouched(tt.keep...)
				if tt.err != "" {
					return
				}
				kept, _ := os.ReadFile(filepath.Join(b.dir, "master.toml.old2"))
				cfg, err := master.LoadConfig(b.o.Config)
				if string(kept) != tt.old || err != nil {
					t.Errorf("kept %q, %v", kept, err)
				}
				if tt.name == "replaced" && (cfg.Name != "r9" || cfg.Listen != ":9" || cfg.Socket != "/run/x.sock" || cfg.Discovery.MDNS || cfg.UPS[0].Name != "big" || !cfg.Node.Settings.GraceBatLow) {
					t.Errorf("it forgot: %s", b.wrote())
				}
			})
		})
	}
}

// TestShippedFileIsBlank: what the package brings is replaced without a question.
func TestShippedFileIsBlank(t *testing.T) {
	t.Parallel()
	e, err := look("../../deploy/master.toml")
	if err != nil || !e.blank() {
		t.Errorf("blank %v, left %q, %v", err == nil && e.blank(), e.left(), err)
	}
}

// TestSaveThatFails leaves everything as it was.
func TestSaveThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "master.toml")
	if err := os.Mkdir(path, 0o700); err != nil { // a rename onto it fails
		t.Fatal(err)
	}
	e := existing{path: path}
	if err := e.save("x"); err == nil || !strings.Contains(err.Error(), "cannot write "+path) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("err %v", err)
	}
	e = existing{path: path, text: []byte("x"), keep: filepath.Join(dir, "no", "such")}
	if err := e.save("x"); err == nil || !strings.Contains(err.Error(), "cannot keep the old file") {
		t.Errorf("err %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := look(filepath.Join(path, "x", "master.toml")); err != nil {
		t.Errorf("a folder that is still to be made: %v", err)
	}
	if _, err := look(path); err == nil {
		t.Error("a folder in the file's place is no error")
	}
}
