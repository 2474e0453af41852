//! Hears what the media server says and passes on what sessions have to know; sees to it that nobody overstays.

use std::sync::Arc;
use std::time::Duration;

use salon_sfu::Event;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::owners::Owners;

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
}
