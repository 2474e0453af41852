//! What keeps a node's sessions its own: tasks that note that it is alive, renew its claim, and bring back what fell.
//! Invariant: the renewing task does nothing else, so that nothing else can keep it from renewing.
//! Next: `lease.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use salon_core::Timestamp;
use salon_store::Error;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::adopt::{Opener, Place};
use crate::alive::Alive;
use crate::clock::{Drift, OUTAGE_MS, SinceBoot};
use crate::node::Node;

/// How often the file is brought up to date without any answer. Lower bounds the error of a crash tighter at about
/// 2 µs each time.
const FILE_EVERY: Duration = Duration::from_millis(100);

/// How often the claim is renewed. It must stay well below the time for which a renewal holds (1 s), and below that for
/// which it vouches (1 s).
const RENEW_EVERY: Duration = Duration::from_millis(300);

/// The same of a node that shares its store with no other: nobody waits for it.
const RENEW_ALONE_EVERY: Duration = Duration::from_millis(1_500);

/// How long one renewal may take before it is tried anew.
const RENEW_WITHIN: Duration = Duration::from_millis(500);

/// A store that cannot be reached is complained of every so many renewals.
const RENEWALS_COMPLAINED_OF_IN: u32 = 20;

/// How long the claim is renewed while a node stops: those whose sockets it closes are written down meanwhile.
const RENEWED_WHILE_STOPPING: Duration = Duration::from_secs(20);

/// How often sessions without an owner are looked for, and a session that fell is tried again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// In how many of these looks this run's own rows are compared with its tasks: a read of all of them.
const OWN_IN: u32 = 20;

/// In how many of them every live session is looked at, a read of all: a minute's.
const ALL_IN: u32 = 120;

/// How much the clocks of a machine and of the database may differ before somebody is told, and how often the database is asked for
/// the time, in looks for sessions.
const CLOCKS_DIFFER_MS: i64 = 5_000;
const CLOCKS_IN: u32 = 120;

/// How long one look for sessions without an owner may take: others that fell wait so long.
const ADOPT_FOR: Duration = Duration::from_secs(5);

/// A store that hangs is asked anew after this.
const LOOK_WITHIN: Duration = Duration::from_secs(20);

/// A clock that is wrong is complained of every so many looks at it.
const COMPLAIN_IN: u32 = 600;

/// Notes that this node is alive, lets go of everything once its claim has run out, and follows a clock that has run ahead.
pub(crate) async fn beat(node: Arc<Node>, alive: Arc<Alive>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(FILE_EVERY);
    let mut complained = 0_u32;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if node.lease.is_given_up(SinceBoot::now()) {
            node.let_go("the claim on them could not be renewed");
        }
        match node.clock.drift() {
            Drift::None => complained = 0,
            Drift::Behind(ms) => {
                if ms > OUTAGE_MS {
                    tracing::warn!(by_ms = ms, "the time has leapt ahead, or the machine slept");
                    // Nobody was seen meanwhile. They fall by the time before the leap.
                    node.let_go("this node was away");
                    node.is_let_go().await;
                }
                node.clock.leap(ms);
            }
            Drift::Ahead(ms) => {
                if complained.is_multiple_of(COMPLAIN_IN) {
                    tracing::warn!(by_ms = ms, "the time was set back; this node goes on without following it");
                }
                complained = complained.wrapping_add(1);
            }
        }
        let now = node.clock.now();
        node.beaten.store(now.0, Ordering::Relaxed);
        if let Err(error) = alive.tell(now) {
            tracing::error!(%error, "cannot write the heartbeat file");
        }
    }
}

/// Renews this run's claim until the node has left, or another run has its name.
pub(crate) async fn renew(node: Arc<Node>, stop: CancellationToken) {
    let over = async {
        stop.cancelled().await;
        tokio::time::sleep(RENEWED_WHILE_STOPPING).await;
    };
    tokio::select! {
        () = renewing(&node) => {}
        () = node.left.cancelled() => {}
        () = over => {}
    }
}

