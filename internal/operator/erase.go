package operator

import (
	"context"
	"flag"
	"fmt"
	"os"

	"walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

// EraseStore is what erase needs of the store.
type EraseStore interface {
	privacy.Store
}

// Erase is the command that erases what is stored of a person.
func Erase(connect Connect) Command {
	return Command{
		Name: "erase",
		Args: "ID …",
		Line: "Erase what is stored of a person, for good",
		Help: `
The person is the buyer behind a charge permission, with all charge permissions of
the same buyer id.

Names, addresses, payment methods and what Amazon sent are blanked wherever they
are stored, the history included, and nothing is stored again until the buyer
completes an update; state, limits and times are. The feed's readers are told by a
change "erased". Links to updates that are under way end.

What is erased is first appended to the log, by id. Keep that file where a restore
of the database does not touch it: after one, the command restored needs it.
Erasing what is erased already changes nothing.`,
		Set: func(f *flag.FlagSet) func(context.Context, Terminal, []string) error {
			account := f.String("account", "", "the `account`; needed if several know the id")
			one := f.Bool("one", false, "of these charge permissions alone, not of all that the person has")
			log := f.String("log", "", "the erasure log: a `file` to append to; needed")
			return func(ctx context.Context, t Terminal, args []string) error {
				ids := make([]wallet.ChargePermissionID, len(args))
				for i, a := range args {
					var err error
					if ids[i], err = wallet.ParseChargePermissionID(a); err != nil {
						return Misused("%w", err)
					}
				}
				switch {
				case len(ids) == 0:
					return Misused("name one charge permission at least")
				case *log == "":
					return Misused("name the erasure log by --log: a restore would bring back what is in none")
				}
				parts, err := connect(ctx)
				if err != nil {
					return err
				}
				of, err := parts.configured(*account)
				if err != nil {
					return err
				}
				file, err := os.OpenFile(*log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
				if err != nil {
					return fmt.Errorf("the erasure log cannot be opened: %w", err)
				}
				defer file.Close() // what was written is on the disk
				return erase(ctx, t, &privacy.Eraser{Store: parts.Store, Log: privacy.File{Disk: file}}, of, ids, !*one)
			}
		},
	}
}

// erase erases one after the other, and tells each that is erased.
func erase(ctx context.Context, t Terminal, e *privacy.Eraser, account wallet.AccountID, ids []wallet.ChargePermissionID, whole bool) error {
	for _, id := range ids {
		all, err := e.Request(ctx, account, id, whole)
		if err != nil {
			return err
		}
		for _, p := range all {
			fmt.Fprintf(t.Out, "%s %s erased\n", p.Account, p.ID)
		}
	}
	return nil
}
