//! The counters of one node, and their text for `GET /metrics`.
//! Invariant: a label has few values, all known beforehand; nothing a client writes becomes one.
//! Handles are atomics behind an `Arc`: bumping one waits for nobody, but for the histograms' short lock.

use std::fmt::Write;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// From half a millisecond to ten seconds: below is as good as at once, above has long been given up.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A value read at scrape: name without `salon_`, what it is, the value.
///
/// A name may end in labels, as in `media_drops_total{reason="x"}`; those of one family stand side by side. One that
/// ends in `_total` is a counter, another a gauge.
pub type Reading<'a> = (&'a str, &'a str, f64);

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

/// The metrics of one node.
pub struct Metrics {
    registry: Registry,
    http_requests: Family<Request, Counter>,
    http_request_seconds: Histogram,
    sockets_open: Gauge,
    signaling_messages: Family<Event, Counter>,
    signaling_refused: Family<Reason, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at nothing.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            http_requests: Family::default(),
            http_request_seconds: Histogram::new(SECONDS),
            sockets_open: Gauge::default(),
            signaling_messages: Family::default(),
            signaling_refused: Family::default(),
        };
        metrics.registered()
    }

    // The registry adds `_total` to counters, and the full stop to help texts.
    fn registered(mut self) -> Self {
        let mut registry = Registry::with_prefix("salon");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of Salon that runs", build);
        registry.register("http_requests", "REST requests answered, by route", self.http_requests.clone());
        registry.register("http_request_seconds", "Time to answer a REST request", self.http_request_seconds.clone());
        registry.register("sockets_open", "Signaling websockets open", self.sockets_open.clone());
        registry.register("signaling_messages", "Messages that came over websockets", self.signaling_messages.clone());
        registry.register("signaling_refused", "Messages and sockets refused", self.signaling_refused.clone());
        self.registry = registry;
        self
    }

    /// Where other parts of the node put their own figures, before it starts.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
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

    /// All metrics and `extra` as OpenMetrics text.
    pub fn render(&self, extra: &[Reading<'_>]) -> String {
        let mut text = String::with_capacity(8 * 1024);
        encode_registry(&mut text, &self.registry).expect("text can always be appended to a string");
        let mut last = "";
        for (name, help, value) in extra {
            let family = name.split('{').next().unwrap_or(name);
            if family != last {
                let (base, kind) = family.strip_suffix("_total").map_or((family, "gauge"), |base| (base, "counter"));
                let _ = writeln!(text, "# HELP salon_{base} {help}.\n# TYPE salon_{base} {kind}");
                last = family;
            }
            let _ = writeln!(text, "salon_{name} {value}");
        }
        encode_eof(&mut text).expect("text can always be appended to a string");
        text
    }
}

/// Clients may send any word as a method; only those we serve become labels.
fn known_method(method: &str) -> &'static str {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known.into_iter().find(|known| *known == method).unwrap_or("OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_in_the_text() {
        let metrics = Metrics::new();
        metrics.http_request("GET", Some("/meetings/{id}"), 200, Duration::from_millis(2));
        metrics.http_request("BREW", None, 404, Duration::from_millis(2));
        metrics.message("room.joinRoom");
        metrics.refused("flood");
        assert!(metrics.socket_opens(1));
        assert!(!metrics.socket_opens(1), "a second one does not fit");
        let text = metrics.render(&[
            ("media_rooms", "Rooms", 2.0),
            ("media_drops_total{reason=\"a\"}", "Drops", 1.0),
            ("media_drops_total{reason=\"b\"}", "Drops", 1.5),
        ]);
        for line in [
            "salon_http_requests_total{method=\"GET\",route=\"/meetings/{id}\",status=\"200\"} 1",
            "salon_http_requests_total{method=\"OTHER\",route=\"unmatched\",status=\"404\"} 1",
            "salon_http_request_seconds_count 2",
            "salon_signaling_messages_total{event=\"room.joinRoom\"} 1",
            "salon_signaling_refused_total{reason=\"flood\"} 1",
            "salon_sockets_open 1",
            "# TYPE salon_media_rooms gauge",
            "salon_media_rooms 2",
            "# TYPE salon_media_drops counter",
            "salon_media_drops_total{reason=\"b\"} 1.5",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert_eq!(text.matches("# TYPE salon_media_drops ").count(), 1);
        metrics.socket_closed();
        assert_eq!(metrics.sockets_open(), 0);
    }

    #[test]
    fn two_nodes_of_one_process_count_apart() {
        let (one, other) = (Metrics::new(), Metrics::new());
        assert!(one.socket_opens(1));
        assert!(one.render(&[]).contains("salon_sockets_open 1"));
        assert!(other.render(&[]).contains("salon_sockets_open 0"));
    }
}
