//! What is counted of connections, for the metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// The figures of the ports of one node. Handles are atomics behind an `Arc`.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub(crate) turned_away: Counter,
    pub(crate) gave_way: Counter,
}

impl Figures {
    /// All at nothing, and from now on to be found in `registry`.
    // The registry adds `_total`, and the full stop to help texts.
    pub fn registered(registry: &mut Registry) -> Self {
        let figures = Self::default();
        let turned_away = "Connections closed at once, as there were as many as there may be and none could go for them";
        registry.register("connections_turned_away", turned_away, figures.turned_away.clone());
        let gave_way = "Connections in no request that were closed to make room for others";
        registry.register("connections_gave_way", gave_way, figures.gave_way.clone());
        figures
    }
}
