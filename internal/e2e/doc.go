// Package e2e tests walletsync from the outside: real binaries, a real browser,
// the official SDK. It has only tests.
//
// # A stack for a test
//
// Most tests need a stack and nothing special of it. They begin with
//
//	s := running(t)
//
// which lends one of a few shared stacks to one test at a time. The test may set
// faults, count calls, look at dead-letter messages and kill functions, and it
// restores lasting changes with t.Cleanup. The stack has the twin's first buyers
// and data of earlier tests. So a test waits until its charge permission is
// settled, or creates its own (buyer, wallets), and counts relative to what exists.
// running calls t.Parallel, so a test must not call it again.
//
// A test that needs its own stack calls t.Parallel and
//
//	w := try(t, stack.Options{…})
//
// for other settings, a comparison of the whole database (check), a proxy in front
// of the database (wire), or its own clock. This takes some seconds of processor
// time, and at most ownStacks tests have such a stack at once.
//
// A test that needs only pages calls t.Parallel, and serve or newConsole. browser
// shares a few browsers between all tests; each test has its own profile.
//
// # Time
//
// Tests wait for events (until, settle, a hold at the twin, the queue or the wire),
// never for a fixed time. eventTimeout and trialTimeout only end a test that fails;
// time budgets belong to benchmarks (make bench). Options of the stack shorten what
// takes real time, such as the margin of a lagging read. So tests run in parallel,
// more at once than there are processors.
package e2e
