// Package lambda runs the functions' real binaries behind the Lambda Runtime
// API, for laptops, tests and benchmarks, and invokes them as AWS does: by
// HTTP API (Gateway), by SQS event source (QueueSource), or directly
// (Function.Invoke).
//
// It holds to the AWS Lambda Developer Guide ("Using the Lambda runtime API
// for custom runtimes", "Working with Lambda environment variables", "Lambda
// quotas", "Using Lambda with Amazon SQS") and the API Gateway Developer Guide
// ("Create AWS Lambda proxy integrations for HTTP APIs").
//
// Not modelled: freezing between invocations, memory limits, X-Ray, retries of
// asynchronous invocations (the caller's), response streaming (responses are
// gathered), extensions other than the one by which a function asks for
// SIGTERM.
package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// Config says what a function is.
type Config struct {
	Name   string
	Binary string // the bootstrap: an executable file
	// Environment is what the function's configuration sets, within Lambda's
	// rules: no reserved names, 4 KB together. The function gets nothing of
	// this process's own environment.
	Environment map[string]string
	// Timeout of an invocation, in whole seconds up to 15 minutes; 0 means
	// Lambda's default of 3 s.
	Timeout time.Duration
	// MaxConcurrency is how many instances, and so invocations, there may be
	// at once; 0 means 10.
	MaxConcurrency int
	// Wait is how long an invocation waits for an instance when all are busy;
	// 0 is Lambda's way: it is throttled at once.
	Wait time.Duration
	// Output gets what the instances print, a whole line in each Write, one
	// Write at a time; nil discards it.
	Output io.Writer
}

// Region and account of every function, as ARNs and the environment have them.
const (
	region  = "eu-west-1"
	account = "000000000000"
)

const (
	// maximumPayload of a request and of a response, in bytes: Lambda quotas'
	// 6 MB, as precisely as Lambda's error message has it.
	maximumPayload = 6_291_556
	// maximumEnvironment is Lambda quotas' 4 KB.
	maximumEnvironment = 4 << 10
	maximumTimeout     = 15 * time.Minute
	// initTimeout is how long an instance may take to its first poll ("Understanding
	// the Lambda execution environment lifecycle").
	initTimeout = 10 * time.Second
	// grace is how long an instance has between SIGTERM and SIGKILL ("Lambda
	// execution environment lifecycle", shutdown phase with extensions).
	grace = 2 * time.Second
)

// Function is a function with its instances. It is safe for concurrent use.
type Function struct {
	config Config
	arn    string
	env    []string // all but AWS_LAMBDA_RUNTIME_API

	ctx    context.Context
	cancel context.CancelFunc
	starts chan start // to the thread that starts processes
	wg     sync.WaitGroup
	done   chan struct{}
	output sync.Mutex

	mu        sync.Mutex
	closed    bool
	instances map[*instance]struct{}
	idle      []*instance
	waiting   []*invocation
	stats     Stats
	exited    Usage
}

// invocation is one event on its way.
type invocation struct {
	id, trace string
	payload   []byte
	answer    chan answer // has room for the one answer
}

type answer struct {
	payload []byte
	err     error
}

