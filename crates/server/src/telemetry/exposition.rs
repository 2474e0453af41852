//! The metrics of one node as OpenMetrics text.
//! Each crate registers its own; what is read at scrape is added here.

use std::fmt::Write;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use salon_media::Reading;

/// A registry for the crates of one node.
pub fn registry() -> Registry {
    let mut registry = Registry::with_prefix("salon");
    // The registry adds the full stop to help texts.
    registry.register("build", "The version of Salon that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    registry
}

/// All metrics and `extra` as text.
pub fn render(registry: &Registry, extra: &[Reading]) -> String {
    let mut text = String::with_capacity(16 * 1024);
    encode_registry(&mut text, registry).expect("text can always be appended to a string");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_at_scrape_stands_under_its_family() {
        let reading = |name: &str, help, value| (name.to_owned(), help, value);
        let text = render(
            &registry(),
            &[
                reading("media_rooms", "Rooms", 2.0),
                reading("media_drops_total{reason=\"a\"}", "Drops", 1.0),
                reading("media_drops_total{reason=\"b\"}", "Drops", 1.5),
            ],
        );
        for line in [
            "# TYPE salon_media_rooms gauge",
            "salon_media_rooms 2",
            "# TYPE salon_media_drops counter",
            "salon_media_drops_total{reason=\"b\"} 1.5",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert_eq!(text.matches("# TYPE salon_media_drops ").count(), 1);
    }
}
