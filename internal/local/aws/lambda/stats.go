package lambda

import (
	"os"
	"slices"
	"time"
)

// Stats count what happened to a function since it was started.
type Stats struct {
	Invocations int // handed to an instance
	Errors      int // time-outs and crashes included
	Timeouts    int
	Throttles   int
	ColdStarts  int // instances started
	// Inits are the times from an instance's start to its first poll, of
	// those that came to it.
	Inits []time.Duration
	// Running instances.
	Running int
}

// Stats returns the function's counts.
func (f *Function) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Inits = slices.Clone(s.Inits)
	s.Running = len(f.instances)
	return s
}

// Usage is what a function's processes took.
type Usage struct {
	CPU time.Duration // user and system time, of all processes ever
	RSS int64         // bytes that the running ones hold now
	// PeakRSS is the most that any one of them ever held, in bytes. On Linux
	// what one that ends by itself held in its last moments is not known.
	PeakRSS int64
}

func (u *Usage) add(v Usage) {
	u.CPU += v.CPU
	u.RSS += v.RSS
	u.PeakRSS = max(u.PeakRSS, v.PeakRSS)
}

// Usage returns what the function's processes took so far. CPU time of a
// running process has the kernel's resolution, 10 ms on Linux. On other
// systems only processes that have ended are counted.
func (f *Function) Usage() Usage {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.exited
	for i := range f.instances {
		if i.running != nil {
			u.add(usageOfRunning(i.running.Pid))
		}
	}
	return u
}

// PIDs returns the running instances' process ids.
func (f *Function) PIDs() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var pids []int
	for i := range f.instances {
		if i.running != nil {
			pids = append(pids, i.running.Pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// usageOfExited is what the kernel counted for a process that was waited for.
func usageOfExited(s *os.ProcessState) Usage {
	return Usage{CPU: s.UserTime() + s.SystemTime(), PeakRSS: peakOfExited(s)}
}
