//! The other nodes of the cluster: how this one talks to them, and where they reach it.

use anyhow::Context;
use axum::Router;
use salon_cluster::{Nodes, Secret};
use salon_doors::doors::Doors;
use salon_doors::keys::digest;
use salon_doors::rest;
use salon_edge::{Door, Port};
use salon_store::{RunId, Store};

use crate::config::Config;

/// The way to other nodes, if the store has any; `secret` is the lasting one of all who share it.
pub fn nodes(store: &Store, secret: &str) -> anyhow::Result<Option<Nodes>> {
    if !store.is_shared() {
        return Ok(None);
    }
    let nodes = Nodes::new(Secret::new(digest(&format!("cluster {secret}"))));
    nodes.context("cannot prepare to talk to other nodes").map(Some)
}

/// Opens the port for nodes, if there is to be one, and tells them where it is; lets go of sockets of nodes that died.
pub async fn serve(
    config: &Config,
    doors: &Doors,
    nodes: &Nodes,
    (run, connections): (&RunId, &salon_edge::Figures),
    everything: Router,
) -> anyhow::Result<()> {
    doors.tasks.spawn(doors.pipes.clone().watch(doors.store.clone(), doors.clock.clone()));
    let Some(address) = config.cluster.listen.first() else { return Ok(()) };
    let taken = Port::take(*address).and_then(|port| Ok((port.address()?, port.open()?)));
    let (at, port) = taken.with_context(|| format!("cannot listen on {address} (cluster.listen)"))?;
    let door = Door::new(port, None, config.bounds_of_nodes(), config.patience(), connections);
    doors.tasks.spawn(door.serve(rest::router_for_nodes(doors, nodes, everything), doors.stop.clone()));
    let advertised = if config.cluster.advertise.is_empty() { at.to_string() } else { config.cluster.advertise.clone() };
    doors.store.announce_node(run, &advertised).await.context("cannot tell other nodes where this one is")?;
    tracing::info!(address = %at, %advertised, "other nodes are answered");
    Ok(())
}