// FunctionError is an invocation that failed in the function: it returned an
// error, crashed, or ran out of time.
type FunctionError struct {
	// Type is the function's errorType, or Lambda's own: Runtime.ExitError,
	// Sandbox.Timedout, Function.ResponseSizeTooLarge, Runtime.Unknown.
	Type    string
	Message string
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// TimedOut reports whether err is an invocation that ran out of time.
func TimedOut(err error) bool {
	e, ok := errors.AsType[*FunctionError](err)
	return ok && e.Type == "Sandbox.Timedout"
}

var (
	// ErrThrottled is an invocation for which no instance was free (Lambda's
	// TooManyRequestsException).
	ErrThrottled = errors.New("lambda: rate exceeded")
	// ErrTooLarge is a payload of more than 6 MB (RequestTooLargeException).
	ErrTooLarge = errors.New("lambda: request must be smaller than 6291556 bytes")
	// ErrNotJSON is a payload that is not JSON (InvalidRequestContentException).
	ErrNotJSON = errors.New("lambda: could not parse request body into json")
	// ErrStopped is an invocation that ended because the function was stopped.
	ErrStopped = errors.New("lambda: function stopped")
)

// Start makes a function ready to be invoked. Its instances start when they
// are needed; all are stopped when ctx ends or Close is called.
func Start(ctx context.Context, c Config) (*Function, error) {
	c.Timeout = cmp.Or(c.Timeout, 3*time.Second)
	c.MaxConcurrency = cmp.Or(c.MaxConcurrency, 10)
	if err := c.check(); err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(c.Binary)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", c.Name, err)
	}
	c.Binary = binary

	f := &Function{
		config:    c,
		arn:       "arn:aws:lambda:" + region + ":" + account + ":function:" + c.Name,
		env:       c.environment(),
		starts:    make(chan start),
		done:      make(chan struct{}),
		instances: map[*instance]struct{}{},
	}
	f.ctx, f.cancel = context.WithCancel(ctx)
	go f.startProcesses()
	go f.stopWhenDone()
	return f, nil
}

// functionName is CreateFunction's rule for a name without ARN.
var functionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (c Config) check() error {
	switch {
	case !functionName.MatchString(c.Name):
		return fmt.Errorf("function name %q: letters, digits, - and _, at most 64", c.Name)
	case c.Binary == "":
		return fmt.Errorf("function %s: no binary", c.Name)
	case c.Timeout < time.Second || c.Timeout > maximumTimeout || c.Timeout%time.Second != 0:
		return fmt.Errorf("function %s: time-out %v: whole seconds, 1 to 900", c.Name, c.Timeout)
	case c.MaxConcurrency < 1:
		return fmt.Errorf("function %s: concurrency %d", c.Name, c.MaxConcurrency)
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(c.Environment)) {
		if !variableName.MatchString(name) {
			return fmt.Errorf("function %s: %q is not a variable's name", c.Name, name)
		}
		if reserved(name) {
			return fmt.Errorf("function %s: %s is reserved and cannot be set", c.Name, name)
		}
		size += len(name) + len(c.Environment[name])
	}
	if size > maximumEnvironment {
		return fmt.Errorf("function %s: its environment has %d bytes, Lambda allows %d", c.Name, size, maximumEnvironment)
	}
	return nil
}

// variableName is CreateFunction's rule for the environment's keys.
var variableName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)

// reserved reports whether Lambda refuses to have a variable set ("Defined
// runtime environment variables", reserved).
func reserved(name string) bool {
	switch name {
	case "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_ACCESS_KEY",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR":
		return true
	}
	return strings.HasPrefix(name, "AWS_LAMBDA_") && name != "AWS_LAMBDA_EXEC_WRAPPER"
}

// environment is what provided.al2023 gives ("Defined runtime environment
// variables"; AWS_EXECUTION_ENV is not set there), with credentials that open
// nothing.
func (c Config) environment() []string {
	env := map[string]string{
		"_HANDLER":                        "bootstrap",
		"AWS_REGION":                      region,
		"AWS_DEFAULT_REGION":              region,
		"AWS_LAMBDA_FUNCTION_NAME":        c.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", // which nothing enforces
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + c.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      "local",
		"AWS_ACCESS_KEY_ID":               "ASIALOCALLOCALLOCAL0",
		"AWS_SECRET_ACCESS_KEY":           "local",
		"AWS_SESSION_TOKEN":               "local",
		"LAMBDA_TASK_ROOT":                filepath.Dir(c.Binary),
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"TZ":                              ":UTC",
	}
	maps.Copy(env, c.Environment)
	all := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, name+"="+env[name])
	}
	return all
}

// Name is the function's name.
func (f *Function) Name() string { return f.config.Name }

// ARN is the function's Amazon Resource Name.
func (f *Function) ARN() string { return f.arn }

// Timeout is how long an invocation may take.
func (f *Function) Timeout() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.config.Timeout
}

