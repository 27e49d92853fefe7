// Says when supercronic runs lines of a crontab, by its own crontab parser and its own cronexpr.
//
// Each line of stdin has, between tabs, a zone, the seconds since the epoch at which supercronic starts, how many runs
// are wanted, and a schedule. Each line of stdout has the seconds of the runs, or why there are none. A line that begins with
// "file" has a whole crontab as JSON; its answer is the jobs and the zone as JSON, or "refused".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aptible/supercronic/crontab"
	"github.com/sirupsen/logrus"
)

// A job that is asked about for longer than this in vain never runs.
const patience = 100_000

func main() {
	logrus.SetOutput(io.Discard)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		fmt.Fprintln(out, answer(strings.SplitN(lines.Text(), "\t", 4)))
	}
}

func answer(asked []string) (said string) {
	defer func() {
		if problem := recover(); problem != nil {
			said = fmt.Sprintf("panic: %v", problem)
		}
	}()
	if asked[0] == "file" {
		return file(asked[1])
	}
	zone, err := time.LoadLocation(asked[0])
	if err != nil {
		return "zone: " + err.Error()
	}
	start, _ := strconv.ParseInt(asked[1], 10, 64)
	count, _ := strconv.Atoi(asked[2])
	read, err := crontab.ParseCrontab(strings.NewReader(asked[3] + " job\n"))
	if err != nil {
		return "refused"
	}
	if len(read.Jobs) != 1 || read.Jobs[0].Schedule != asked[3] || read.Jobs[0].Command != "job" {
		return "refused: it reads another schedule"
	}
	return runs(read.Jobs[0].Expression, time.Unix(start, 1).In(zone), count)
}

// The whole file: schedule and command of each job, and the zone.
func file(quoted string) string {
	var text string
	if err := json.Unmarshal([]byte(quoted), &text); err != nil {
		return "json: " + err.Error()
	}
	read, err := crontab.ParseCrontab(strings.NewReader(text))
	if err != nil {
		return "refused"
	}
	jobs := [][2]string{}
	for _, job := range read.Jobs {
		jobs = append(jobs, [2]string{job.Schedule, job.Command})
	}
	said, _ := json.Marshal(map[string]any{"jobs": jobs, "zone": read.Context.Timezone.String()})
	return string(said)
}

// The loop of cron.startFunc, with a clock that is ours, and a nanosecond past the second at which it starts. A job takes
// a second, and so does asking in vain.
func runs(expression crontab.Expression, now time.Time, count int) string {
	found := []string{}
	next := now
	for waited := 0; len(found) < count && waited < patience; {
		next = expression.Next(next)
		if next.IsZero() {
			break
		}
		if next.Sub(now) < 0 {
			now = now.Add(time.Second)
			next = now
			waited++
			continue
		}
		found = append(found, strconv.FormatInt(next.Unix(), 10))
		now = next.Add(time.Second)
	}
	if len(found) == 0 {
		return "never"
	}
	return strings.Join(found, " ")
}
