//! What is counted of transcripts, for the metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// From as good as at once to longer than anybody reads along.
const SECONDS: [f64; 8] = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

/// The figures of one node.
#[derive(Clone)]
pub struct Figures {
    pieces: Family<Result, Counter>,
    summaries: Family<Result, Counter>,
    told_seconds: Histogram,
}

impl Figures {
    /// All at nothing, and from now on to be found in `registry`.
    // The registry adds `_total` to counters, and the full stop to help texts.
    pub fn registered(registry: &mut Registry) -> Self {
        let figures = Self { pieces: Family::default(), summaries: Family::default(), told_seconds: Histogram::new(SECONDS) };
        let pieces =
            "Pieces of speech, by what came of them: written, silent, failed (tried again), lost, late (not told at once)";
        registry.register("transcript_pieces", pieces, figures.pieces.clone());
        registry.register("transcript_summaries", "Summaries, by what came of them", figures.summaries.clone());
        let told = "Time from the end of a piece of speech until everybody was told what was said";
        registry.register("transcript_told_seconds", told, figures.told_seconds.clone());
        figures
    }

    pub(crate) fn piece(&self, result: &'static str) {
        self.pieces.get_or_create(&Result { result }).inc();
    }

    pub(crate) fn summary(&self, result: &'static str) {
        self.summaries.get_or_create(&Result { result }).inc();
    }

    pub(crate) fn told(&self, after_ms: i64) {
        self.told_seconds.observe(after_ms.max(0) as f64 / 1_000.0);
    }
}
