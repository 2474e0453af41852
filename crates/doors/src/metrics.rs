//! What the doors count.
//! Invariant: a label has few values, all known beforehand; nothing a client writes becomes one.
//! Handles are atomics behind an `Arc`: bumping one waits for nobody, but for the histogram's short lock.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// From half a millisecond to ten seconds: below is as good as at once, above has long been given up.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Event {
    event: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// The metrics of the doors of one node.
pub struct Metrics {
    http_requests: Family<Request, Counter>,
    http_request_seconds: Histogram,
    sockets_open: Gauge,
    streams_open: Gauge,
    signaling_messages: Family<Event, Counter>,
    signaling_refused: Family<Reason, Counter>,
}

impl Metrics {
    /// All at nothing, and from now on to be found in `registry`.
    // The registry adds `_total` to counters, and the full stop to help texts.
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self {
            http_requests: Family::default(),
            http_request_seconds: Histogram::new(SECONDS),
            sockets_open: Gauge::default(),
            streams_open: Gauge::default(),
            signaling_messages: Family::default(),
            signaling_refused: Family::default(),
        };
        registry.register("http_requests", "REST requests answered, by route", metrics.http_requests.clone());
        registry.register("http_request_seconds", "Time to answer a REST request", metrics.http_request_seconds.clone());
        registry.register("sockets_open", "Signaling websockets open", metrics.sockets_open.clone());
        registry.register("streams_open", "Streams of those who watch", metrics.streams_open.clone());
        registry.register("signaling_messages", "Messages that came over websockets", metrics.signaling_messages.clone());
        registry.register("signaling_refused", "Messages and sockets refused", metrics.signaling_refused.clone());
        metrics
    }

    /// A REST request was answered. `route` is the template that matched (`/meetings/{id}`), never the path itself.
    pub fn http_request(&self, method: &str, route: Option<&str>, status: u16, took: Duration) {
        let route = route.unwrap_or("unmatched").to_owned();
        self.http_requests.get_or_create(&Request { method: known_method(method), route, status }).inc();
        self.http_request_seconds.observe(took.as_secs_f64());
    }

    /// Counts a websocket as open, unless `limit` are already. Then it is to be refused.
    #[must_use]
    pub fn socket_opens(&self, limit: u64) -> bool {
        let fits = self.sockets_open.inc().cast_unsigned() < limit;
        if !fits {
            self.sockets_open.dec();
        }
        fits
    }

    /// A websocket that was counted is gone.
    pub fn socket_closed(&self) {
        self.sockets_open.dec();
    }

    /// Somebody watches.
    pub fn stream_opens(&self) {
        self.streams_open.inc();
    }

    /// Somebody watches no more.
    pub fn stream_closed(&self) {
        self.streams_open.dec();
    }

    /// Websockets open now.
    pub fn sockets_open(&self) -> usize {
        usize::try_from(self.sockets_open.get()).unwrap_or(0)
    }

    /// A message came over a websocket. `event` is our name for its number, or `unknown`.
    pub fn message(&self, event: &'static str) {
        self.signaling_messages.get_or_create(&Event { event }).inc();
    }

    /// A message or a socket was refused; `reason` is one word.
    pub fn refused(&self, reason: &'static str) {
        self.signaling_refused.get_or_create(&Reason { reason }).inc();
    }
}

/// Clients may send any word as a method; only those we serve become labels.
fn known_method(method: &str) -> &'static str {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known.into_iter().find(|known| *known == method).unwrap_or("OTHER")
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode_registry;

    use super::*;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        encode_registry(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn what_happened_is_in_the_text() {
        let mut registry = Registry::with_prefix("salon");
        let metrics = Metrics::registered(&mut registry);
        metrics.http_request("GET", Some("/meetings/{id}"), 200, Duration::from_millis(2));
        metrics.http_request("BREW", None, 404, Duration::from_millis(2));
        metrics.message("room.joinRoom");
        metrics.refused("flood");
        assert!(metrics.socket_opens(1));
        assert!(!metrics.socket_opens(1), "a second one does not fit");
        let text = text(&registry);
        for line in [
            "salon_http_requests_total{method=\"GET\",route=\"/meetings/{id}\",status=\"200\"} 1",
            "salon_http_requests_total{method=\"OTHER\",route=\"unmatched\",status=\"404\"} 1",
            "salon_http_request_seconds_count 2",
            "salon_signaling_messages_total{event=\"room.joinRoom\"} 1",
            "salon_signaling_refused_total{reason=\"flood\"} 1",
            "salon_sockets_open 1",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
        }
        metrics.socket_closed();
        assert_eq!(metrics.sockets_open(), 0);
    }

    #[test]
    fn two_nodes_of_one_process_count_apart() {
        let (mut here, mut there) = (Registry::with_prefix("salon"), Registry::with_prefix("salon"));
        let (one, _other) = (Metrics::registered(&mut here), Metrics::registered(&mut there));
        assert!(one.socket_opens(1));
        assert!(text(&here).contains("salon_sockets_open 1"));
        assert!(text(&there).contains("salon_sockets_open 0"));
    }
}
