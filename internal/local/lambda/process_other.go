//go:build unix && !linux

package lambda

import "syscall"

// processAttributes give a process a group of its own, so that Ctrl-C does not
// reach it before we stop it. If we are killed, it ends when it next speaks to
// the Runtime API.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// rusageUnit is the unit of ru_maxrss, in bytes (getrusage(2) of the BSDs and
// macOS; the BSDs count in kilobytes, which nobody measures here).
const rusageUnit = 1

// usageOfRunning is not to be had without /proc.
func usageOfRunning(int) Usage { return Usage{} }
