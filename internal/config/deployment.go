package config

import "slices"

// Deployment is the part of the configuration of all functions that the doctor
// checks.
type Deployment struct {
	Receiver   Receiver
	Worker     Worker
	Reconciler Reconciler
	Start      Start
	Return     Return
}

// Accounts returns the accounts, with the secrets of every function.
func (d Deployment) Accounts() []Account { return d.Receiver.Accounts }

// LoadDeployment reads the settings of all functions from one environment;
// getenv is os.Getenv. It returns the settings that could be read, and each problem
// once.
func LoadDeployment(getenv func(string) string) (Deployment, Problems) {
	var d Deployment
	var problems Problems
	gather := func(err error) {
		found, _ := err.(Problems) //nolint:errorlint // the loaders do not wrap it
		for _, p := range found {
			if !slices.ContainsFunc(problems, func(q Problem) bool { return q.Variable == p.Variable && q.Wrong == p.Wrong }) {
				problems = append(problems, p)
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
	if getenv("FEED_TARGET_ARN") != "" { // otherwise feed-push is not deployed
		_, err = LoadPush(getenv)
		gather(err)
	}
	if getenv("OIDC_ISSUER") != "" { // otherwise the console is not deployed
		_, err = LoadConsole(getenv)
		gather(err)
	}
	return d, problems
}

// Unset reports whether the problem is an unset variable.
func (p Problem) Unset() bool { return p.Wrong == unset }

const unset = "it is not set"
