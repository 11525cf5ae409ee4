package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// dirMarker is a file that marks a folder as one of ours, whose content may be
// removed: a stack that was killed leaves its folder behind.
const dirMarker = ".walletsync-stack"

// takeDir makes the folder that the stack writes its files to, and returns what
// removes it. A folder that exists must be empty or marked by an earlier stack;
// any other is refused, because all of it is removed in the end.
func takeDir(dir string) (remove func(), err error) {
	entries, err := os.ReadDir(dir)
	exists := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	marker := filepath.Join(dir, dirMarker)
	if _, err := os.Lstat(marker); len(entries) > 0 && err != nil {
		return nil, fmt.Errorf("%s holds files that are not of a stack, and would be removed when the stack stops; name an empty folder, or one that does not exist yet", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		return nil, err
	}
	if exists && len(entries) == 0 { // the user's own, and perhaps a mount
		return func() { _ = removeContent(dir) }, nil
	}
	return func() { _ = os.RemoveAll(dir) }, nil
}

func removeContent(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}
