package lambda

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// processAttributes give a process a group of its own, so that Ctrl-C does not
// reach it before we stop it, and end it if we are killed.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// peakOfExited is not known: ru_maxrss begins with what the parent held when
// it started the process (execve keeps the high-water mark of the memory that it
// replaces). So a process is asked before it is ended.
func peakOfExited(*os.ProcessState) int64 { return 0 }

// clockTick is the unit of the times in /proc/<pid>/stat: USER_HZ is 100 on
// every platform that Go supports (proc(5)).
const clockTick = time.Second / 100

// usageOfRunning reads /proc; a process that has just ended took nothing more.
func usageOfRunning(pid int) Usage {
	var u Usage
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		// The command's name, in parentheses, may hold anything; after it come
		// state, ten other fields, utime and stime.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 12 {
			u.CPU = time.Duration(number(fields[11])+number(fields[12])) * clockTick
		}
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
		for line := range bytes.Lines(status) {
			name, value, _ := bytes.Cut(line, []byte(":"))
			kilobytes := number(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB")))
			switch string(name) {
			case "VmRSS":
				u.RSS = kilobytes << 10
			case "VmHWM":
				u.PeakRSS = kilobytes << 10
			}
		}
	}
	return u
}

// number is a field's value; the kernel's are well-formed.
func number(field []byte) int64 {
	n, _ := strconv.ParseInt(string(field), 10, 64)
	return n
}
