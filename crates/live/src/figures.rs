//! What is counted of live sessions, for the metrics.
//! Handles are atomics behind an `Arc`: bumping one waits for nobody, but for the histogram's short lock.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// From half a millisecond to ten seconds: below is as good as at once, above has long been given up.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The figures of one node.
#[derive(Clone)]
pub struct Figures {
    sessions: Gauge,
    peers: Gauge,
    sockets_slow: Counter,
    takeovers: Counter,
    events_committed: Counter,
    commit_seconds: Histogram,
}

impl Figures {
    /// All at nothing, and from now on to be found in `registry`.
    // The registry adds `_total` to counters, and the full stop to help texts.
    pub fn registered(registry: &mut Registry) -> Self {
        let figures = Self {
            sessions: Gauge::default(),
            peers: Gauge::default(),
            sockets_slow: Counter::default(),
            takeovers: Counter::default(),
            events_committed: Counter::default(),
            commit_seconds: Histogram::new(SECONDS),
        };
        registry.register("sessions_live", "Sessions this node runs", figures.sessions.clone());
        registry.register("peers_live", "Peers in the sessions of this node", figures.peers.clone());
        registry.register("sockets_slow", "Websockets closed for not reading what they were sent", figures.sockets_slow.clone());
        registry.register("takeovers", "Sessions of other nodes this node went on with", figures.takeovers.clone());
        registry.register("events_committed", "Session events made durable", figures.events_committed.clone());
        registry.register("commit_seconds", "Time to make a session's events durable", figures.commit_seconds.clone());
        figures
    }

    /// So many are live now.
    pub(crate) fn live(&self, sessions: usize, peers: u64) {
        self.sessions.set(sessions as i64);
        self.peers.set(peers.cast_signed());
    }

    /// A websocket was dropped because it does not read what it is told.
    pub(crate) fn slow_socket(&self) {
        self.sockets_slow.inc();
    }

    /// A session of another node is gone on with here.
    pub(crate) fn took_over(&self) {
        self.takeovers.inc();
    }

    /// So many events were made durable, in one go.
    pub(crate) fn committed(&self, events: u64, took: Duration) {
        self.events_committed.inc_by(events);
        self.commit_seconds.observe(took.as_secs_f64());
    }
}
