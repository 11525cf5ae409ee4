package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"walletsync/internal/costs"
	"walletsync/internal/operator"
)

// costsCommand prints what a deployment costs. It needs no configuration.
func costsCommand() operator.Command {
	return operator.Command{
		Name: "costs",
		Line: "Compute what a deployment costs in a month, by the number of notifications",
		Help: `The files that it computes of are in internal/costs; change a copy and name it.`,
		Set: func(flags *flag.FlagSet) func(context.Context, operator.Terminal, []string) error {
			prices := flags.String("prices", "", "AWS's prices, a `file` as prices.json")
			assumed := flags.String("assumed", "", "what is assumed of the merchant, a `file` as assumed.json")
			measured := flags.String("measured", "", "what the functions take, a `file` as measured.json")
			return func(_ context.Context, t operator.Terminal, args []string) error {
				if len(args) > 0 {
					return operator.Misused("it takes no argument, and %q is one", args[0])
				}
				var files [3][]byte
				for i, name := range []string{*measured, *assumed, *prices} {
					if name == "" {
						continue
					}
					var err error
					if files[i], err = os.ReadFile(name); err != nil {
						return err
					}
				}
				in, err := costs.Load(files[0], files[1], files[2])
				if err != nil {
					return fmt.Errorf("cannot be used: %w", err)
				}
				_, err = io.WriteString(t.Out, costs.Table(in))
				return err
			}
		},
	}
}
