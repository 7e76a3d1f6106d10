package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/api"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// Limits of the metrics' door. It is plain HTTP, for one Prometheus and a probe or
// two: whoever wants more of it waits or goes.
const (
	metricsConns  = 32              // at a time; one more takes the place of a random one
	metricsHeader = 8 << 10         // bytes of a request's header
	metricsRead   = 5 * time.Second // for a whole request
	metricsWrite  = 10 * time.Second
	metricsIdle   = 2 * time.Minute // a scrape a minute keeps its connection
	healthLimit   = 2 * time.Second // for the daemon's parts to answer
)

// sameDoor reports whether two addresses can't both be listened on.
func sameDoor(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	everywhere := func(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }
	return hostA == hostB || everywhere(hostA) || everywhere(hostB)
}

// runMetrics serves the figures, and whether this master lives and is ready. While
// it can't, that is a problem and tried again; nothing else hangs on it.
func (m *Master) runMetrics(ctx context.Context) error {
	return api.Keep(ctx, func() (func() error, func(), error) {
		l, err := m.listen("tcp", m.cfg.Metrics.Listen)
		if err != nil {
			return nil, nil, fmt.Errorf("nobody can ask for the figures: cannot listen on %s: %w; free it, or set listen in [metrics] of master.toml", m.cfg.Metrics.Listen, err)
		}
		m.log.Info("figures can be asked for", "address", l.Addr().String())
		serve, stop := serveHTTP(m.metricsHandler(), l, m.log)
		return serve, stop, nil
	}, m.told(health.Metrics))
}

// serveHTTP returns what serves h on l within the limits, until stop is called.
func serveHTTP(h http.Handler, l net.Listener, log *slog.Logger) (serve func() error, stop func()) {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: metricsRead, ReadTimeout: metricsRead, WriteTimeout: metricsWrite,
		IdleTimeout: metricsIdle, MaxHeaderBytes: metricsHeader, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	serve = func() error {
		err := srv.Serve(trust.LimitListener(l, trust.Limits{Total: metricsConns, Unproved: metricsConns}))
		if errors.Is(err, http.ErrServerClosed) {
			<-stopped
			return nil
		}
		_ = srv.Close()
		return fmt.Errorf("cannot serve on %s: %w", l.Addr(), err)
	}
	stop = func() {
		defer close(stopped)
		ctx, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
	}
	return serve, stop
}

// metricsHandler answers GET and HEAD, and nothing that changes anything.
func (m *Master) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.scrapes())
	mux.HandleFunc("GET /healthz", answer(func(ctx context.Context) []string {
		if err := m.alive(ctx); err != nil {
			return strings.Split(err.Error(), "\n")
		}
		return nil
	}))
	mux.HandleFunc("GET /readyz", answer(m.unready))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "/metrics", "/healthz", "/readyz")
	})
	return mux
}

// answer says "ok", or 503 and what is wrong, a line each.
func answer(wrong func(context.Context) []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthLimit)
		defer cancel()
		if why := wrong(ctx); len(why) > 0 {
			plain(w, http.StatusServiceUnavailable, why...)
			return
		}
		plain(w, http.StatusOK, "ok")
	}
}

// plain writes lines that no browser takes for anything else.
func plain(w http.ResponseWriter, status int, lines ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, strings.Join(lines, "\n"))
}
