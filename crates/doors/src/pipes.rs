//! The sockets that are passed on to other nodes, by node.
//! Invariant: when a node is taken for dead, or its sessions are gone on with elsewhere, its pipes are cut: their clients come
//! back, and are passed on to whoever has their session now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use salon_live::{Clock, Hub};
use salon_store::Store;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether nodes with pipes to them live.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Without pipes, one in so many of these looks counts the nodes.
const IDLE_IN: u32 = 10;

/// How long one look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// Clones share everything.
#[derive(Clone)]
pub struct Pipes {
    to: Arc<Mutex<HashMap<String, To>>>,
    passed_on: Gauge,
    nodes_alive: Gauge,
    look: Arc<Notify>,
    stop: CancellationToken,
}

struct To {
    cut: CancellationToken,
    pipes: usize,
}

/// One pipe, counted for as long as it is held.
pub struct Pipe {
    pipes: Pipes,
    node: String,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.pipes.passed_on.dec();
        let mut to = self.pipes.to();
        if let Some(node) = to.get_mut(&self.node) {
            node.pipes -= 1;
            if node.pipes == 0 {
                to.remove(&self.node);
            }
        }
    }
}

impl Pipes {
    /// All are cut when the node stops. They are counted in `registry`.
    pub fn registered(registry: &mut Registry, stop: CancellationToken) -> Self {
        let (passed_on, nodes_alive) = (Gauge::default(), Gauge::default());
        let pipes = Self { to: Arc::default(), passed_on, nodes_alive, look: Arc::default(), stop };
        registry.register("sockets_passed_on", "Websockets passed on to other nodes", pipes.passed_on.clone());
        registry.register("nodes_alive", "Nodes on this database that live, as last looked at", pipes.nodes_alive.clone());
        pipes
    }

    fn to(&self) -> MutexGuard<'_, HashMap<String, To>> {
        self.to.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// One more to this node, and what says that it is cut.
    pub fn open(&self, node: &str) -> (CancellationToken, Pipe) {
        let mut to = self.to();
        let entry = to.entry(node.to_owned()).or_insert_with(|| To { cut: self.stop.child_token(), pipes: 0 });
        entry.pipes += 1;
        self.passed_on.inc();
        (entry.cut.clone(), Pipe { pipes: self.clone(), node: node.to_owned() })
    }

    /// Cuts all to this node.
    pub fn cut(&self, node: &str) {
        let mut all = self.to();
        if let Some(to) = all.get_mut(node) {
            tracing::info!(node, sockets = to.pipes, "sockets that were passed on to a node are let go: it is not seen any more");
            std::mem::replace(&mut to.cut, self.stop.child_token()).cancel();
        }
    }

    /// Looks at once whether nodes have died: somebody has a reason to think so.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// Cuts those to nodes that died, until this one stops.
    pub async fn watch(self, store: Store, clock: Clock, hub: Hub) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        let mut looks = 0_u32;
        let next = async |ticks: &mut tokio::time::Interval| {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.look.notified() => {}
            }
        };
        while stop.run_until_cancelled(next(&mut ticks)).await.is_some() {
            looks = looks.wrapping_add(1);
            let nodes: Vec<String> = self.to().keys().cloned().collect();
            if nodes.is_empty() && !looks.is_multiple_of(IDLE_IN) {
                continue;
            }
            // Without the store nobody can say, and nothing has been taken over.
            let Ok(Ok(alive)) = tokio::time::timeout(LOOK_WITHIN, store.living_nodes(clock.now())).await else { continue };
            self.nodes_alive.set(alive.len() as i64);
            // After an outage of the store its rows are old: others are given the time to renew theirs.
            if hub.may_judge() {
                nodes.iter().filter(|node| !alive.contains(*node)).for_each(|node| self.cut(node));
            }
        }
    }
}
