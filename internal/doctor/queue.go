package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// outage is how long Postgres may be unavailable without a notification being lost or
// ending in the dead-letter queue.
const outage = 24 * time.Hour

// queue checks that the queue and its dead-letter queue have the attributes that
// the design needs.
func (d *Doctor) queue(ctx context.Context, r *report) {
	const check = "queue"
	c := d.Config.Worker
	if c.QueueURL == "" || c.DeadLetterQueueURL == "" {
		r.skip(check, "", "its setting is missing")
		return
	}
	var all [2]map[string]string
	for i, url := range []string{c.QueueURL, c.DeadLetterQueueURL} {
		got, err := d.Queues.Attributes(ctx, url)
		if err != nil {
			r.bad(check, "", plain(err), "set QUEUE_URL and DEAD_LETTER_QUEUE_URL to the deployment's queues, and let these credentials see them (sqs:GetQueueAttributes)")
			return
		}
		all[i] = got
	}
	r.lines = append(r.lines, judgeQueues(all[0], all[1], c.Lease)...)
}

// judgeQueues judges the attributes of a queue and of its dead-letter queue.
func judgeQueues(queue, dead map[string]string, lease time.Duration) []Line {
	var r report
	var policy struct {
		Target string      `json:"deadLetterTargetArn"`
		Most   json.Number `json:"maxReceiveCount"` // SQS writes it as a number or as a string
	}
	_ = json.Unmarshal([]byte(queue["RedrivePolicy"]), &policy) // without one it stays empty
	switch {
	case policy.Target == "":
		r.bad("queue", "", "it has no dead-letter queue", "set the queue's RedrivePolicy (template.yaml has it): a message that can never be processed would be delivered again until it expires")
	case policy.Target != dead["QueueArn"]:
		r.bad("queue", "", "its dead-letter queue is "+policy.Target+", DEAD_LETTER_QUEUE_URL is "+dead["QueueArn"], "let both name one queue: the worker sends there itself, and the alarm watches one")
	default:
		r.good("queue", "", "what fails goes to %s", dead["QueueArn"])
	}
	visibility := seconds(queue["VisibilityTimeout"])
	if visibility <= lease {
		r.bad("visibility", "", fmt.Sprintf("the visibility time-out is %s, LEASE %s", span(visibility), span(lease)), "set the visibility time-out above LEASE (template.yaml: 180 s and 35 s): a message must not be delivered again while its claim is valid")
	} else {
		r.good("visibility", "", "%s, above the lease's %s", span(visibility), span(lease))
	}
	receives, _ := strconv.Atoi(policy.Most.String())
	holds := time.Duration(receives) * visibility
	if policy.Target == "" {
		r.skip("receive limit", "", "there is no dead-letter queue")
	} else if holds < outage {
		r.bad("receive limit", "", fmt.Sprintf("%d receives, %s apart: messages are given up after %s without Postgres", receives, span(visibility), span(holds)),
			"set maxReceiveCount to 1000: a day without Postgres must lose nothing")
	} else {
		r.good("receive limit", "", "%d receives, %s apart: %s without Postgres lose nothing", receives, span(visibility), span(holds))
	}
	kept, deadKept := seconds(queue["MessageRetentionPeriod"]), seconds(dead["MessageRetentionPeriod"])
	switch {
	case kept < holds+outage:
		r.bad("retention", "", fmt.Sprintf("the queue keeps messages for %s", span(kept)),
			"set the queue's MessageRetentionPeriod to 1209600 (14 days): one that ages out is lost without a trace")
	case deadKept < kept:
		r.bad("retention", "", fmt.Sprintf("the dead-letter queue keeps messages for %s, the queue for %s", span(deadKept), span(kept)),
			"set the dead-letter queue's MessageRetentionPeriod to 1209600 (14 days): a message's age counts from when it was first sent")
	default:
		r.good("retention", "", "%s, %s for dead letters", span(kept), span(deadKept))
	}
	for _, q := range []struct {
		name       string
		attributes map[string]string
	}{{"the queue", queue}, {"the dead-letter queue", dead}} {
		if q.attributes["SqsManagedSseEnabled"] != "true" && q.attributes["KmsMasterKeyId"] == "" {
			r.bad("encryption", "", q.name+" is not encrypted", "set SqsManagedSseEnabled, or KmsMasterKeyId with a key of your own, on "+q.name)
		}
	}
	if !r.failed("encryption", "") {
		r.good("encryption", "", "both queues are encrypted")
	}
	if n, err := strconv.Atoi(dead["ApproximateNumberOfMessages"]); err == nil && n == 0 {
		r.good("dead letters", "", "none")
	} else {
		r.bad("dead letters", "", count(n, "message"), `each has its reason as an attribute: put that right, then redrive (functions/RUNBOOK.md, "Dead letters")`)
	}
	return r.lines
}

func seconds(s string) time.Duration {
	n, _ := strconv.Atoi(s) // an attribute that is not there is none
	return time.Duration(n) * time.Second
}
