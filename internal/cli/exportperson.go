package cli

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

func (c *CLI) exportPersonCommand() *cobra.Command {
	var account, buyer, output string
	var one bool
	command := &cobra.Command{
		Use:   "export-person [ID]",
		Short: "Write all that is stored about a person, for a request of theirs",
		Long: `Write all that is stored about a person, for a request of theirs.

The person is the buyer behind a charge permission, with all charge permissions of
the same buyer id, or the one of --buyer. The result is one JSON document: for each
charge permission the buyer, the addresses and the payment state as in the views of
back_office, Amazon Pay's last answer, every change with the values before and
after, updates with what the merchant passed along, notifications, who opened it in
the console, and the rows that all of this comes from. functions/README.md
describes it.

It contains only what is in the database: ask your own shop, and everyone who
received exports, for what they keep.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case (len(args) == 1) == (buyer != ""):
				return usagef("either a charge permission id or --buyer is required")
			case one && buyer != "":
				return usagef("--one needs a charge permission id")
			}
			var id wallet.ChargePermissionID
			if buyer == "" {
				var err error
				if id, err = wallet.ParseChargePermissionID(args[0]); err != nil {
					return usageError{err}
				}
			}
			parts, err := c.Connect(cmd.Context())
			if err != nil {
				return err
			}
			of, err := parts.optionalAccount(account)
			if err != nil {
				return err
			}
			var all []privacy.Permission
			if buyer == "" {
				all, _, err = privacy.Find(cmd.Context(), parts.Store, of, id, !one)
			} else {
				all, err = privacy.FindBuyer(cmd.Context(), parts.Store, of, buyer)
			}
			if err != nil {
				return err
			}
			document, err := privacy.Export(cmd.Context(), parts.Store, all)
			if err != nil {
				return fmt.Errorf("read what is stored: %w", err)
			}
			if err := c.write(output, func(out io.Writer) error {
				_, err := out.Write(append(bytes.TrimSpace(document), '\n'))
				return err
			}); err != nil {
				return err
			}
			fmt.Fprintf(c.Err, "%s of account %s\n", count(len(all), "charge permission"), all[0].Account)
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&account, "account", "", "the `account`; required if several have the id")
	f.StringVar(&buyer, "buyer", "", "Amazon's `id` of the buyer, instead of a charge permission id")
	f.BoolVar(&one, "one", false, "only this charge permission, not all of the person's")
	f.StringVar(&output, "output", "", "write to this `file`, mode 0600, instead of standard output")
	return command
}
