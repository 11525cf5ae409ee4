//go:build unix && !linux

package lambda

import (
	"os"
	"syscall"
)

// processAttributes give a process a group of its own, so that Ctrl-C does not
// reach it before we stop it. If we are killed, it ends when it next speaks to
// the Runtime API.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// peakOfExited is the most that a process held: ru_maxrss, in bytes (getrusage(2)
// of macOS; the BSDs count in kilobytes, which is not measured here).
func peakOfExited(s *os.ProcessState) int64 {
	if r, ok := s.SysUsage().(*syscall.Rusage); ok {
		return r.Maxrss
	}
	return 0
}

// usageOfRunning is unavailable without /proc.
func usageOfRunning(int) Usage { return Usage{} }
