package pg

import "syscall"

// dieWithParent ends the child when this process dies, even by SIGKILL.
// SIGQUIT is the immediate shutdown of PostgreSQL and of PgBouncer.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
