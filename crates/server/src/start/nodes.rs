//! The other nodes of the cluster: how this one talks to them, and where they reach it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use salon_cluster::{Heard, Hint, Hints, Line, Nodes, Secret};
use salon_core::ApiKeyId;
use salon_doors::doors::Doors;
use salon_doors::keys::digest;
use salon_doors::rest;
use salon_edge::{Door, Port};
use salon_handover::{Passage, Received};
use salon_media::Spread;
use salon_store::{RunId, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::packed;
use crate::config::Config;

/// By what the port for nodes is handed over.
const NODES: &str = "nodes";

/// How often it is said how many people of other nodes have their media here, and how long that may take.
const COUNT_EVERY: Duration = Duration::from_secs(1);
const COUNT_WITHIN: Duration = Duration::from_secs(2);

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

/// Says how many people of other nodes have their media here, and hears whether there are to be more, until the node stops.
async fn count_guests(spread: Arc<Spread>, store: Store, run: RunId, stop: CancellationToken) {
    let mut every = tokio::time::interval(COUNT_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        // What cannot be asked is as it was.
        if let Ok(Ok(drained)) = tokio::time::timeout(COUNT_WITHIN, store.note_guests(&run, spread.guests())).await {
            spread.takes_guests(!drained);
        }
    }
}

/// The port for nodes of a node that is not ready yet.
pub struct Opened {
    advertised: String,
    ready: watch::Sender<Option<Router>>,
}

/// What the port for nodes is opened with.
pub struct Opens<'a> {
    pub config: &'a Config,
    pub connections: &'a salon_edge::Figures,
    pub passage: &'a Passage,
    pub tasks: &'a TaskTracker,
    pub stop: &'a CancellationToken,
    pub handed: Option<&'a Received>,
}

/// Opens the port for nodes, if there is to be one: of media they are answered from now on.
pub fn open(with: Opens<'_>, nodes: &Nodes, spread: Option<&Arc<Spread>>) -> anyhow::Result<Option<Opened>> {
    let Opens { config, connections, passage, tasks, stop, handed } = with;
    let Some(address) = config.cluster.listen.first() else { return Ok(None) };
    let packed = packed::all(handed, &Port::packed_as(NODES))?;
    let taken = Port::handed(packed, *address).and_then(|port| Ok((port.address()?, port.open()?)));
    let (at, port) = taken.with_context(|| format!("cannot listen on {address} (cluster.listen)"))?;
    let door = Door::new(port, None, config.bounds_of_nodes(), config.patience(), connections);
    let door = door.passing(passage, NODES, packed::all(handed, &Door::connections(NODES))?);
    let (ready, waits) = watch::channel(None);
    let porter = rest::nodes::Porter { secret: nodes.secret().clone(), spread: spread.cloned(), ready: waits };
    tasks.spawn(door.serve(rest::nodes::door(porter), stop.clone()));
    let advertised = if config.cluster.advertise.is_empty() { at.to_string() } else { config.cluster.advertise.clone() };
    if let Some(spread) = spread {
        spread.is_at(&advertised);
    }
    tracing::info!(address = %at, %advertised, "other nodes reach this one");
    Ok(Some(Opened { advertised, ready }))
}

/// Answers nodes all that they ask, and tells them where; lets go of sockets of nodes that died.
pub async fn serve(opened: Option<Opened>, doors: &Doors, run: &RunId, everything: Router) -> anyhow::Result<()> {
    doors.tasks.spawn(doors.pipes.clone().watch(doors.store.clone(), doors.clock.clone(), doors.hub.clone()));
    let Some(Opened { advertised, ready }) = opened else { return Ok(()) };
    ready.send_replace(Some(rest::router_for_nodes(doors, everything)));
    if let Some(spread) = doors.media.spread() {
        doors.tasks.spawn(count_guests(spread.clone(), doors.store.clone(), run.clone(), doors.stop.clone()));
    }
    doors.store.announce_node(run, &advertised).await.context("cannot tell other nodes where this one is")?;
    Ok(())
}
