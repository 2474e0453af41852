//! What is counted of webhooks, for the metrics.
//! Handles are atomics behind an `Arc`: bumping one waits for nobody, but for the histogram's short lock.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use salon_store::Next;

/// From a hundredth of a second, as good as at once, to three hours, when it is given up.
const SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 300.0, 3_600.0, 10_800.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

/// The figures of one node.
#[derive(Clone)]
pub struct Figures {
    open: Gauge,
    oldest_seconds: Gauge<f64, AtomicU64>,
    under_way: Gauge,
    tries: Family<Result, Counter>,
    seconds: Histogram,
}

impl Figures {
    /// All at nothing, and from now on to be found in `registry`.
    // The registry adds `_total` to counters, and the full stop to help texts.
    pub fn registered(registry: &mut Registry) -> Self {
        let figures = Self {
            open: Gauge::default(),
            oldest_seconds: Gauge::default(),
            under_way: Gauge::default(),
            tries: Family::default(),
            seconds: Histogram::new(SECONDS),
        };
        let open = "Deliveries to webhooks that are still to be made, of all nodes that share the database";
        registry.register("webhook_deliveries_open", open, figures.open.clone());
        let oldest = "How long the oldest of them has waited; 0: there is none";
        registry.register("webhook_oldest_open_seconds", oldest, figures.oldest_seconds.clone());
        registry.register("webhook_lanes_held", "Lanes that this node delivers in", figures.under_way.clone());
        registry.register("webhook_tries", "Requests to webhooks, by what came of them", figures.tries.clone());
        registry.register("webhook_delivery_seconds", "Time from an event to its delivery", figures.seconds.clone());
        figures
    }

    /// So many are open, the oldest since so many seconds.
    pub(crate) fn waiting(&self, open: u64, oldest_seconds: f64) {
        self.open.set(open.cast_signed());
        self.oldest_seconds.set(oldest_seconds);
    }

    /// This node holds so many lanes.
    pub(crate) fn holds(&self, lanes: usize) {
        self.under_way.set(lanes as i64);
    }

    /// A try was made of something that happened so many seconds ago.
    pub(crate) fn tried(&self, next: Next, age_seconds: f64) {
        let result = match next {
            Next::Delivered => "delivered",
            Next::Failed => "failed",
            Next::Again(_) => "again",
        };
        self.tries.get_or_create(&Result { result }).inc();
        if next == Next::Delivered {
            self.seconds.observe(age_seconds.max(0.0));
        }
    }
}
