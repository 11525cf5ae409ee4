package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAStackRemovesOnlyAFolderOfItsOwn(t *testing.T) {
	write := func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string)
		refused bool
		kept    bool // the folder itself, empty
	}{
		{name: "one that does not exist", prepare: func(t *testing.T, dir string) {
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "an empty one", prepare: func(*testing.T, string) {}, kept: true},
		{name: "one that a killed stack left", prepare: func(t *testing.T, dir string) {
			if _, err := takeDir(dir); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "cli.env"))
		}},
		{name: "a home folder", prepare: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "thesis.txt")) }, refused: true},
		{name: "a folder with stack.json alone", prepare: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "stack.json")) }, refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			c.prepare(t, dir)
			before, _ := os.ReadDir(dir)
			remove, err := takeDir(dir)
			if c.refused {
				if err == nil || !strings.Contains(err.Error(), "name an empty folder") {
					t.Fatalf("error %v, want a refusal with the remedy", err)
				}
				if after, _ := os.ReadDir(dir); len(after) != len(before) {
					t.Errorf("the folder was changed: %v", after)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "stack.json"))
			if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
				t.Fatal(err)
			}
			remove()
			after, err := os.ReadDir(dir)
			if c.kept && (err != nil || len(after) != 0) || !c.kept && !os.IsNotExist(err) {
				t.Errorf("afterwards the folder holds %v, %v", after, err)
			}
		})
	}
}

func TestAFileInPlaceOfTheRunFolderIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := takeDir(path); err == nil {
		t.Error("taken")
	}
}
