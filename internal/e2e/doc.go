// Package e2e tests walletsync from the outside: real binaries, a real browser,
// the official SDK. It is tests only.
package e2e
