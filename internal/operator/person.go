package operator

import (
	"bytes"
	"context"
	"flag"
	"fmt"

	"walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

// PersonStore is what person needs of the store.
type PersonStore interface {
	privacy.Finder
	privacy.Buyers
	privacy.Exporter
}

// Person is the command that writes down all that is stored of a person.
func Person(connect Connect) Command {
	return Command{
		Name: "person", Args: "[ID]",
		Line: "Write down all that is stored of a person, for one who asks for it",
		Help: `
The person is the buyer behind a charge permission, with all charge permissions of
the same buyer id, or the one that --buyer names. The answer is one JSON document:
for each charge permission the buyer, the addresses and the payment state as the
back-office sees them, what Amazon Pay told last, every change with what was
before, updates with what the merchant passed along, notifications, who opened it
in the console, and the rows that all of this is read from. functions/README.md
describes it.

It holds nothing but what is in the database: ask your own shop, and those who
were given exports, for what they keep.`,
		Set: func(f *flag.FlagSet) func(context.Context, Terminal, []string) error {
			account := f.String("account", "", "the `account`; needed if several know the id")
			buyer := f.String("buyer", "", "Amazon's `id` of the buyer, in place of a charge permission")
			one := f.Bool("one", false, "of this charge permission alone, not of all that the person has")
			output := f.String("output", "", "the `file` to write, which only you may read; else standard output")
			return func(ctx context.Context, t Terminal, args []string) error {
				if (len(args) == 1) == (*buyer != "") || len(args) > 1 {
					return Misused("name a charge permission, or a buyer by --buyer")
				}
				if *one && *buyer != "" {
					return Misused("--one is of a charge permission")
				}
				var id wallet.ChargePermissionID
				if *buyer == "" {
					var err error
					if id, err = wallet.ParseChargePermissionID(args[0]); err != nil {
						return Misused("%w", err)
					}
				}
				parts, err := connect(ctx)
				if err != nil {
					return err
				}
				of, err := parts.configured(*account)
				if err != nil {
					return err
				}
				var all []privacy.Permission
				if *buyer == "" {
					all, _, err = privacy.Find(ctx, parts.Store, of, id, !*one)
				} else {
					all, err = privacy.FindBuyer(ctx, parts.Store, of, *buyer)
				}
				if err != nil {
					return err
				}
				return tell(ctx, t, parts.Store, all, *output)
			}
		},
	}
}

// tell writes down what is stored of charge permissions, which are of one account.
func tell(ctx context.Context, t Terminal, store PersonStore, all []privacy.Permission, output string) error {
	document, err := privacy.Export(ctx, store, all)
	if err != nil {
		return fmt.Errorf("read what is stored: %w", err)
	}
	out, done := t.Out, func(err error) error { return err }
	if output != "" {
		if out, done, err = created(output); err != nil {
			return err
		}
	}
	_, err = out.Write(append(bytes.TrimSpace(document), '\n'))
	if err = done(err); err == nil {
		fmt.Fprintf(t.Err, "%s of account %s\n", some(len(all), "charge permission"), all[0].Account)
	}
	return err
}
