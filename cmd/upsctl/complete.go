package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// completeLimit is how long a daemon may take to name what could be meant: somebody
// waits for it at a prompt.
const completeLimit = 500 * time.Millisecond

// shells are those that completion can be written for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func (c *cli) completionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "completion for a shell, to be read by it",
		Long: `Writes a script that makes the shell complete verbs, flags and the names of nodes,
UPSes and cables. It asks the daemon for them, for half a second at most; where none
answers there are none. That of bash needs the package bash-completion.`,
		Example: `  source <(upsctl completion bash)   # for this shell
  upsctl completion bash >/etc/bash_completion.d/upsctl
  upsctl completion zsh >"${fpath[1]}/_upsctl"
  upsctl completion fish >~/.config/fish/completions/upsctl.fish
  upsctl completion powershell | Out-String | Invoke-Expression`,
		Args: arguments(1, 1), ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(c.out, true)
			case "zsh":
				return root.GenZshCompletion(c.out)
			case "fish":
				return root.GenFishCompletion(c.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(c.out)
			default:
				return usageError{fmt.Sprintf("no completion is known for %q", args[0]), "write " + strings.Join(shells, ", ")}
			}
		},
	}
}

// completion is what cobra asks for names.
type completion = func(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective)

// beginning returns the names that complete what was begun.
func beginning(begun string, names []string) ([]string, cobra.ShellCompDirective) {
	other := func(name string) bool { return !strings.HasPrefix(name, begun) }
	return slices.DeleteFunc(slices.Clone(names), other), cobra.ShellCompDirectiveNoFileComp
}

// words completes by fixed words.
func words(all ...string) completion {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return beginning(begun, all)
	}
}

// nothing completes by nothing: not by the files that lie about either.
func nothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// onlyFirst completes the first argument, and no other.
func onlyFirst(first completion) completion {
	return func(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(given) > 0 {
			return nothing(cmd, given, begun)
		}
		return first(cmd, given, begun)
	}
}

// named completes by names that find gets of whoever is asked; those given already
// are not offered again. Whatever goes wrong, there are none: a prompt is no place
// for errors.
func (c *cli) named(find func(context.Context, *grpc.ClientConn) []string) completion {
	return func(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeLimit)
		defer cancel()
		conn, err := c.dial(ctx)
		if err != nil {
			return nothing(cmd, given, begun)
		}
		defer func() { _ = conn.Close() }()
		names := slices.DeleteFunc(find(ctx, conn), func(n string) bool { return n == "" || n != clean(n) || slices.Contains(given, n) })
		return beginning(begun, names)
	}
}

// nodeNames completes the names of nodes.
func (c *cli) nodeNames(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	return c.named(func(ctx context.Context, conn *grpc.ClientConn) (names []string) {
		p, _ := look(ctx, conn, false)
		for _, n := range p.Nodes {
			names = append(names, n.Name)
		}
		return names
	})(cmd, given, begun)
}

// upsNames completes the names of UPSes.
func (c *cli) upsNames(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	return c.named(func(ctx context.Context, conn *grpc.ClientConn) (names []string) {
		p, _ := look(ctx, conn, false)
		for _, m := range p.Masters {
			for _, u := range m.UPS {
				names = append(names, u.Name)
			}
		}
		return names
	})(cmd, given, begun)
}

// tokenIDs completes the ids of tokens.
func (c *cli) tokenIDs(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	return c.named(func(ctx context.Context, conn *grpc.ClientConn) (ids []string) {
		resp, _ := upsv1.NewControlServiceClient(conn).ListTokens(ctx, &upsv1.ListTokensRequest{})
		for _, t := range resp.GetTokens() {
			ids = append(ids, t.GetId())
		}
		return ids
	})(cmd, given, begun)
}

// flagWords makes a flag complete.
func flagWords(cmd *cobra.Command, flag string, by completion) {
	// It only fails for a flag that the verb does not have, which a test would see.
	_ = cmd.RegisterFlagCompletionFunc(flag, by)
}
