// Package cli is walletsync's command line, for the merchant's engineers. Its
// commands run in the environment of the functions. They read their arguments,
// call a feature and report; no feature knows this package.
//
// No command calls Amazon Pay for a charge permission: it requests refreshes, and
// the worker makes them. Every command can be stopped at any moment and run again.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"walletsync/internal/doctor"
	"walletsync/internal/privacy"
	"walletsync/internal/reconcile"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// CLI is the program: its streams, and how it gets what its commands work with.
type CLI struct {
	In  io.Reader
	Out io.Writer // results
	Err io.Writer // progress, counts and errors
	// Bars is true if Err is a screen, which shows progress as bars.
	Bars bool
	// Connect and Doctor read the configuration. They are called once the command
	// line is known to be right.
	Connect func(context.Context) (Parts, error)
	Doctor  func(context.Context) (*doctor.Doctor, error)

	started bool // a command's own code has begun
}

// Parts are what the commands work with.
type Parts struct {
	Accounts []wallet.AccountID
	Store    Store
	Waker    refresh.Waker
	// FetchLimit is how many charge permissions of an account the worker fetches
	// at once. With a wake-up a second it is also the limit per second.
	FetchLimit int
}

// Store is what the commands need of the database.
type Store interface {
	Exporter
	ImportStore
	Inbox
	RestoreStore
	privacy.Store
	privacy.Buyers
	privacy.Exporter
}

// The program's exit codes.
const (
	Done   = 0
	Failed = 1
	Misuse = 2
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Run runs the command that args name, and returns the exit code.
func (c *CLI) Run(ctx context.Context, args []string) int {
	root := c.root()
	if len(args) == 0 {
		root.SetOut(c.Err)
		root.SetArgs([]string{"--help"})
		_ = root.ExecuteContext(ctx)
		return Misuse
	}
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch path := command.CommandPath(); {
	case err == nil:
		return Done
	case !c.started, errors.As(err, &usage):
		fmt.Fprintf(c.Err, "%s: %v\nSee %s --help.\n", path, err, path)
		return Misuse
	case ctx.Err() != nil:
		fmt.Fprintf(c.Err, "%s: stopped; run it again to continue\n", path)
	default:
		fmt.Fprintf(c.Err, "%s: %v\n", path, err)
	}
	return Failed
}

func (c *CLI) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "walletsync",
		Short: "Import, export, erase and check what walletsync stores",
		Long: `Import, export, erase and check what walletsync stores.

The commands run in the environment of the functions (functions/README.md).
Exit codes: 0 done, 1 failed, 2 wrong command line.`,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // erase must not be one
		PersistentPreRun:   func(*cobra.Command, []string) { c.started = true },
	}
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.AddCommand(c.importCommand(), c.exportCommand(), c.exportPersonCommand(), c.eraseCommand(),
		c.afterRestoreCommand(), c.incidentCommand(), c.doctorCommand())
	return root
}

// IsScreen reports whether f is a terminal.
func IsScreen(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// account returns the account of that name, or the only one if name is empty.
func (p Parts) account(name string) (wallet.AccountID, error) {
	if name == "" && len(p.Accounts) == 1 {
		return p.Accounts[0], nil
	}
	if name == "" {
		return "", usagef("--account is required; configured: %s", names(p.Accounts))
	}
	return p.optionalAccount(name)
}

// optionalAccount returns the account of that name, which may be empty.
func (p Parts) optionalAccount(name string) (wallet.AccountID, error) {
	a := wallet.AccountID(name)
	if a != "" && !slices.Contains(p.Accounts, a) {
		return "", usagef("account %q is not configured; configured: %s", name, names(p.Accounts))
	}
	return a, nil
}

func names(accounts []wallet.AccountID) string {
	all := make([]string, len(accounts))
	for i, a := range accounts {
		all[i] = string(a)
	}
	return strings.Join(all, ", ")
}

// wake sends the wake-up that an account's worker needs. If it fails, the
// reconciler sends it.
func (p Parts) wake(ctx context.Context, a wallet.AccountID, report *progress) {
	w := reconcile.Wake{Store: p.Store, Waker: p.Waker}
	if err := w.Do(ctx, a); err != nil {
		report.say("wake the worker of account %s: %v; the reconciler will do it on its next run", a, err)
	}
}
