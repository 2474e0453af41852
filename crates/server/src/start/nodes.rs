//! The other nodes of the cluster: how this one talks to them, and where they reach it.

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use salon_cluster::{Heard, Hint, Hints, Line, Nodes, Secret};
use salon_core::ApiKeyId;
use salon_doors::doors::Doors;
use salon_doors::keys::digest;
use salon_doors::rest;
use salon_edge::{Door, Port};
use salon_handover::Received;
use salon_store::{RunId, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::packed;
use crate::config::Config;

/// By what the port for nodes is handed over.
const NODES: &str = "nodes";

/// The way to other nodes, if the store has any; `secret` is the lasting one of all who share it.
pub fn nodes(store: &Store, secret: &str) -> anyhow::Result<Option<Nodes>> {
    if !store.is_shared() {
        return Ok(None);
    }
    let nodes = Nodes::new(Secret::new(digest(&format!("cluster {secret}"))));
    nodes.context("cannot prepare to talk to other nodes").map(Some)
}

/// A way to give other nodes hints, and the line over which they go, if the store has any and there is a NATS.
pub fn hints(config: &Config, store: &Store, secret: &str) -> (Hints, Option<Line>) {
    let cluster = hex::encode(&digest(&format!("hints {secret}"))[..8]);
    let url = Some(config.cluster.nats_url.as_str()).filter(|url| !url.is_empty() && store.is_shared());
    let line = url.and_then(|url| salon_cluster::hints(url, &cluster, &config.node.name));
    line.map_or_else(Default::default, |(hints, line)| (hints, Some(line)))
}

/// What carries hints until the node has left.
pub struct Talk {
    hints: Hints,
    left: CancellationToken,
    carried: JoinHandle<()>,
}

impl Talk {
    pub fn begin(line: Line, hints: Hints, doors: &Doors) -> Self {
        let (left, Doors { hub, pipes, keys, .. }) = (CancellationToken::new(), doors.clone());
        let heard = move |heard| match heard {
            Heard::Look => {
                hub.look();
                pipes.look();
            }
            Heard::Key(id) => {
                if let Ok(id) = ApiKeyId::parse(&id) {
                    keys.forget(&id);
                }
            }
        };
        let carried = tokio::spawn(line.run(heard, left.clone()));
        Self { hints, left, carried }
    }

    /// The node of this name has left: others may have what it had.
    pub async fn end(self, node: &str, within: Duration) {
        self.hints.tell(Hint::Moved(node.to_owned()));
        self.left.cancel();
        let _ = tokio::time::timeout(within, self.carried).await;
    }
}

/// Opens the port for nodes, if there is to be one, and tells them where it is; lets go of sockets of nodes that died.
pub async fn serve(
    config: &Config,
    doors: &Doors,
    nodes: &Nodes,
    (run, connections): (&RunId, &salon_edge::Figures),
    everything: Router,
    handed: Option<&Received>,
) -> anyhow::Result<()> {
    doors.tasks.spawn(doors.pipes.clone().watch(doors.store.clone(), doors.clock.clone(), doors.hub.clone()));
    let Some(address) = config.cluster.listen.first() else { return Ok(()) };
    let packed = packed::all(handed, &Port::packed_as(NODES))?;
    let taken = Port::handed(packed, *address).and_then(|port| Ok((port.address()?, port.open()?)));
    let (at, port) = taken.with_context(|| format!("cannot listen on {address} (cluster.listen)"))?;
    let door = Door::new(port, None, config.bounds_of_nodes(), config.patience(), connections);
    let door = door.passing(&doors.passage, NODES, packed::all(handed, &Door::connections(NODES))?);
    doors.tasks.spawn(door.serve(rest::router_for_nodes(doors, nodes, everything), doors.stop.clone()));
    let advertised = if config.cluster.advertise.is_empty() { at.to_string() } else { config.cluster.advertise.clone() };
    if let Some(spread) = doors.media.spread() {
        spread.is_at(&advertised);
    }
    doors.store.announce_node(run, &advertised).await.context("cannot tell other nodes where this one is")?;
    tracing::info!(address = %at, %advertised, "other nodes are answered");
    Ok(())
}