async fn renewing(node: &Node) {
    let mut ticks = tokio::time::interval(if node.store.is_shared() { RENEW_EVERY } else { RENEW_ALONE_EVERY });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = 0_u32;
    loop {
        ticks.tick().await;
        let (sent, at) = (SinceBoot::now(), node.clock.now());
        let why = match tokio::time::timeout(RENEW_WITHIN, renewed(node, sent, at)).await {
            Ok(Ok(())) => {
                failed = 0;
                continue;
            }
            Ok(Err(Error::NotOwner)) => {
                tracing::error!(node = node.name, "another Salon runs under this node's name: this one owns nothing any more");
                node.lease.lose();
                node.taken.cancel();
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the store takes too long".to_owned(),
        };
        if failed.is_multiple_of(RENEWALS_COMPLAINED_OF_IN) {
            tracing::warn!(error = why, "cannot renew this node's claim in the store");
        }
        failed = failed.wrapping_add(1);
    }
}

/// Renews the claim once. One that has run out holds again when what others took over meanwhile is let go of.
async fn renewed(node: &Node, sent: SinceBoot, at: Timestamp) -> salon_store::Result<()> {
    node.store.heartbeat(&node.run, at).await?;
    if node.holds().is_none() {
        let live = node.table.all();
        let owned = node.store.live_sessions_of(&node.run).await?.into_iter().collect();
        node.let_go_of_others(live, &owned);
    }
    if node.lease.is_given_up(sent) {
        node.let_go("the claim on them could not be renewed");
    }
    node.lease.renewed(sent, at);
    Ok(())
}

/// Goes on with what fell, and takes over what has no owner, until the node stops.
pub(crate) async fn watch(node: Arc<Node>, opener: Opener, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0_u32;
    let next = async |ticks: &mut tokio::time::Interval| {
        tokio::select! {
            _ = ticks.tick() => {}
            () = node.look.notified() => {}
        }
    };
    while stop.run_until_cancelled(next(&mut ticks)).await.is_some() {
        if node.holds().is_none() {
            continue;
        }
        looks = looks.wrapping_add(1);
        let look = tokio::time::timeout(LOOK_WITHIN, look(&node, &opener, looks));
        // What is begun may be left: what was taken over and not opened is known to have fallen.
        match stop.run_until_cancelled(look).await {
            Some(Ok(Err(error))) => tracing::warn!(%error, "cannot go on with sessions that have no owner yet"),
            Some(Err(_)) => tracing::warn!("the store takes too long to say which sessions have no owner"),
            Some(Ok(Ok(()))) => {}
            None => return,
        }
    }
}

async fn look(node: &Node, opener: &Opener, looks: u32) -> salon_store::Result<()> {
    for fall in node.fallen.all() {
        match opener.take_over(&fall.facts.meeting).await {
            Ok(Place::Here(_) | Place::There(_)) | Err(Error::Corrupt(_)) => {}
            Err(Error::NotFound) => node.fallen.remove(fall.facts.meeting.as_str()),
            Err(error) => return Err(error),
        }
    }
    if looks.is_multiple_of(OWN_IN) {
        opener.adopt_own(ADOPT_FOR).await?;
        if node.fallen.all().is_empty() {
            node.told.forget_idle();
        }
    }
    if looks % CLOCKS_IN == 1 {
        let asked = Instant::now();
        if let Some(time) = node.store.time().await? {
            let ahead_ms = node.clock.follow(time, asked.elapsed());
            if ahead_ms.abs() > CLOCKS_DIFFER_MS {
                tracing::warn!(
                    ahead_ms,
                    "this machine's clock is not the database's, which this node goes by: one of them is wrong"
                );
            }
        }
    }
    if node.store.is_shared() {
        opener.adopt_orphans(ADOPT_FOR, looks.is_multiple_of(ALL_IN)).await?;
    }
    Ok(())
}
