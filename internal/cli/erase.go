package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

func (c *CLI) eraseCommand() *cobra.Command {
	var account, log string
	var one bool
	command := &cobra.Command{
		Use:   "erase ID...",
		Short: "Erase what is stored about a person, for good",
		Long: `Erase what is stored about a person, for good.

The person is the buyer behind a charge permission, with all charge permissions of
the same buyer id.

Names, addresses, payment methods and Amazon's answers are blanked wherever they
are stored, the history included. Nothing of them is stored again until the buyer
completes an update; state, limits and times are. The change feed reports it as a
change "erased". Links to unfinished updates end.

Each erasure is first appended to the erasure log, by id. Keep that file out of
reach of a restore of the database: after one, after-restore needs it. To erase a
person twice changes nothing.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if log == "" {
				return usagef("--log is required")
			}
			ids := make([]wallet.ChargePermissionID, len(args))
			for i, a := range args {
				var err error
				if ids[i], err = wallet.ParseChargePermissionID(a); err != nil {
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
			file, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("open the erasure log: %w", err)
			}
			defer file.Close() // each line is synced when it is written
			e := &privacy.Eraser{Store: parts.Store, Log: privacy.File{Disk: file}}
			for _, id := range ids {
				erased, err := e.Request(cmd.Context(), of, id, !one)
				if err != nil {
					return err
				}
				for _, p := range erased {
					fmt.Fprintf(c.Out, "%s %s erased\n", p.Account, p.ID)
				}
			}
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&account, "account", "", "the `account`; required if several have the id")
	f.BoolVar(&one, "one", false, "only these charge permissions, not all of the person's")
	f.StringVar(&log, "log", "", "append to this `file`, the erasure log; required")
	return command
}
