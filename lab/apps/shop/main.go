// shop is the service that the lab releases: one binary whose environment decides how good a version it is.
//
//	VERSION              what it calls itself
//	ERROR_SHARE          share (0..1) of answers that are 500
//	TURNED_ERROR_SHARE   ERROR_SHARE from the moment that somebody asks /turn
//	ORDER_SHARE          share of visits, which are its good answers, that end with an order
//	SLOW_SHARE, SLOW_MS  share of answers that are held back, and for how long
//	BURN_MS              processor time that every answer takes
//	BALLAST_MB           memory that it holds from the start
//	NEVER_READY          "true": /readyz never answers 200
//	CRASH_AFTER_SECONDS  exit 1 that long after the first answered request
//	DRAIN_SECONDS        after SIGTERM: not ready, but still answering for that long
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const shutdownLimit = 10 * time.Second

var (
	requests = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "Answered requests by status code.",
	}, []string{"code"})
	durations = promauto.NewHistogram(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "Time to answer.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	})
	visits = promauto.NewCounter(prometheus.CounterOpts{Name: "checkout_visits_total", Help: "Visits."})
	orders = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "checkout_orders_total", Help: "Orders by state.",
	}, []string{"state"})
)

type shop struct {
	version, pod                                        string
	errorShare, turnedErrorShare, slowShare, orderShare float64

	slow, burn, crashAfter time.Duration
	ballast                []byte
	ready, turned          atomic.Bool
	fuse                   sync.Once
}

func number(name string) float64 {
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		log.Fatalf("%s=%q is not a number", name, text)
	}
	return value
}

func seconds(name string) time.Duration { return time.Duration(number(name) * float64(time.Second)) }

func (s *shop) answer(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	if s.crashAfter > 0 {
		s.fuse.Do(func() { time.AfterFunc(s.crashAfter, func() { log.Fatal("crashing as told") }) })
	}
	if rand.Float64() < s.slowShare {
		time.Sleep(s.slow)
	}
	for until := time.Now().Add(s.burn); time.Now().Before(until); {
	}
	code, errorShare := http.StatusOK, s.errorShare
	if s.turned.Load() {
		errorShare = s.turnedErrorShare
	}
	if rand.Float64() < errorShare {
		code = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Version", s.version)
	w.Header().Set("X-Pod", s.pod)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"version": s.version, "pod": s.pod, "path": r.URL.Path, "code": code})
	requests.WithLabelValues(strconv.Itoa(code)).Inc()
	durations.Observe(time.Since(began).Seconds())
	if code == http.StatusOK {
		visits.Inc()
		if rand.Float64() < s.orderShare {
			orders.WithLabelValues("paid").Inc()
		}
	}
}

func (s *shop) readyz(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
	}
}

func main() {
	pod, _ := os.Hostname()
	s := &shop{
		version: os.Getenv("VERSION"), pod: pod,
		errorShare: number("ERROR_SHARE"), turnedErrorShare: number("TURNED_ERROR_SHARE"),
		slowShare: number("SLOW_SHARE"), orderShare: number("ORDER_SHARE"),
		slow:       time.Duration(number("SLOW_MS") * float64(time.Millisecond)),
		burn:       time.Duration(number("BURN_MS") * float64(time.Millisecond)),
		crashAfter: seconds("CRASH_AFTER_SECONDS"),
		ballast:    make([]byte, int(number("BALLAST_MB"))<<20),
	}
	for index := 0; index < len(s.ballast); index += 4096 { // a page counts once it is written
		s.ballast[index] = 1
	}
	s.ready.Store(os.Getenv("NEVER_READY") != "true")

	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/readyz", s.readyz)
	mux.Handle("/metrics", promhttp.Handler())
	if s.turnedErrorShare > 0 {
		mux.HandleFunc("/turn", func(http.ResponseWriter, *http.Request) { s.turned.Store(true) })
	}
	mux.HandleFunc("/", s.answer)
	// A proxy keeps connections open before their first request: closing one first would race with that request.
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: time.Hour}

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
		<-signals
		s.ready.Store(false)
		time.Sleep(seconds("DRAIN_SECONDS"))
		limit, cancel := context.WithTimeout(context.Background(), shutdownLimit)
		defer cancel()
		_ = server.Shutdown(limit)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-stopped
}
