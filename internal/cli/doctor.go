package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"walletsync/internal/doctor"
)

func (c *CLI) doctorCommand() *cobra.Command {
	var before, asJSON bool
	var environment string
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check a configuration before and after a deploy, with a remedy for each problem",
		Long: `Check a configuration before and after a deploy, with a remedy for each problem.

It changes nothing. For each account it asks Amazon Pay for a charge permission that
does not exist, and sends one request to each of our endpoints, which count it as
refused. It exits with 1 if a check fails.`,
		Args: cobra.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if environment != "" {
				if err := c.loadEnvironment(environment); err != nil {
					return fmt.Errorf("the environment: %w", err)
				}
			}
			d, err := c.Doctor(cmd.Context())
			if err != nil {
				return err
			}
			d.Before = before
			lines := d.Run(cmd.Context())
			if asJSON {
				err = doctor.PrintJSON(c.Out, lines)
			} else {
				err = doctor.Print(c.Out, lines, os.Getenv("NO_COLOR") == "" && IsScreen(c.Out)) // https://no-color.org
			}
			if n := doctor.CountBad(lines); err == nil && n > 0 {
				err = fmt.Errorf("%d bad: see the remedies", n)
			}
			return err
		},
	}
	f := command.Flags()
	f.BoolVar(&before, "before", false, "skip what only a deploy makes: nothing is deployed yet")
	f.BoolVar(&asJSON, "json", false, "print JSON, for programs")
	f.StringVar(&environment, "environment", "", "read the functions' environment from a `file` (- for standard input): JSON objects as get-function-configuration prints them")
	return command
}

// loadEnvironment sets the variables that the file lists: JSON objects, one after
// another, as get-function-configuration prints them for each function.
func (c *CLI) loadEnvironment(file string) error {
	in := c.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	all := map[string]string{}
	for objects := json.NewDecoder(in); ; {
		var one map[string]string
		if err := objects.Decode(&one); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		for name, value := range one {
			if known, ok := all[name]; ok && known != value {
				return fmt.Errorf("%s is not the same in all functions; deploy again", name)
			}
			all[name] = value
		}
	}
	for name, value := range all {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
