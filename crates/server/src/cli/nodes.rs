//! `salon nodes`: which nodes share the database, and what each does.

use salon_store::{NodeRow, Records};

use super::database::{Missing, beside_servers};
use super::process::print;
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};
use salon_doors::rfc3339::rfc3339;

pub(super) fn run(settings: SettingsArgs) -> anyhow::Result<()> {
    let config = Config::load(&settings.sources(Mode::Beside))?;
    let now = salon_live::Clock::start().now();
    let nodes = beside_servers(&config, Missing::Fail, async |store| Ok(store.nodes(now).await?))?;
    if nodes.is_empty() {
        eprintln!("No node runs on this database.");
    }
    print(&nodes.iter().map(line).collect::<String>())
}

fn line(node: &NodeRow) -> String {
    let state = match node.is_alive {
        true if node.records == Some(Records::Pictures) => "worker (pictures, tracks)".to_owned(),
        true if node.records.is_some() => "worker (tracks)".to_owned(),
        true if node.is_draining => "draining".to_owned(),
        true => "alive".to_owned(),
        false => format!("not seen for {} s", node.silent_ms / 1_000),
    };
    let since = node.since.map_or_else(|| "-".to_owned(), rfc3339);
    let address = node.address.as_deref().unwrap_or("no cluster.listen");
    let takeover = match &node.takeover {
        Some((at, why)) => format!("last takeover {}: {why}", rfc3339(*at)),
        None => "no takeover".to_owned(),
    };
    let guests = if node.guests > 0 { format!("  {} people of others", node.guests) } else { String::new() };
    format!("{}  {state}  {} sessions{guests}  since {since}  {address}  {takeover}\n", node.name, node.sessions)
}

#[cfg(test)]
mod tests {
    use salon_core::Timestamp;

    use super::*;

    #[test]
    fn a_node_is_a_line() {
        let node = NodeRow {
            name: "n1".to_owned(),
            address: Some("10.0.0.4:8790".to_owned()),
            silent_ms: 120,
            is_alive: true,
            is_draining: false,
            since: Some(Timestamp(0)),
            sessions: 3,
            guests: 0,
            records: None,
            takeover: Some((Timestamp(60_000), "n2 was not seen for 1602 ms".to_owned())),
        };
        let told = "n1  alive  3 sessions  since 1970-01-01T00:00:00.000Z  10.0.0.4:8790  \
                    last takeover 1970-01-01T00:01:00.000Z: n2 was not seen for 1602 ms\n";
        assert_eq!(line(&node), told);
        let draining = NodeRow { is_draining: true, guests: 2, ..node.clone() };
        assert!(line(&draining).starts_with("n1  draining  3 sessions  2 people of others  since"));
        let gone = NodeRow { silent_ms: 7_400, is_alive: false, since: None, address: None, takeover: None, ..node };
        assert_eq!(line(&gone), "n1  not seen for 7 s  3 sessions  since -  no cluster.listen  no takeover\n");
    }
}
