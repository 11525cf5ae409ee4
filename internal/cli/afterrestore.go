package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"walletsync/internal/privacy"
)

func (c *CLI) afterRestoreCommand() *cobra.Command {
	var noLog bool
	command := &cobra.Command{
		Use:   "after-restore LOG...",
		Short: "Repair the database after a restore, or a failover that lost commits",
		Long: `Repair the database after a restore, or a failover that lost commits.

Run it before the functions work on the restored database. It raises the change
feed's counter by 2^40, so that every reader's cursor stays valid; ends all leases;
repeats the erasures since the backup; and requests a refresh of everything that is
not closed, behind the day's work and as fast as the share of the quota allows.

LOG is the erasure log: the files of "walletsync erase --log", and the log lines of
the reconciler and the console as they wrote them; other lines are ignored. "-" is
standard input. Use --no-log if no person was ever erased.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !noLog:
				return usagef("an erasure log or --no-log is required: without the log, erased people return with the backup")
			case len(args) > 0 && noLog:
				return usagef("--no-log and a log exclude each other")
			}
			var erasures []privacy.Erasure
			for _, name := range args {
				if err := c.readErasures(name, &erasures); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			parts, err := c.Connect(cmd.Context())
			if err != nil {
				return err
			}
			p, current := c.progress("", 0), ""
			defer func() { p.end() }()
			r, err := AfterRestore(cmd.Context(), parts.Store, erasures, func(step string, done, total int) {
				if step != current {
					p.end()
					p, current = c.progress(step, int64(total)), step
				}
				p.set(int64(done))
			})
			if err != nil {
				return err
			}
			p.end()
			for _, a := range parts.Accounts {
				parts.wake(cmd.Context(), a, p)
			}
			fmt.Fprintf(c.Out, "%20d  position of the change feed; new changes come after it\n%20s  leases ended\n"+
				"%20s  charge permissions erased, by %s of the erasure log\n%20s  in the erasure log but updated since by their buyers: kept\n%20s  refreshes requested\n",
				r.Position, thousands(r.Leases), thousands(r.Erased), count(len(erasures), "line"), thousands(r.Updated), thousands(r.Requested))
			return nil
		},
	}
	command.Flags().BoolVar(&noLog, "no-log", false, "there is no erasure log")
	return command
}

// readErasures appends the erasures of a log to all.
func (c *CLI) readErasures(name string, all *[]privacy.Erasure) error {
	in := c.In
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("open the erasure log: %w", err)
		}
		defer file.Close()
		in = file
	}
	return privacy.ReadLog(in, func(e privacy.Erasure) error {
		*all = append(*all, e)
		return nil
	})
}
