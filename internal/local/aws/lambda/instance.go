package lambda

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// instance is one process of a function: at most one invocation at a time.
type instance struct {
	f       *Function
	ready   chan struct{} // closed at its first poll
	exited  chan struct{} // closed when its process has ended
	work    chan *invocation
	started time.Time

	// Below guarded by f.mu.
	running   *os.Process // nil: not running
	current   *invocation
	delivered bool // current is in the function's hands
	polls     int
	limit     *time.Timer    // ends a process that takes too long to its next poll
	reported  *FunctionError // to init/error
	exitError error
}

// start is a process to start, and where its error goes.
type start struct {
	cmd    *exec.Cmd
	result chan<- error
}

// startProcesses starts all processes of the function on one thread that lives
// as long as they do: the kernel's parent-death signal goes by the thread
// (prctl(2), PR_SET_PDEATHSIG).
func (f *Function) startProcesses() {
	runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
	for s := range f.starts {
		s.result <- s.cmd.Start()
	}
}

// launch begins a new instance. The caller holds f.mu.
func (f *Function) launch() *instance {
	i := &instance{
		f:       f,
		ready:   make(chan struct{}),
		exited:  make(chan struct{}),
		work:    make(chan *invocation, 1),
		started: time.Now(),
	}
	i.limit = time.AfterFunc(initTimeout, func() { i.expire(nil, 0, 0) })
	f.instances[i] = struct{}{}
	f.stats.ColdStarts++
	f.wg.Go(i.run)
	return i
}

// assign gives the instance its next invocation. The caller holds f.mu.
func (i *instance) assign(inv *invocation) {
	i.current = inv
	i.work <- inv // has room: there was none
}

// run is the instance's life.
func (i *instance) run() {
	err := i.process()
	f := i.f
	f.mu.Lock()
	defer f.mu.Unlock()
	defer close(i.exited)
	delete(f.instances, i)
	f.idle = slices.DeleteFunc(f.idle, func(other *instance) bool { return other == i })
	i.limit.Stop()
	i.exitError = err

	inv := i.current
	i.current = nil
	switch {
	case inv == nil:
	case f.closed:
		inv.answer <- answer{err: ErrStopped}
	case !i.delivered && i.polls > 0 && i.reported == nil:
		// It ended between two invocations; the second was never its own.
		f.waiting = slices.Insert(f.waiting, 0, inv)
	default:
		f.stats.Errors++
		e := i.reported
		if e == nil {
			e = &FunctionError{"Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: Runtime exited %v", inv.id, describe(err))}
		}
		inv.answer <- answer{err: e}
	}
	for !f.closed && len(f.waiting) > 0 && len(f.instances) < f.config.MaxConcurrency {
		inv := f.waiting[0]
		f.waiting = f.waiting[1:]
		f.launch().assign(inv)
	}
}

// describe says how a process ended, in Lambda's words.
func describe(err error) string {
	if err == nil {
		return "without providing a reason"
	}
	return "with error: " + err.Error()
}

// failure is why the instance ended.
func (i *instance) failure() error {
	i.f.mu.Lock()
	defer i.f.mu.Unlock()
	if i.reported != nil {
		return i.reported
	}
	return errors.New("it exited " + describe(i.exitError))
}

// process serves the Runtime API to one process, from its start to its end.
func (i *instance) process() error {
	f := i.f
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the Runtime API: %w", err)
	}
	server := &http.Server{Handler: i.api(), ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // until Close
	defer serving.Wait()
	defer func() { _ = server.Close() }()

	cmd := exec.Command(f.config.Binary)
	cmd.Dir = filepath.Dir(f.config.Binary)
	cmd.Env = append(slices.Clone(f.env), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String())
	cmd.SysProcAttr = processAttributes()
	cmd.WaitDelay = time.Second // if something else holds its output open
	if f.config.Output != nil {
		stdout, stderr := &lines{lock: &f.output, to: f.config.Output}, &lines{lock: &f.output, to: f.config.Output}
		cmd.Stdout, cmd.Stderr = stdout, stderr
		defer stdout.flush()
		defer stderr.flush()
	}
	result := make(chan error)
	f.starts <- start{cmd, result}
	if err := <-result; err != nil {
		return fmt.Errorf("start: %w", err)
	}
	f.mu.Lock()
	i.running = cmd.Process
	f.mu.Unlock()
	stop := context.AfterFunc(f.ctx, i.terminate)

	err = cmd.Wait()
	stop()
	f.mu.Lock()
	i.running = nil
	f.exited.add(usageOfExited(cmd.ProcessState))
	f.mu.Unlock()
	return err
}

// terminate asks the process to end, and makes it.
func (i *instance) terminate() {
	i.f.mu.Lock()
	i.signal(syscall.SIGTERM)
	i.f.mu.Unlock()
	select {
	case <-i.exited:
	case <-time.After(grace):
		i.f.mu.Lock()
		i.signal(syscall.SIGKILL)
		i.f.mu.Unlock()
	}
}

// signal sends a signal to the process, if it runs. The caller holds f.mu.
func (i *instance) signal(s syscall.Signal) {
	if i.running != nil {
		i.f.exited.PeakRSS = max(i.f.exited.PeakRSS, usageOfRunning(i.running.Pid).PeakRSS)
		_ = i.running.Signal(s) // it may just have ended
	}
}

// free takes an instance without work: it gets what waits, or is idle. The
// caller holds f.mu.
func (f *Function) free(i *instance) {
	if len(f.waiting) > 0 {
		inv := f.waiting[0]
		f.waiting = f.waiting[1:]
		i.assign(inv)
		return
	}
	f.idle = append(f.idle, i)
}

