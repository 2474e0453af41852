//! How good all calls of this node are, as readings for the metrics.
//! Spreads are histograms of the tracks that go out now, so unlike others they also fall.

use salon_sfu::{QualityTotals, Spread};

/// Prometheus counts bytes.
const BYTES_PER_BIT: f64 = 0.125;

/// Their names have labels.
pub fn readings(totals: &QualityTotals) -> Vec<(String, &'static str, f64)> {
    let mut readings = Vec::new();
    let spreads: [(&str, &str, &'static str, &Spread, f64); 6] = [
        ("media_track_loss", "", "Tracks going out by the share of packets that do not arrive the first time", &totals.loss, 1.0),
        ("media_line_rtt_seconds", "", "Subscribers by the time to them and back", &totals.rtt, 1.0),
        ("media_track_jitter_seconds", "", "Tracks going out by the jitter their subscribers measure", &totals.jitter, 1.0),
        (
            "media_track_score",
            "kind=\"audio\",",
            "Tracks going out by their estimated mean opinion score",
            &totals.audio_score,
            1.0,
        ),
        (
            "media_track_score",
            "kind=\"video\",",
            "Tracks going out by their estimated mean opinion score",
            &totals.video_score,
            1.0,
        ),
        ("media_picture_bytes_per_second", "", "Pictures going out by their rate", &totals.video_bitrate, BYTES_PER_BIT),
    ];
    // Lines of one family stand side by side.
    for (name, labels, help, spread, unit) in &spreads {
        let bounds = spread.bounds.iter().map(|bound| (bound * unit).to_string()).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(&spread.counts) {
            readings.push((format!("{name}_bucket{{{labels}le=\"{bound}\"}}"), *help, *count as f64));
        }
        let all = spread.counts.last().copied().unwrap_or_default();
        let labels = labels.trim_end_matches(',');
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        readings.push((format!("{name}_sum{labels}"), *help, spread.sum * unit));
        readings.push((format!("{name}_count{labels}"), *help, all as f64));
    }
    for (layer, count) in totals.layers {
        let name = format!("media_pictures_out{{layer=\"{layer}\"}}");
        readings.push((name, "Pictures going out by the layer that is forwarded", count as f64));
    }
    let single = [
        ("media_refused_layers", "Layers coming in that the publisher's preset does not allow", totals.refused_layers as f64),
        ("media_held_publishers", "Publishers told to send less because nobody takes more", totals.held_publishers as f64),
        ("media_freezes_total", "Times a subscriber had nothing to show although the publisher sent", totals.freezes as f64),
        ("media_frozen_seconds_total", "How long these took", totals.frozen.as_secs_f64()),
        ("media_packets_resent_total", "RTP packets sent again", totals.resent as f64),
    ];
    readings.extend(single.map(|(name, help, value)| (name.to_owned(), help, value)));
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_few_lines_side_by_side() {
        let readings = readings(&QualityTotals::default());
        let family = |name: &'_ str| -> String {
            let name = name.split('{').next().unwrap_or(name);
            let ends = ["_bucket", "_sum", "_count"];
            ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
        };
        let mut families: Vec<String> = readings.iter().map(|(name, ..)| family(name)).collect();
        families.dedup();
        let mut apart = families.clone();
        apart.sort_unstable();
        apart.dedup();
        assert_eq!(apart.len(), families.len(), "{families:?}");
        assert!(readings.len() < 80, "{}", readings.len());
        assert!(readings.iter().any(|(name, ..)| name == "media_track_score_bucket{kind=\"audio\",le=\"4.5\"}"));
        assert!(readings.iter().any(|(name, ..)| name == "media_track_loss_bucket{le=\"+Inf\"}"));
    }
}
