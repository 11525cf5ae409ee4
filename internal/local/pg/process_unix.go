//go:build unix && !linux

package pg

import "syscall"

// dieWithParent does nothing here: only Linux can. A PostgreSQL that lost its
// parent ends within a minute after the next Start has swept its folder away,
// because it misses its postmaster.pid.
func dieWithParent(*syscall.SysProcAttr) {}
