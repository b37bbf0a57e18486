// No-op jobs on River: one measure a run, asked for in one JSON argument, answered in one line of JSON. Started by tools/peers/engine.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const backlogMax = 2000 // clients hold back beyond it

type request struct {
	Measure         string `json:"measure"`
	Database        string `json:"database"`
	Seconds         int    `json:"seconds"`
	Clients         int    `json:"clients"`
	Steps           int    `json:"steps"`
	Batch           int    `json:"batch"`
	Backlog         int    `json:"backlog"`
	Connections     int32  `json:"connections"` // of each pool; 0: pgxpool's default
	MaxWorkers      int    `json:"max_workers"`
	FetchCooldownMs int    `json:"fetch_cooldown_ms"` // 0: River's default
	FetchPollMs     int    `json:"fetch_poll_ms"`     // 0: River's default
}

type noopArgs struct{}

func (noopArgs) Kind() string { return "noop" }

// noop counts the jobs that it works on and tells when each began.
type noop struct {
	river.WorkerDefaults[noopArgs]
	pool  *pgxpool.Pool
	steps int
	began atomic.Int64
	hear  chan time.Time
}

func (w *noop) Work(ctx context.Context, job *river.Job[noopArgs]) error {
	w.began.Add(1)
	if w.hear != nil {
		w.hear <- time.Now()
	}
	for i := range w.steps {
		river.ResumableStep(ctx, fmt.Sprintf("step_%d", i+1), nil, func(ctx context.Context) error {
			return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
				_, err := river.ResumableSetStepTx[*riverpgxv5.Driver](ctx, tx, job)
				return err
			})
		})
	}
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "river:", err)
		os.Exit(1)
	}
	return value
}

func newPool(ctx context.Context, r *request) *pgxpool.Pool {
	config := must(pgxpool.ParseConfig(r.Database))
	if r.Connections > 0 {
		config.MaxConns = r.Connections
	}
	return must(pgxpool.NewWithConfig(ctx, config))
}

func newClient(pool *pgxpool.Pool, config *river.Config) *river.Client[pgx.Tx] {
	config.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return must(river.NewClient(riverpgxv5.New(pool), config))
}

func newWorker(pool *pgxpool.Pool, r *request, work *noop) *river.Client[pgx.Tx] {
	workers := river.NewWorkers()
	river.AddWorker(workers, work)
	return newClient(pool, &river.Config{
		Workers:           workers,
		FetchCooldown:     time.Duration(r.FetchCooldownMs) * time.Millisecond,
		FetchPollInterval: time.Duration(r.FetchPollMs) * time.Millisecond,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: r.MaxWorkers}},
	})
}

