package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// write lets do write standard output, if name is empty, or a file of that name.
//
// The file is a new one beside it, with a random name and mode 0600, which is
// renamed when complete and removed if do fails. So no existing file is opened,
// and no link followed. A pipe or a device is written directly.
func (c *CLI) write(name string, do func(io.Writer) error) (err error) {
	if name == "" {
		return do(c.Out)
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return writeDevice(name, do)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.part") // mode 0600
	if err != nil {
		return fmt.Errorf("create the file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := errors.Join(do(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func writeDevice(name string, do func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	defer f.Close()
	// The opened file may not be the one that Stat saw.
	if info, err := f.Stat(); err != nil || info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("open the file: %s was replaced meanwhile", name), err)
	}
	return do(f)
}
