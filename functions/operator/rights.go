package main

import (
	clipg "walletsync/internal/cli/postgres"
	consolepg "walletsync/internal/console/postgres"
	feedpushpg "walletsync/internal/feedpush/postgres"
	"walletsync/internal/pg"
	privacypg "walletsync/internal/privacy/postgres"
	reconcilepg "walletsync/internal/reconcile/postgres"
	refreshpg "walletsync/internal/refresh/postgres"
	updatepg "walletsync/internal/update/postgres"
)

// rights are what the functions' role needs: for the statements of every feature.
func rights() map[string][]string {
	return pg.Rights(clipg.Statements, consolepg.Statements, feedpushpg.Statements, privacypg.Statements, reconcilepg.Statements, refreshpg.Statements, updatepg.Statements)
}
