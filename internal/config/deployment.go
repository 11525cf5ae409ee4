package config

import "slices"

// Deployment is the configuration of all functions together, as far as the
// doctor checks it.
type Deployment struct {
	Receiver   Receiver
	Worker     Worker
	Reconciler Reconciler
	Start      Start
	Return     Return
}

// Accounts are the accounts, with the secrets of every function.
func (d Deployment) Accounts() []Account { return d.Receiver.Accounts }

// LoadDeployment reads the settings of all functions from one environment;
// getenv is os.Getenv. It returns what could be read beside everything that is
// wrong, each thing once.
func LoadDeployment(getenv func(string) string) (Deployment, Problems) {
	var d Deployment
	var all Problems
	gather := func(err error) {
		found, _ := err.(Problems) //nolint:errorlint // the loaders return it as it is
		for _, p := range found {
			if !slices.ContainsFunc(all, func(q Problem) bool { return q.Variable == p.Variable && q.Wrong == p.Wrong }) {
				all = append(all, p)
			}
		}
	}
	var err error
	d.Receiver, err = LoadReceiver(getenv)
	gather(err)
	d.Worker, err = LoadWorker(getenv)
	gather(err)
	_, err = LoadMigrator(getenv)
	gather(err)
	d.Reconciler, err = LoadReconciler(getenv)
	gather(err)
	d.Start, err = LoadStart(getenv)
	gather(err)
	d.Return, err = LoadReturn(getenv)
	gather(err)
	if getenv("FEED_TARGET_ARN") != "" { // without it the push is not there
		_, err = LoadPush(getenv)
		gather(err)
	}
	if getenv("OIDC_ISSUER") != "" { // nor without an issuer the console
		_, err = LoadConsole(getenv)
		gather(err)
	}
	return d, all
}

// Unset reports whether the problem is that nothing is set.
func (p Problem) Unset() bool { return p.Wrong == unset }

const unset = "it is not set"