// SetTimeout changes how long an invocation may take, from the next that a
// process asks for (Lambda's UpdateFunctionConfiguration).
func (f *Function) SetTimeout(d time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.config
	c.Timeout = d
	if err := c.check(); err != nil {
		return err
	}
	f.config.Timeout = d
	return nil
}

// Invoke runs the function on a JSON payload and returns what it answered.
// The error is a *FunctionError if the function failed, else one of this
// package's, or ctx's: the invocation then goes on, as it does at Lambda when
// its caller leaves.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) > maximumPayload {
		return nil, ErrTooLarge
	}
	if !json.Valid(payload) {
		return nil, ErrNotJSON
	}
	inv := &invocation{id: uuid.NewString(), trace: newTrace(), payload: payload, answer: make(chan answer, 1)}
	if err := f.dispatch(inv, f.config.Wait > 0); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(f.config.Wait)
	defer timeout.Stop()
	for {
		select {
		case a := <-inv.answer:
			return a.payload, a.err
		case <-ctx.Done():
			f.withdraw(inv)
			return nil, ctx.Err()
		case <-timeout.C:
			if f.withdraw(inv) {
				f.mu.Lock()
				f.stats.Throttles++
				f.mu.Unlock()
				return nil, ErrThrottled
			}
		}
	}
}

// dispatch gives an invocation to an idle instance, else to a new one, else,
// if it may wait, to the first that becomes free.
func (f *Function) dispatch(inv *invocation, mayWait bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch n := len(f.idle); {
	case f.closed:
		return ErrStopped
	case n > 0:
		i := f.idle[n-1]
		f.idle = f.idle[:n-1]
		i.assign(inv)
	case len(f.instances) < f.config.MaxConcurrency:
		f.launch().assign(inv)
	case mayWait:
		f.waiting = append(f.waiting, inv)
	default:
		f.stats.Throttles++
		return ErrThrottled
	}
	return nil
}

// withdraw takes an invocation back that no instance has got yet.
func (f *Function) withdraw(inv *invocation) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := slices.Index(f.waiting, inv)
	if n >= 0 {
		f.waiting = slices.Delete(f.waiting, n, n+1)
	}
	return n >= 0
}

// Provision starts instances until there are n, and waits until all of them
// ask for work.
func (f *Function) Provision(ctx context.Context, n int) error {
	f.mu.Lock()
	if n > f.config.MaxConcurrency {
		f.mu.Unlock()
		return fmt.Errorf("function %s: %d instances: at most %d", f.config.Name, n, f.config.MaxConcurrency)
	}
	for !f.closed && len(f.instances) < n {
		f.launch()
	}
	instances := slices.Collect(maps.Keys(f.instances))
	closed := f.closed
	f.mu.Unlock()
	if closed {
		return ErrStopped
	}
	for _, i := range instances {
		select {
		case <-i.ready:
		case <-i.exited:
			return fmt.Errorf("function %s: an instance ended before it asked for work: %w", f.config.Name, i.failure())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Kill ends all instances at once, as a crash would, and returns how many
// there were. Further invocations start new ones.
func (f *Function) Kill() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.instances {
		i.signal(syscall.SIGKILL)
	}
	return len(f.instances)
}

// Close stops all instances (SIGTERM, then SIGKILL) and returns when no
// process is left.
func (f *Function) Close() {
	f.cancel()
	f.Wait()
}

// Wait returns when the function is stopped and no process is left.
func (f *Function) Wait() { <-f.done }

// stopWhenDone ends what the function's context began.
func (f *Function) stopWhenDone() {
	<-f.ctx.Done()
	f.mu.Lock()
	f.closed = true
	for _, inv := range f.waiting {
		inv.answer <- answer{err: ErrStopped}
	}
	f.waiting = nil
	f.mu.Unlock()
	f.wg.Wait()
	close(f.starts)
	close(f.done)
}

// newTrace is an X-Ray trace header that is not sampled.
func newTrace() string {
	id := uuid.New()
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), id[4:], id[:8])
}
