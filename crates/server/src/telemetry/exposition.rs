//! The metrics of one node as text: OpenMetrics, and from it the older format that everything reads.
//! Each crate registers its own; what is read at scrape is added here.

use std::fmt::Write;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use salon_doors::rest::Exposition;
use salon_media::Reading;

/// A registry for the crates of one node.
pub fn registry() -> Registry {
    let mut registry = Registry::with_prefix("salon");
    // The registry adds the full stop to help texts.
    registry.register("build", "The version of Salon that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    registry
}

/// All metrics and `extra` as text.
pub fn render(registry: &Registry, extra: &[Reading], exposition: Exposition) -> String {
    let open = open_metrics(registry, extra);
    match exposition {
        Exposition::OpenMetrics => open,
        Exposition::Text => plain(&open),
    }
}

fn open_metrics(registry: &Registry, extra: &[Reading]) -> String {
    let mut text = String::with_capacity(16 * 1024);
    encode_registry(&mut text, registry).expect("text can always be appended to a string");
    let mut last = "";
    for (name, help, value) in extra {
        let (family, kind) = family(name.split('{').next().unwrap_or(name));
        if family != last {
            let _ = writeln!(text, "# HELP salon_{family} {help}.\n# TYPE salon_{family} {kind}");
            last = family;
        }
        let _ = writeln!(text, "salon_{name} {value}");
    }
    encode_eof(&mut text).expect("text can always be appended to a string");
    text
}

/// What family a reading belongs to, and of which kind that is.
fn family(name: &str) -> (&str, &'static str) {
    let kinds = [("_total", "counter"), ("_bucket", "histogram"), ("_sum", "histogram"), ("_count", "histogram")];
    let known = kinds.iter().find_map(|(end, kind)| Some((name.strip_suffix(end)?, *kind)));
    known.unwrap_or((name, "gauge"))
}

/// OpenMetrics as text format 0.0.4: there a counter's family has the name of its samples, and `info` is no kind.
fn plain(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    // Stands above the kind, which decides the name.
    let mut help = "";
    for line in open.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (end, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            let _ = writeln!(text, "# HELP {name}{end} {help}\n# TYPE {name}{end} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_at_scrape_stands_under_its_family() {
        let reading = |name: &str, help, value| (name.to_owned(), help, value);
        let readings = [
            reading("media_rooms", "Rooms", 2.0),
            reading("media_drops_total{reason=\"a\"}", "Drops", 1.0),
            reading("media_drops_total{reason=\"b\"}", "Drops", 1.5),
            reading("media_loss_bucket{le=\"+Inf\"}", "Tracks by loss", 3.0),
            reading("media_loss_sum", "Tracks by loss", 0.5),
            reading("media_loss_count", "Tracks by loss", 3.0),
        ];
        let text = render(&registry(), &readings, Exposition::OpenMetrics);
        for line in [
            "# TYPE salon_build info",
            "# TYPE salon_media_loss histogram",
            "# TYPE salon_media_rooms gauge",
            "salon_media_rooms 2",
            "# TYPE salon_media_drops counter",
            "salon_media_drops_total{reason=\"b\"} 1.5",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert_eq!(text.matches("# TYPE salon_media_drops ").count(), 1);
        assert_eq!(text.matches("# TYPE salon_media_loss ").count(), 1);

        let text = render(&registry(), &readings, Exposition::Text);
        for line in [
            "# TYPE salon_build_info gauge",
            "# HELP salon_media_drops_total Drops.",
            "# TYPE salon_media_drops_total counter",
            "# TYPE salon_media_loss histogram",
            "salon_media_loss_count 3",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("# EOF"));
    }
}
