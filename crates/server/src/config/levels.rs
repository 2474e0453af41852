//! What `log.level` says: how closely Salon is logged. Libraries tell warnings and errors, whatever it says.
//! Invariant: what libraries tell beyond that holds addresses, keys and what people say, so no setting brings it out.

use tracing_subscriber::filter::{LevelFilter, Targets};

/// How the names of Salon's crates begin.
const OURS: &str = "salon";

/// Reads a level for all of Salon, levels by module, or both, with commas. `None` if it is neither.
pub fn levels(text: &str) -> Option<Targets> {
    let (mut ours, mut others) = (Targets::new(), LevelFilter::WARN);
    for item in text.split(',').map(str::trim) {
        match item.split_once('=') {
            None => {
                let of_all = level(item)?;
                ours = ours.with_target(OURS, of_all);
                others = others.min(of_all);
            }
            Some((module, of_module)) if module.starts_with(OURS) => ours = ours.with_target(module, level(of_module)?),
            Some(_) => return None,
        }
    }
    Some(ours.with_default(others))
}

fn level(word: &str) -> Option<LevelFilter> {
    Some(match word {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter as Level;

    use super::*;

    /// The most that is logged of a module.
    fn most(text: &str, module: &str) -> Level {
        let targets = levels(text).expect("levels");
        let all =
            [tracing::Level::TRACE, tracing::Level::DEBUG, tracing::Level::INFO, tracing::Level::WARN, tracing::Level::ERROR];
        all.iter().find(|level| targets.would_enable(module, level)).map_or(Level::OFF, |level| Level::from_level(*level))
    }

    #[test]
    fn a_level_is_of_salon_and_others_say_little() {
        for (text, module, expected) in [
            ("trace", "salon_doors::rest", Level::TRACE),
            ("debug", "salon_server", Level::DEBUG),
            ("trace", "str0m::ice", Level::WARN),
            ("debug", "log", Level::WARN),
            ("error", "sqlx", Level::ERROR),
            ("off", "sqlx", Level::OFF),
            ("off", "salon_sfu", Level::OFF),
            ("info,salon_doors::rest=debug", "salon_doors::rest::door", Level::DEBUG),
            ("salon_doors::rest=debug, info", "salon_doors::signaling", Level::INFO),
            ("salon_doors::rest=debug", "salon_live", Level::WARN),
        ] {
            assert_eq!(most(text, module), expected, "{text} {module}");
        }
    }

    #[test]
    fn what_is_no_level_is_none() {
        for text in
            ["", "verbose", "INFO", "2", "info,", "str0m=trace", "info,hyper=info", "salon_doors=", "salon_doors=verbose", "="]
        {
            assert!(levels(text).is_none(), "{text}");
        }
    }
}
