// Package operator is the program of the merchant's engineers: commands that are
// run by hand, in the environment of the functions. It fetches nothing from
// Amazon Pay itself; what is to be fetched it marks wanted, and the worker does.
//
// A command is a file with a function that makes it, which declares what it
// needs of the store; functions/operator lists them. What a command is about
// stands in the package that owns the matter, if there is one. Every command is
// safe to stop at any moment, and to run again.
package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"walletsync/internal/reconcile"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// Parts are what the commands work with.
type Parts struct {
	Accounts []wallet.AccountID
	Store    Store
	Waker    refresh.Waker
	// FetchLimit is how many charge permissions of an account the worker fetches
	// at once, and so, a wake-up a second, in a second.
	FetchLimit int
}

// Store is what the commands need of the store; each declares its own part in its
// file, and is embedded here.
type Store interface {
	ExportStore
	ImportStore
	IncidentStore
	PersonStore
	EraseStore
	RestoredStore
}

// account returns the one that is named, or the only one that there is.
func (p Parts) account(name string) (wallet.AccountID, error) {
	if name != "" {
		return p.configured(name)
	}
	if len(p.Accounts) != 1 {
		return "", Misused("there are several accounts; name one by --account: %s", names(p.Accounts))
	}
	return p.Accounts[0], nil
}

// configured returns the account that is named, empty if none is.
func (p Parts) configured(name string) (wallet.AccountID, error) {
	a := wallet.AccountID(name)
	if a != "" && !slices.Contains(p.Accounts, a) {
		return "", Misused("account %q is not configured; configured: %s", name, names(p.Accounts))
	}
	return a, nil
}

func names(accounts []wallet.AccountID) string {
	var all []string
	for _, a := range accounts {
		all = append(all, string(a))
	}
	return strings.Join(all, ", ")
}

// wake sends the wake-up that an account's worker needs. If it cannot, the
// reconciler will.
func (p Parts) wake(ctx context.Context, a wallet.AccountID, told *progress) {
	w := reconcile.Wake{Store: p.Store, Waker: p.Waker}
	if err := w.Do(ctx, a); err != nil {
		told.say("the worker of account %s was not woken, which the reconciler does on its next run: %v", a, err)
	}
}

// Connect reads the configuration and builds the parts. No command asks for them
// before it has understood what it is to do.
type Connect func(context.Context) (Parts, error)

// Command is one thing that the program does.
type Command struct {
	Name string
	Args string // what follows the flags, as the help shows it
	Line string // what it does, for the list of commands
	Help string // what else to know, for the command's own help
	// Set declares the command's flags, and returns what runs it once they are
	// read. Flags may stand before and after the arguments.
	Set func(*flag.FlagSet) func(ctx context.Context, t Terminal, args []string) error
}

// Terminal is where a command talks to who runs it: results go to Out, all that
// is told about them to Err.
type Terminal struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// Bars: Err is a screen, on which a line can be written over.
	Bars bool
	Now  func() time.Time
}

// Screen reports whether f is a terminal with somebody before it.
func Screen(f any) bool {
	file, ok := f.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Program is the commands and where they talk.
type Program struct {
	Commands []Command
	Terminal
}

// The program's exit codes.
const (
	Done   = 0
	Failed = 1
	Misuse = 2
)

// misuse is an error in how a command was called.
type misuse struct{ error }

// Misused returns an error that says what is wrong with how a command was called.
func Misused(format string, args ...any) error { return misuse{fmt.Errorf(format, args...)} }

// Run runs the command that args name, and returns the exit code.
func (p Program) Run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		p.help(p.Err)
		return Misuse
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		p.help(p.Out)
		return Done
	}
	for _, c := range p.Commands {
		if c.Name == args[0] {
			return p.run(ctx, c, args[1:])
		}
	}
	fmt.Fprintf(p.Err, "operator: there is no command %q; operator --help lists them\n", args[0])
	return Misuse
}

func (p Program) run(ctx context.Context, c Command, args []string) int {
	flags := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	do := c.Set(flags)
	args, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.help(p.Out, flags)
		return Done
	case err != nil:
		err = misuse{err}
	default:
		err = do(ctx, p.Terminal, args)
	}
	var wrong misuse
	switch {
	case err == nil:
		return Done
	case errors.As(err, &wrong):
		fmt.Fprintf(p.Err, "operator %s: %v; operator %s --help says how it is called\n", c.Name, err, c.Name)
		return Misuse
	case ctx.Err() != nil:
		fmt.Fprintf(p.Err, "operator %s: stopped; run it again to go on\n", c.Name)
	default:
		fmt.Fprintf(p.Err, "operator %s: %v\n", c.Name, err)
	}
	return Failed
}

// parse reads the flags, which may stand anywhere before "--", and returns the
// arguments.
func parse(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		read := args[:len(args)-flags.NArg()]
		args = flags.Args()
		if len(args) == 0 || len(read) > 0 && read[len(read)-1] == "--" {
			return append(rest, args...), nil
		}
		rest, args = append(rest, args[0]), args[1:]
	}
}

func (p Program) help(w io.Writer) {
	fmt.Fprint(w, "usage: operator <command> [flags]\n\nIt runs in the environment of the functions (functions/README.md).\n\n")
	for _, c := range p.Commands {
		fmt.Fprintf(w, "  %-10s %s\n", c.Name, c.Line)
	}
	fmt.Fprint(w, "\noperator <command> --help says more. Exit codes: 0 done, 1 failed, 2 called in a wrong way.\n")
}

func (c Command) help(w io.Writer, flags *flag.FlagSet) {
	fmt.Fprintf(w, "usage: %s\n\n%s.\n", strings.Join(strings.Fields("operator "+c.Name+" [flags] "+c.Args), " "), c.Line)
	if c.Help != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.Help))
	}
	first := true
	flags.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprint(w, "\nFlags:\n")
			first = false
		}
		value, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  %-24s %s", strings.TrimSpace("--"+f.Name+" "+value), usage)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			fmt.Fprintf(w, " (%s)", f.DefValue)
		}
		fmt.Fprintln(w)
	})
}
