// Local is `make run`: the whole of walletsync on one laptop.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"walletsync/internal/local/stack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "make run:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir := os.Getenv("RUN_DIR")
	if dir == "" {
		dir = ".run"
	}
	if _, err := os.Stat(filepath.Join(dir, "stack.json")); err == nil {
		return fmt.Errorf("%s/stack.json is there: another stack runs in this folder (stop it, name another folder by RUN_DIR, or remove the file)", dir)
	}
	start := time.Now()
	// The stack outlives the signal until Close has stopped it in order.
	s, err := stack.Start(ctx, stack.Options{
		Dir: dir, StatusAddr: os.Getenv("STATUS_ADDR"), Output: logs(),
		Progress: func(what string) { fmt.Printf("%5.1fs  %s …\n", time.Since(start).Seconds(), what) },
	})
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Printf(`
walletsync runs.

  Status page    %s
  Shop           %s
  Console        %s
  For scripts    %s
  Control API    %s
  Postgres       %s

Press a button on the status page, or walk an update in the shop, and watch the row change. The console's issuer asks for no password. Ctrl-C stops all of it.
`, s.StatusURL, s.ShopURL, s.ConsoleURL, filepath.Join(dir, "stack.json"), s.ControlURL, s.DatabaseURL)
	<-ctx.Done()
	fmt.Println("\nstopping …")
	return nil
}

// logs is where the functions' lines go: nowhere, unless VERBOSE is set.
func logs() *os.File {
	if os.Getenv("VERBOSE") != "" {
		return os.Stderr
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return os.Stderr
	}
	return null
}
