//! What is known of live sessions beside their records, which only the nodes know that run them: asked of those.
//! Invariant: a node that does not answer leaves a hole in the answer, and nothing else.
//! Next: `nodes.rs`, which answers; `live_sessions.rs` and `watching/board.rs`, which tell it.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;
use salon_core::SessionId;
use salon_quality::Worst;
use salon_store::SessionRow;

use crate::people::worst_told;
use crate::rest::live::Teller;
use crate::rest::sessions::ask;

/// What is known of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    /// How many wait to be let in.
    pub waiting: Option<u64>,
    pub worst: Option<Worst>,
}

/// What other nodes know of those that they run. All are asked at once, so that one which stands still costs its own time only.
pub async fn elsewhere(teller: &Teller, rows: &[SessionRow]) -> HashMap<SessionId, Beside> {
    let Some(nodes) = &teller.nodes else { return HashMap::new() };
    let mut by_node = BTreeMap::<&String, Vec<&SessionRow>>::new();
    for row in rows.iter().filter(|row| row.owner_node != teller.hub.name()) {
        // One that other nodes do not reach tells nothing.
        let Some(address) = &row.owner_address else { continue };
        by_node.entry(address).or_default().push(row);
    }
    let asked = by_node.into_iter().map(|(address, rows)| async move { ask(nodes, address, rows.into_iter(), true).await });
    let told = join_all(asked).await.into_iter().flatten();
    let known = told.filter_map(|told| {
        let beside = Beside { waiting: told.waiting, worst: told.worst.as_ref().map(worst_told) };
        Some((SessionId::parse(&told.session.id).ok()?, beside))
    });
    known.collect()
}