// api is the instance's Runtime API, version 2018-06-01.
func (i *instance) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", i.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", i.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", i.invocationError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", i.initError)
	// A function that asks for SIGTERM registers as an internal extension
	// (Lambda Extensions API, version 2020-01-01), and then waits for events
	// that it did not ask for.
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "local")
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"functionName":%q,"functionVersion":"$LATEST","handler":"bootstrap"}`, i.f.config.Name)
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	return mux
}

// next hands over an invocation, when there is one. Asking for it ends the one
// before.
func (i *instance) next(w http.ResponseWriter, r *http.Request) {
	f := i.f
	f.mu.Lock()
	if i.delivered {
		f.mu.Unlock()
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the last invocation has no answer yet")
		return
	}
	i.limit.Stop()
	i.polls++
	if i.polls == 1 {
		f.stats.Inits = append(f.stats.Inits, time.Since(i.started))
		close(i.ready)
		if i.current == nil {
			f.free(i)
		}
	}
	f.mu.Unlock()

	var inv *invocation
	select {
	case <-r.Context().Done():
		return
	case inv = <-i.work:
	}
	f.mu.Lock()
	i.delivered = true
	f.stats.Invocations++
	timeout := f.config.Timeout
	deadline := time.Now().Add(timeout)
	polls := i.polls
	i.limit = time.AfterFunc(timeout, func() { i.expire(inv, polls, timeout) })
	f.mu.Unlock()

	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(deadline.UnixMilli()))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", f.arn)
	h.Set("Lambda-Runtime-Trace-Id", inv.trace)
	_, _ = w.Write(inv.payload) // a process that is gone is noticed when it is waited for
}

// expire ends an instance whose time is over: in its initialisation, in an
// invocation, or after it, before it asked for the next. polls shows that it
// has not asked since.
func (i *instance) expire(inv *invocation, polls int, timeout time.Duration) {
	f := i.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if i.polls != polls {
		return
	}
	if i.delivered {
		i.current, i.delivered = nil, false
		f.stats.Errors++
		f.stats.Timeouts++
		inv.answer <- answer{err: &FunctionError{"Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", inv.id, timeout.Seconds())}}
	}
	i.signal(syscall.SIGKILL)
}

// response takes the function's answer.
func (i *instance) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maximumPayload+1))
	if err != nil {
		refuse(w, http.StatusBadRequest, "TruncatedResponse", "the response could not be read")
		return
	}
	id := r.PathValue("id")
	a := answer{payload: body}
	switch {
	case len(body) > maximumPayload:
		_, _ = io.Copy(io.Discard, r.Body)
		a = answer{err: &FunctionError{"Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maximumPayload)}}
	case r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "":
		// The handler's reader failed half-way.
		a = answer{err: &FunctionError{r.Trailer.Get("Lambda-Runtime-Function-Error-Type"), "the response broke off"}}
	}
	if !i.finish(id, a) {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "no such invocation")
		return
	}
	if len(body) > maximumPayload {
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "the response is too large")
		return
	}
	accept(w)
}

// invocationError takes the function's error.
func (i *instance) invocationError(w http.ResponseWriter, r *http.Request) {
	if !i.finish(r.PathValue("id"), answer{err: readError(r)}) {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "no such invocation")
		return
	}
	accept(w)
}

// initError takes the error with which the function could not start. It exits
// then.
func (i *instance) initError(w http.ResponseWriter, r *http.Request) {
	e := readError(r)
	i.f.mu.Lock()
	i.reported = e
	i.f.mu.Unlock()
	accept(w)
}

// finish answers the invocation and frees the instance. It may get another at
// once, which it is given when it asks.
func (i *instance) finish(id string, a answer) bool {
	f := i.f
	f.mu.Lock()
	defer f.mu.Unlock()
	inv := i.current
	if inv == nil || !i.delivered || inv.id != id {
		return false
	}
	if a.err != nil {
		f.stats.Errors++
	}
	i.current, i.delivered = nil, false
	inv.answer <- a
	if !f.closed {
		f.free(i)
	}
	return true
}

// maximumError bounds an error's text, in bytes.
const maximumError = 1 << 20

// readError reads an error object: errorMessage, errorType, stackTrace.
func readError(r *http.Request) *FunctionError {
	body, err := io.ReadAll(io.LimitReader(r.Body, maximumError))
	var object struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}
	if err != nil || json.Unmarshal(body, &object) != nil {
		return &FunctionError{cmp.Or(r.Header.Get("Lambda-Runtime-Function-Error-Type"), "Runtime.Unknown"), "the error could not be read"}
	}
	return &FunctionError{cmp.Or(object.ErrorType, r.Header.Get("Lambda-Runtime-Function-Error-Type"), "Runtime.Unknown"), object.ErrorMessage}
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errorType":%q,"errorMessage":%q}`, kind, message)
}

// lines passes on whole lines.
type lines struct {
	lock *sync.Mutex
	to   io.Writer
	rest []byte
}

// maximumLine is where an endless line is cut, in bytes (CloudWatch Logs
// quotas: the size of an event, 1 MB).
const maximumLine = 1 << 20

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		n := bytes.IndexByte(l.rest, '\n') + 1
		if n == 0 && len(l.rest) >= maximumLine {
			n = maximumLine
		}
		if n == 0 {
			return len(p), nil
		}
		l.pass(l.rest[:n])
		l.rest = l.rest[n:]
	}
}

// flush passes on a last line without an end.
func (l *lines) flush() {
	if len(l.rest) > 0 {
		l.pass(l.rest)
	}
}

func (l *lines) pass(line []byte) {
	if line[len(line)-1] != '\n' {
		line = append(slices.Clone(line), '\n')
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	_, _ = l.to.Write(line) // a log that cannot be written must not stop the function
}
