//! Hears what the media server says, and other nodes of what people have there, and passes on what sessions have to know; sees
//! to it that nobody overstays.

use std::sync::Arc;
use std::time::Duration;

use salon_sfu::Event;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::owners::Owners;
use crate::spread::Heard;

/// How often it is looked who has overstayed.
const EVICT_EVERY: Duration = Duration::from_secs(5);

/// Ends the connections of people who have not come in for too long, until the node stops.
pub async fn evict_overdue(owners: Arc<Owners>, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVICT_EVERY);
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        owners.sfu.evict_overdue();
        owners.forget_cut_off();
    }
}

/// Listens until the media server or the node stops.
pub async fn listen(owners: Arc<Owners>, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
    while let Some(Some(event)) = stop.run_until_cancelled(events.recv()).await {
        // Of a connection that another node opened here that node is told.
        if !owners.lodging.pass_on(&event) {
            happened(&owners, event).await;
        }
    }
}

/// Listens to other nodes until this one stops.
pub async fn listen_to_nodes(owners: Arc<Owners>, mut heard: mpsc::Receiver<Heard>, stop: CancellationToken) {
    while let Some(Some(heard)) = stop.run_until_cancelled(heard.recv()).await {
        match heard {
            Heard::Event(event) => happened(&owners, event).await,
            Heard::Up { at, over, done } => {
                let owners = owners.clone();
                tokio::spawn(async move {
                    if owners.meets_again(&at, &over).await.is_some() {
                        let _ = done.send(());
                        owners.fetch().await;
                    }
                });
            }
            Heard::Away(link) => owners.is_uncertain_of(&link),
            Heard::Lost(link) => owners.lost(&link).await,
            Heard::Lodged { at, rooms, done } => {
                let owners = owners.clone();
                tokio::spawn(async move {
                    owners.take_over(&at, rooms).await;
                    let _ = done.send(());
                    owners.fetch().await;
                });
            }
            Heard::Parted { at, from, transports } => {
                let owners = owners.clone();
                tokio::spawn(async move { owners.parted(&at, &from, transports).await });
            }
        }
    }
}

async fn happened(owners: &Owners, event: Event) {
    match event {
        Event::TransportConnected { transport } => owners.transport_connected(&transport),
        Event::TransportClosed { transport, reason } => {
            tracing::debug!(transport.id = %transport, ?reason, "a transport closed");
            owners.transport_closed(&transport).await;
        }
        Event::AudioLevel { producer, speaking: true, .. } => owners.speaks(&producer),
        Event::AudioLevel { .. } => {}
        Event::Refused { tag, role } => owners.refused(tag, role),
    }
}
