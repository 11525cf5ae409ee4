// Package e2e tests walletsync from the outside: real binaries, a real browser,
// the official SDK. It is tests only.
//
// # A stack for a test
//
// Most tests need a stack and nothing special of it. They begin with
//
//	s := running(t)
//
// which lends one of a few stacks that tests have one after another. While a test
// has it, nobody else does: it may set faults, count calls, look at dead letters
// and kill functions, and it puts back what it has changed for longer (t.Cleanup).
// It finds the twin's first buyers there, and what tests before it have left: so
// it waits until its charge permission is settled, or makes one that no other test
// uses (buyer, wallets), and counts from what there was. running has called
// t.Parallel: a test does not do so itself.
//
// A test that needs a stack of its own kind calls t.Parallel and
//
//	w := try(t, stack.Options{…})
//
// for other settings, a database that it compares as a whole (check), a proxy in
// front of it (wire), or a clock. That takes some seconds of processor time, and
// no more than ownStacks tests have one at once.
//
// A test of pages alone calls t.Parallel, and serve or newConsole. browser shares a
// few browsers between all tests, each with a profile of its own.
//
// # Time
//
// Tests wait for events (until, settle, a hold at the twin, the queue or the wire)
// and never for a while; eventTimeout and tried bound that wait for a test that has
// failed, and are no budgets: those belong to benchmarks (make bench). What takes
// real time, such as the margin of a lagging read, is short by the stack's options.
// So tests run beside one another, more at once than there are processors.
package e2e