func completed(ctx context.Context, pool *pgxpool.Pool) int64 {
	var count int64
	must(0, pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state = 'completed'").Scan(&count))
	return count
}

func percentiles(figures map[string]float64, name string, taken []time.Duration) {
	slices.Sort(taken)
	for _, share := range []float64{0.5, 0.99} {
		if len(taken) > 0 {
			at := taken[int(share*float64(len(taken)-1))]
			figures[fmt.Sprintf("%s_p%d_ms", name, int(math.Round(share*100)))] = float64(at.Nanoseconds()) / 1e6
		}
	}
}

// insertFor has clients that insert one job after the other. Returns how long each insert took.
func insertFor(ctx context.Context, client *river.Client[pgx.Tx], r *request, afterEach func(inserted int64)) []time.Duration {
	var mutex sync.Mutex
	var all []time.Duration
	var inserted atomic.Int64
	var group sync.WaitGroup
	end := time.Now().Add(time.Duration(r.Seconds) * time.Second)
	for range r.Clients {
		group.Go(func() {
			var own []time.Duration
			for time.Now().Before(end) {
				started := time.Now()
				must(client.Insert(ctx, noopArgs{}, nil))
				own = append(own, time.Since(started))
				afterEach(inserted.Add(1))
			}
			mutex.Lock()
			defer mutex.Unlock()
			all = append(all, own...)
		})
	}
	group.Wait()
	return all
}

// insertBulk inserts until enough says so, with as many clients as asked for. Returns how many jobs it inserted.
func insertBulk(ctx context.Context, client *river.Client[pgx.Tx], r *request, enough func(inserted int64) bool) int64 {
	batch := make([]river.InsertManyParams, r.Batch)
	for i := range batch {
		batch[i].Args = noopArgs{}
	}
	var inserted atomic.Int64
	var group sync.WaitGroup
	for range r.Clients {
		group.Go(func() {
			for !enough(inserted.Load()) {
				inserted.Add(int64(must(client.InsertManyFast(ctx, batch))))
			}
		})
	}
	group.Wait()
	return inserted.Load()
}

func main() {
	r := &request{}
	must(0, json.Unmarshal([]byte(os.Args[1]), r))
	ctx := context.Background()
	pool := newPool(ctx, r)
	must(must(rivermigrate.New(riverpgxv5.New(pool), nil)).Migrate(ctx, rivermigrate.DirectionUp, nil))
	inserter := newClient(newPool(ctx, r), &river.Config{})
	length := time.Duration(r.Seconds) * time.Second
	figures := map[string]float64{}
	started := time.Now()

	switch r.Measure {
	case "insert":
		taken := insertFor(ctx, inserter, r, func(int64) {})
		figures["jobs_per_s"] = float64(len(taken)) / time.Since(started).Seconds()
		percentiles(figures, "admit", taken)

	case "bulk":
		count := insertBulk(ctx, inserter, r, func(int64) bool { return time.Since(started) > length })
		figures["jobs_per_s"] = float64(count) / time.Since(started).Seconds()

	case "cycle": // clients insert one job each while workers work
		work := &noop{pool: pool, steps: r.Steps}
		worker := newWorker(pool, r, work)
		must(0, worker.Start(ctx))
		started = time.Now()
		insertFor(ctx, inserter, r, func(inserted int64) {
			for inserted-work.began.Load() > backlogMax && time.Since(started) < length {
				time.Sleep(time.Millisecond)
			}
		})
		elapsed := time.Since(started).Seconds()
		figures["jobs_per_s"] = float64(completed(ctx, pool)) / elapsed

	case "drain": // a backlog that stands there when the worker starts
		insertBulk(ctx, inserter, r, func(inserted int64) bool { return inserted >= int64(r.Backlog) })
		work := &noop{pool: pool}
		worker := newWorker(pool, r, work)
		started = time.Now()
		must(0, worker.Start(ctx))
		for work.began.Load() < int64(r.Backlog) && time.Since(started) < length {
			time.Sleep(time.Millisecond)
		}
		count, elapsed := completed(ctx, pool), time.Since(started)
		for work.began.Load() >= int64(r.Backlog) && count < int64(r.Backlog) {
			time.Sleep(10 * time.Millisecond)
			elapsed = time.Since(started)
			count = completed(ctx, pool)
		}
		figures["jobs_per_s"] = float64(count) / elapsed.Seconds()

	case "pickup": // one job at a time: from the acknowledged insert to the beginning of its work
		work := &noop{pool: pool, hear: make(chan time.Time, 1)}
		must(0, newWorker(pool, r, work).Start(ctx))
		time.Sleep(500 * time.Millisecond)
		started = time.Now()
		var taken []time.Duration
		for time.Since(started) < length {
			must(inserter.Insert(ctx, noopArgs{}, nil))
			acknowledged := time.Now()
			taken = append(taken, max(0, (<-work.hear).Sub(acknowledged)))
		}
		percentiles(figures, "pickup", taken)

	case "one_by_one": // one client that waits for the end of each job
		worker := newWorker(pool, r, &noop{pool: pool, steps: r.Steps})
		ends, cancel := worker.Subscribe(river.EventKindJobCompleted)
		defer cancel()
		must(0, worker.Start(ctx))
		time.Sleep(500 * time.Millisecond)
		started = time.Now()
		var taken []time.Duration
		for time.Since(started) < length {
			before := time.Now()
			must(inserter.Insert(ctx, noopArgs{}, nil))
			<-ends
			taken = append(taken, time.Since(before))
		}
		percentiles(figures, "cycle", taken)

	default:
		must(0, fmt.Errorf("no measure '%s'", r.Measure))
	}
	must(0, json.NewEncoder(os.Stdout).Encode(figures))
}
